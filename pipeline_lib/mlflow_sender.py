"""The one process beside all stages that brings what they say to MLflow.

`python -m pipeline_lib.mlflow_sender FOLDER` follows the spools of one server
(pipeline_lib.core.spool) and goes when nothing has come for a while. It goes at once if another is
at work, before it imports MLflow, which takes seconds. Killed at any moment, it loses nothing: the
next one goes on.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from pipeline_lib.core import spool

LINGER = 20.0  # s: most gaps between the stages of one execution are shorter
POLL = 0.2  # s


def main(folder: Path) -> None:
    try:
        serve_alone(folder, follow)
    except Exception as error:
        for stage in spool.waiting(folder.name)[:1]:
            spool.tell(stage, f"{error}; {spool.AGAIN}")
        raise


def serve_alone(folder: Path, serve: Callable[[Path, Callable[[], bool]], bool]) -> None:
    """Serve while this is the only sender of the folder.

    serve : (folder, whether it is still ours) -> whether it could send all that it found
    """
    more = True
    while more:
        with spool.lock(folder) as lock:
            if not spool.take(lock):
                return
            held = os.fstat(lock.fileno())
            more = serve(folder, partial(_is_current, folder, held))
        # A stage that came while we went has found the lock taken, and relies on us.
        more = more and bool(spool.waiting(folder.name))


def follow(folder: Path, ours: Callable[[], bool]) -> bool:
    """Send what stages say until none has lived for LINGER s; False if something is in the way."""
    detach()
    (folder / spool.LOCK).write_text(str(os.getpid()))
    from pipeline_lib.mlflow_runs import Server  # imports MLflow
    from pipeline_lib.mlflow_stages import Stages

    stages: Stages | None = None
    last = time.monotonic()
    while time.monotonic() - last < LINGER:
        if not ours():
            return False
        found = spool.waiting(folder.name)
        if found:
            last = time.monotonic()
            stages = stages or Stages(Server((found[0] / "uri").read_text()))
        sent = stages.send(found) if stages else 0
        if sent is None:
            return False
        if sent == 0:
            time.sleep(POLL)
    return True


@cache
def detach() -> None:
    """Go on alone, with the lock, so that the stage that has started us can go on too."""
    if os.fork():
        os._exit(0)
    os.nice(5)


def _is_current(folder: Path, lock: os.stat_result) -> bool:
    """Whether others still look at the lock that we hold: somebody may have cleaned up."""
    try:
        return os.path.samestat((folder / spool.LOCK).stat(), lock)
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
