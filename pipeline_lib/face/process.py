"""Run a program with OpenFace's command line over several videos, whatever it does to itself.

One process reads several videos, since loading the models costs seconds. Which of them is
finished shows in the CSVs: a program that has begun the next CSV is done with the one before.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline_lib.core import paths
from pipeline_lib.face.container import ExtractorError
from pipeline_lib.face.program import Program, advice

START_UP = 60.0  # s allowed for the program to load its models
POLL = 0.1  # s between looks at what it has written

# Exit codes. OpenFace ends with 0 at the first input that it cannot open, without trying the
# next; the embedded extractor goes through all of them and ends with 3. Neither could start at
# all: 1 models are missing, 2 wrong usage, 125 to 127 docker and shells.
ENDED, ENDED_SOME_FAILED = 0, 3
NOT_STARTED = (1, 2, 125, 126, 127)


@dataclass(frozen=True)
class Job:
    name: str  # of its CSV
    video: Path
    seconds: float  # of computing that it may take


@dataclass(frozen=True)
class Outcome:
    job: Job
    csv: Path | None  # there until the next outcome is asked for; None: the job failed
    problem: str = ""  # why it failed


def run(
    jobs: Sequence[Job], *, program: Program, is_complete: Callable[[Path, Path], bool]
) -> Iterator[Outcome]:
    """Yield what becomes of each job, in order, each as soon as it is known.

    is_complete : whether a video's CSV is all that it will be; asked only when the program died

    A job at which the program dies or hangs fails, and the program starts again with the next.
    Raises ExtractorError if it does not even start.
    """
    remaining = list(jobs)
    while remaining:
        for outcome in _run_once(tuple(remaining), program, is_complete):
            remaining.pop(0)
            yield outcome


def _run_once(
    jobs: Sequence[Job], program: Program, is_complete: Callable[[Path, Path], bool]
) -> Iterator[Outcome]:
    """Yield the outcomes up to the first job that the program did not survive: at least one."""
    paths.CACHE.mkdir(exist_ok=True)
    # Below the project, so that a program in a container sees the folder too.
    with TemporaryDirectory(prefix="openface-", dir=paths.CACHE) as folder:
        out, log = Path(folder).resolve(), Path(folder, "log")
        process = _start(jobs, program, out, log)
        try:
            n_done, problem = yield from _follow(process, jobs, program, out)
        finally:
            _kill(process)
            program.remove(out.name)
        code = process.returncode
        if not any(_csv(out, job).exists() for job in jobs) and code in NOT_STARTED:
            raise ExtractorError(_why_not_started(program, problem, log))
        for job in jobs[n_done:]:
            csv = _csv(out, job)
            if csv.exists() and (code in (ENDED, ENDED_SOME_FAILED) or is_complete(job.video, csv)):
                yield Outcome(job, csv)
                continue
            yield Outcome(job, None, f"{job.video}: {problem}: {_said(log, job, program)}")
            if code != ENDED_SOME_FAILED:
                return


def _start(jobs: Sequence[Job], program: Program, out: Path, log: Path) -> subprocess.Popen[bytes]:
    files = [x for job in jobs for x in ("-f", program.path(job.video), "-of", _of(job))]
    root = str(Path(__file__).parents[2])  # so that `python -m pipeline_lib...` is found anywhere
    known = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    # Where util-linux is, the program also dies with this process, even if that is killed by -9.
    # A container's client has to live on for as long as it takes to hand the signal on.
    last = "TERM" if program.container else "KILL"
    leash = ["setpriv", "--pdeathsig", last] if shutil.which("setpriv") else []
    with log.open("wb") as file:
        return subprocess.Popen(
            [*leash, *program.start(out.name), *files, "-out_dir", program.path(out, writes=True)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,  # OpenFace writes its errors to standard output
            env={**os.environ, "PYTHONPATH": os.pathsep.join(known)},
            start_new_session=True,  # so that its children can be killed with it
        )


def _follow(
    process: subprocess.Popen[bytes], jobs: Sequence[Job], program: Program, out: Path
) -> Generator[Outcome, None, tuple[int, str]]:
    """Yield the jobs that the program has left behind; return how many, and how it ended."""
    n_done, newest = 0, -1  # newest: the last job whose CSV is there, which may be unfinished
    deadline = time.monotonic() + START_UP + jobs[0].seconds
    while True:
        ended = process.poll() is not None  # asked first: after it no CSV appears any more
        latest = max((i for i, job in enumerate(jobs) if _csv(out, job).exists()), default=-1)
        if latest > newest:
            newest = latest
            # It is at work on the newest or, if that is complete, on the next.
            allowed = sum(job.seconds for job in jobs[newest : newest + 2])
            deadline = time.monotonic() + START_UP + allowed
        for job in jobs[n_done : max(newest, 0)]:
            n_done += 1
            if _csv(out, job).exists():
                yield Outcome(job, _csv(out, job))
            else:
                yield Outcome(job, None, f"{job.video}: no CSV: {_said(out / 'log', job, program)}")
        if ended:
            return n_done, _how(process.returncode)
        if time.monotonic() > deadline:
            _kill(process)
            return n_done, "killed, since it took longer than openface.timeout allows"
        time.sleep(POLL)


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code)})"
    no_csv = code in (ENDED, ENDED_SOME_FAILED)
    return f"ended with exit code {code} and no CSV" if no_csv else f"exit code {code}"


def _why_not_started(program: Program, problem: str, log: Path) -> str:
    help_ = advice(log.read_text(errors="replace"))
    lines = [f"{shlex.join(program.words)}: {problem}:", _said(log), *filter(None, [help_])]
    return "\n".join(lines)


def _of(job: Job) -> str:
    """What to call a job's CSV: without suffix, which some programs add to whatever they get.

    A name with a dot has it, since OpenFace takes what follows the last dot for one.
    """
    return f"{job.name}.csv" if "." in job.name else job.name


def _csv(out: Path, job: Job) -> Path:
    """Where a job's CSV is, or will be."""
    usual, doubled = out / f"{job.name}.csv", out / f"{_of(job)}.csv"
    return doubled if doubled.exists() and not usual.exists() else usual


def _said(log: Path, job: Job | None = None, program: Program | None = None) -> str:
    """What the program wrote about a job, else its last lines."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    named = program.path(job.video) if job and program else None
    about = [line for line in lines if named and named in line]
    return " | ".join((about or [line for line in lines if line])[-3:]) or "it wrote nothing"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and its children, and wait for it; nothing if it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
