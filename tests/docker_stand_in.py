"""A program with Docker's command line: files of ours have other names inside, and the container
lives on when the client is killed, until `rm --force`. Inside is the stand-in for OpenFace."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ.get("DOCKER_STAND_IN", "."))  # a file with the process's id a container


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--name", required=True)
    parser.add_argument("--rm", action="store_true", required=True)
    parser.add_argument("--init", action="store_true", required=True)
    parser.add_argument("-v", action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    outside = {inside: host for host, inside, *_ in (mount.split(":") for mount in options.v)}
    words = [_outside(word, outside) for word in options.command[1:]]
    program = Path(__file__).with_name("openface_stand_in.py")
    container = subprocess.Popen([sys.executable, program, *words], start_new_session=True)
    STATE.joinpath(options.name).write_text(str(container.pid))
    code = container.wait()
    STATE.joinpath(options.name).unlink()
    return code if code >= 0 else 128 - code


def _outside(word: str, outside: dict[str, str]) -> str:
    """A path inside, as it is called on our side; others do not exist there."""
    for inside, host in outside.items():
        if word.startswith(f"{inside}/"):
            return host + word.removeprefix(inside)
    return f"/not/mounted{word}" if word.startswith("/") else word


def remove(name: str) -> int:
    state = STATE / name
    if not state.exists():
        sys.stderr.write(f"Error response from daemon: No such container: {name}\n")
        return 1
    os.kill(int(state.read_text()), signal.SIGKILL)
    state.unlink()
    return 0


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run", *rest]:
            return run(rest)
        case ["rm", "--force", name]:
            return remove(name)
    sys.stderr.write("docker: unknown command\n")
    return 125


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
