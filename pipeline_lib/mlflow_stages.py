"""What stages have said, read from their spools and sent in turns."""

import json
import os
import shutil
import traceback
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from pipeline_lib.core import spool
from pipeline_lib.mlflow_runs import Runs, Server

TURN = 200  # messages of one stage before the next has its turn

Message = dict[str, Any]


class Stage:
    """The reading end of a stage's spool, and how far it is sent."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self._file = (folder / spool.MESSAGES).open("r+b")  # NFS locks what is open for writing
        self._state = folder / "sent.json"
        known = json.loads(self._state.read_text()) if self._state.exists() else {"offset": 0}
        self._file.seek(known.pop("offset"))
        self._runs = Runs(folder, server, **known)

    def send(self) -> int:
        """Send what the stage has said since, or a turn of it; how many messages."""
        ended = spool.take(self._file)  # first: after that, a dead stage has said everything
        sent = 0
        for message, end in merged(islice(self._messages(), TURN)):
            self._runs.send(**message)
            self._save(end)
            sent += 1
        if ended and not sent:
            self._runs.close(round(os.fstat(self._file.fileno()).st_mtime * 1000))
            self.close()
            shutil.rmtree(self.folder)
        return sent

    def close(self) -> None:
        self._file.close()

    def _messages(self) -> Iterator[tuple[Message, int]]:
        """Messages, each with the offset behind it; half a line waits for its end."""
        while True:
            start = self._file.tell()
            line = self._file.readline()
            if not line.endswith(b"\n"):
                self._file.seek(start)
                return
            yield json.loads(line), self._file.tell()

    def _save(self, offset: int) -> None:
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps({"offset": offset, **self._runs.state()}))
        new.replace(self._state)


class Stages:
    """All stages of one server, live or left behind."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stages: dict[Path, Stage] = {}
        self._refused: set[Path] = set()

    def send(self, folders: Sequence[Path]) -> int | None:
        """Send a turn of each stage; how many messages, or None if the server is in the way."""
        if self._server.is_gone():
            return None
        self._stages = {path: self._stages[path] for path in folders if path in self._stages}
        sent = 0
        for folder in folders:
            try:
                sent += self._turn(folder)
            except Exception as error:  # what one stage says must not cost what others say
                traceback.print_exc()
                if self._server.is_cause(error):
                    spool.tell(folder, f"{error}; {spool.AGAIN}")
                    return None
                self._refuse(folder, str(error))
        return sent

    def _turn(self, folder: Path) -> int:
        if folder in self._refused:
            if spool.is_free(folder / spool.MESSAGES):  # a live stage still writes there
                folder.rename(_kept(folder))
            return 0
        if folder not in self._stages:
            self._stages[folder] = Stage(folder, self._server)
        return self._stages[folder].send()

    def _refuse(self, folder: Path, why: str) -> None:
        """Send no more of a stage that says what MLflow does not take, and keep it."""
        if stage := self._stages.pop(folder, None):
            stage.close()
        self._refused.add(folder)
        spool.tell(folder, f"{why}; what it says is kept in {_kept(folder)}")


def merged(messages: Iterator[tuple[Message, int]]) -> Iterator[tuple[Message, int]]:
    """Join neighbouring metrics of one run: a request takes as long for one as for hundreds."""
    for (op, _), group in groupby(messages, key=lambda pair: (pair[0]["op"], pair[0]["run"])):
        if op == "metrics":
            *_, (message, end) = found = list(group)
            yield {**message, "values": [value for m, _ in found for value in m["values"]]}, end
        else:
            yield from group


def _kept(folder: Path) -> Path:
    return folder.with_suffix(".refused")
