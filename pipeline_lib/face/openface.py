"""Run OpenFace, or what has its command line, on the videos of a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline_lib import incremental
from pipeline_lib.core import paths
from pipeline_lib.face import feature_extraction, pyfaceau
from pipeline_lib.face.process import Job, run
from pipeline_lib.face.program import Program, program
from pipeline_lib.face.result import is_complete, read_result
from pipeline_lib.incremental import Result
from pipeline_lib.params import Execution, OpenFace
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.decode import VideoError, packet_times, probe

# Who makes the numbers. The imports also make them depend on the code of both.
BACKENDS = {feature_extraction.COMMAND: "embedded", pyfaceau.COMMAND: "pyfaceau"}


def batches(
    recordings: Sequence[dict[str, Any]], *, root: Path, openface: OpenFace, execution: Execution
) -> list[Sequence[dict[str, Any]]]:
    """Batches of the recordings to extract, once it is known that the program can see them all.

    Raises container.ExtractorError, before anything is computed, if it cannot.
    """
    if recordings:
        command = program(openface.command, openface.options)
        command.path(paths.CACHE, writes=True)
        for recording in recordings:
            command.path(root / recording["video"])
    return incremental.in_batches(recordings, size=openface.batch, execution=execution)


def extract_batch(
    recordings: Sequence[dict[str, Any]], *, root: Path, openface: OpenFace
) -> Iterator[tuple[str, Result]]:
    """As `_extract`, with reasons that say nothing of where the data set lies."""
    for name, result in _extract(recordings, root=root, openface=openface):
        yield name, replace(result, reason=result.reason.replace(f"{root}/", ""))


def _extract(
    recordings: Sequence[dict[str, Any]], *, root: Path, openface: OpenFace
) -> Iterator[tuple[str, Result]]:
    """Yield (recording_id, rows of schema.OPENFACE) for each, as soon as its CSV is finished.

    recordings : rows of the index, each with a video below root

    A recording whose video cannot be read, at which the program dies, or that shows too few
    faces fails with a reason and costs no other. Raises container.ExtractorError if the program
    cannot work at all.
    """
    command = _program(openface)
    jobs = []
    for recording in recordings:
        video = root / recording["video"]
        try:
            seconds = 60 * openface.timeout * _minutes(video)
        except VideoError as error:
            yield recording["recording_id"], Result(None, "failed", str(error))
        else:
            jobs.append(Job(recording["recording_id"], video, seconds))
    read = partial(read_result, openface=openface, backend=_backend(openface.command))
    complete = partial(is_complete, fps=openface.fps)
    for outcome in run(jobs, program=command, is_complete=complete):
        job, csv = outcome.job, outcome.csv
        if csv is None:
            yield job.name, Result(None, "failed", outcome.problem)
            continue
        try:
            yield job.name, read(job.name, csv=csv, video=job.video)
        except RecordingError as error:
            yield job.name, Result(None, "failed", str(error))


def _program(openface: OpenFace) -> Program:
    rate = "" if openface.fps is None else f" -fps {openface.fps}"
    return program(openface.command, openface.options + rate)


def _backend(command: str) -> str:
    return next((name for module, name in BACKENDS.items() if module in command), "OpenFace")


def _minutes(video: Path) -> float:
    seconds = probe(video).duration or float(packet_times(video)[-1])
    return seconds / 60
