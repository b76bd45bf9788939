"""A program in a container: which of our folders it sees, under which names, and how it ends.

Docker's and Podman's command line. Killing the client that started a container does not stop the
container, so each gets a name of ours and is removed by it.
"""

import argparse
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline_lib.incremental import StageError

ENGINES = ("docker", "podman", "nerdctl")


class ExtractorError(StageError):
    """The program cannot work on this machine, whatever the video."""


@dataclass(frozen=True)
class Mount:
    host: Path  # resolved
    inside: PurePosixPath
    writable: bool


@dataclass(frozen=True)
class Container:
    engine: tuple[str, ...]  # words before `run`: ("docker",) or ("sudo", "docker")
    arguments: tuple[str, ...]  # words after it
    mounts: tuple[Mount, ...]

    def start(self, name: str) -> list[str]:
        """Words that run it under a name, removed when it ends."""
        # Docker's own init hands signals on, which a program that is process 1 would ignore.
        wanted = ["--rm", "--init"] if Path(self.engine[-1]).name == "docker" else ["--rm"]
        added = [option for option in wanted if option not in self.arguments]
        return [*self.engine, "run", "--name", name, *added, *self.arguments]

    def remove(self, name: str) -> None:
        """Stop and remove the container with this name, if there still is one."""
        # That there is none is the usual case and what is wanted, so its exit code says nothing.
        subprocess.run(
            [*self.engine, "rm", "--force", name], capture_output=True, check=False, timeout=60
        )

    def path(self, path: Path, *, writes: bool) -> str:
        """How the container names a file or folder of ours.

        Symbolic links are followed first, since their targets need not be mounted. Raises
        ExtractorError if it does not see the file, or may not write there though it has to.
        """
        real = path.resolve()
        for mount in sorted(self.mounts, key=lambda m: len(m.host.parts), reverse=True):
            if real.is_relative_to(mount.host):
                if writes and not mount.writable:
                    raise ExtractorError(
                        f"openface.command mounts {mount.host} read-only, but {path} in it "
                        "takes the program's output"
                    )
                return str(mount.inside / real.relative_to(mount.host))
        folder = real if writes else real.parent
        seen = ", ".join(str(mount.host) for mount in self.mounts) or "nothing"
        raise ExtractorError(
            f"the container of openface.command does not see {real} (it mounts {seen}); "
            f"add -v {folder}:{folder} to openface.command"
        )


def parse(words: Sequence[str]) -> Container | None:
    """The container that a command line starts; None if it starts none.

    Raises ExtractorError if it is of a kind that could not be ended or told from another.
    """
    if not any(Path(word).name in ENGINES for word in words):
        return None
    command = " ".join(words)
    if "run" not in words:
        raise ExtractorError(f"openface.command = {command!r}: needs {words[0]} run --rm ...")
    position = words.index("run")
    arguments = tuple(words[position + 1 :])
    for option in ("--name", "--detach", "-d"):
        if any(word == option or word.startswith(f"{option}=") for word in arguments):
            raise ExtractorError(f"openface.command = {command!r}: leave {option} out")
    return Container(tuple(words[:position]), arguments, tuple(_mounts(arguments)))


def _mounts(arguments: Sequence[str]) -> Iterator[Mount]:
    """Folders of ours that the container sees; volumes without a place on our side are none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-v", "--volume", action="append", default=[])
    parser.add_argument("--mount", action="append", default=[])
    known, _ = parser.parse_known_args(arguments)
    for volume in known.volume:
        host, *rest = volume.split(":")
        if rest and host[:1] in ("/", "."):
            options = rest[1].split(",") if len(rest) > 1 else []
            yield Mount(Path(host).resolve(), PurePosixPath(rest[0]), "ro" not in options)
    for mount in known.mount:
        fields = dict(field.partition("=")[::2] for field in mount.split(","))
        host = fields.get("source", fields.get("src"))
        inside = fields.get("target", fields.get("destination", fields.get("dst")))
        if fields.get("type") == "bind" and host and inside:
            read_only = {fields.get("readonly", "false"), fields.get("ro", "false")} != {"false"}
            yield Mount(Path(host).resolve(), PurePosixPath(inside), not read_only)
