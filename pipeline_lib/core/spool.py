"""What stages say of themselves on its way to MLflow: a folder a stage, below .cache/tracking.

A stage writes JSON lines, the sender (pipeline_lib.mlflow_sender) reads them, and neither waits for
the other. What cannot be sent stays for the next sender. Each server has a folder and a sender of
its own, so that one that hangs holds no other up.
"""

import contextlib
import fcntl
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from pipeline_lib.core import paths

FOLDER = paths.CACHE / "tracking"
MESSAGES = "messages.jsonl"
LOCK = "sender.lock"
TROUBLE = "trouble.txt"  # why the last try failed, until somebody has told the user

AGAIN = "the next stage, or `python -m pipeline_lib.console`, tries again"


class Spool:
    """The writing end. The lock on the messages says that the stage lives, until it is closed."""

    def __init__(self, folder: Path, file: IO[str]) -> None:
        self.folder = folder
        self._file = file

    @classmethod
    def open(cls, uri: str, name: str, start: Mapping[str, Any]) -> Self:
        """Open a stage's spool for the server at `uri`, with its first message."""
        server = FOLDER / hashlib.sha256(uri.encode()).hexdigest()[:8]
        server.mkdir(mode=0o700, parents=True, exist_ok=True)  # `uri` may hold a password
        made = server / f"{time.time_ns()}-{name}.new"
        made.mkdir()
        (made / "uri").write_text(uri)
        file = (made / MESSAGES).open("a")
        take(file)
        folder = made.with_suffix(".spool")
        spool = cls(folder, file)
        spool.write(start)
        made.rename(folder)  # in sight of the sender not before it is locked
        return spool

    def write(self, message: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(message) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def take(file: IO[Any]) -> bool:
    """Lock an open file until it is closed or its process dies; False if another holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    """Whether no process holds a lock on the file."""
    with path.open("a") as file:
        return take(file)


def lock(server: Path) -> IO[str]:
    """The open file on which the one sender of a server holds a lock."""
    return (server / LOCK).open("a")


def send(server: Path) -> None:
    """Make sure that a sender is at work.

    Raises CalledProcessError if it cannot be started; what keeps it from sending is told later, by
    `untold`.
    """
    with lock(server) as file:
        if not take(file):  # a sender looks into the folder once more after it has let go
            return
    with (server / "sender.log").open("a") as log:
        subprocess.run(
            [sys.executable, "-m", "pipeline_lib.mlflow_sender", str(server)],
            stdin=subprocess.DEVNULL,
            stdout=log,  # not ours: who reads our output would wait for the sender too
            stderr=log,
            start_new_session=True,  # an interrupted stage must not take its last words along
            check=True,
        )


def waiting(server: str = "*") -> list[Path]:
    """The folders of stages that live or are not sent yet, the oldest first."""
    return sorted(FOLDER.glob(f"{server}/*.spool"), key=lambda path: path.name)


def wait(limit: float) -> list[Path]:
    """Wait until all is sent, a trouble is `untold` or `limit` seconds are over; what is left."""
    for server in {path.parent for path in waiting()}:
        send(server)
    end = time.monotonic() + limit
    while (left := waiting()) and time.monotonic() < end:
        if any((path / TROUBLE).exists() for path in left):
            break
        time.sleep(0.05)
    return left


def tell(stage: Path, what: str) -> None:
    """Leave word of what is wrong with sending a stage's spool."""
    text = f"tracking of {stage.stem} (no result is touched): {what}"
    (stage / TROUBLE).write_text(text)


def untold() -> list[str]:
    """What kept senders from sending; each trouble is given to one caller alone."""
    texts = []
    for path in sorted(FOLDER.glob(f"*/*/{TROUBLE}")):
        with contextlib.suppress(FileNotFoundError):  # told, or sent, in this moment
            texts.append(path.rename(path.with_name("told.txt")).read_text())
    return texts
