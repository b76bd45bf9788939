"""Run OpenFace, or what has its command line, on videos and give its rows the decoded times."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline_lib.face import feature_extraction
from pipeline_lib.face.openface_csv import CSVError, read_csv
from pipeline_lib.face.process import Job, program, run
from pipeline_lib.incremental import Result
from pipeline_lib.params import OpenFace
from pipeline_lib.recordings import RecordingError
from pipeline_lib.schema import OPENFACE, validate
from pipeline_lib.video.decode import (
    Floats,
    Ints,
    VideoError,
    at_rate,
    packet_times,
    probe,
    reconciled_times,
)


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
    faces fails with a reason and costs no other. Raises process.ExtractorError if the program
    cannot work at all.
    """
    fps = [] if openface.fps is None else ["-fps", str(openface.fps)]
    words = [*program(openface.command, openface.options), *fps]
    jobs = []
    for recording in recordings:
        video = root / recording["video"]
        try:
            seconds = 60 * openface.timeout * _minutes(video)
        except VideoError as error:
            yield recording["recording_id"], Result(None, "failed", str(error))
        else:
            jobs.append(Job(recording["recording_id"], video, seconds))
    for outcome in run(jobs, words=words, is_complete=partial(_is_complete, openface=openface)):
        job, csv = outcome.job, outcome.csv
        if csv is None:
            yield job.name, Result(None, "failed", outcome.problem)
            continue
        try:
            yield job.name, read_result(job.name, csv=csv, video=job.video, openface=openface)
        except RecordingError as error:
            yield job.name, Result(None, "failed", str(error))


def read_result(recording_id: str, *, csv: Path, video: Path, openface: OpenFace) -> Result:
    """Rows of schema.OPENFACE from a CSV, at the times at which the video's frames decode.

    partial : the video breaks off before the end that it announces, or rows are missing
    failed  : the share of frames with a face is below openface.min_success

    Raises RecordingError if the CSV is not of this video.
    """
    rows = read_csv(csv)
    announced = probe(video).n_frames
    times = reconciled_times(
        video, partial(_agrees, rows=rows, fps=openface.fps, announced=announced)
    )
    n_rows, n_expected = rows.height, len(_frames_read(times, openface.fps))
    truncated = announced is not None and len(times) < announced
    if n_rows > n_expected and not truncated:
        raise RecordingError(
            f"{video}: {n_rows} rows for {n_expected} frames at openface.fps = {openface.fps}; "
            "real OpenFace reads all frames and needs openface.fps: null"
        )
    n_faces = int(rows["success"].sum())
    result = partial(Result, frames=n_rows, faces=n_faces)
    if n_faces < openface.min_success * n_rows or not n_rows:
        return result(
            None,
            "failed",
            f"{video}: a face in {n_faces} of {n_rows} frames, below openface.min_success = "
            f"{openface.min_success:.0%}; look at the video or exclude the trial",
        )
    table = _with_times(rows, times, recording_id, backend=_backend(openface.command))
    if truncated:
        reason = f"{video}: {len(times)} of {announced} announced frames decode"
        return result(table, "partial", reason)
    if n_rows < n_expected:
        return result(table, "partial", f"{video}: {n_rows} rows for {n_expected} frames")
    return result(table)


def _is_complete(job: Job, csv: Path, *, openface: OpenFace) -> bool:
    """Whether a CSV has a row for each frame that should be read."""
    try:
        rows = read_csv(csv)
    except CSVError:
        return False
    agrees = partial(_agrees, rows=rows, fps=openface.fps, announced=None)
    return rows.height == len(_frames_read(reconciled_times(job.video, agrees), openface.fps))


def _agrees(times: Floats, *, rows: pl.DataFrame, fps: float | None, announced: int | None) -> bool:
    """Whether times, in s, are those at which the rows were measured, as far as rows tell."""
    chosen = _frames_read(times, fps)
    if announced is not None and len(times) < announced:
        return False
    if not np.array_equal(rows["frame"].to_numpy(), chosen + 1):
        return False
    half_a_frame = 0.5 * float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    distance = np.abs(times[chosen] - rows["timestamp"].to_numpy())
    return bool(distance.max(initial=0.0) < half_a_frame)


def _frames_read(times: Floats, fps: float | None) -> Ints:
    """Indices of the frames that the program should have read."""
    return np.arange(len(times)) if fps is None else at_rate(times, fps=fps)


def _with_times(
    rows: pl.DataFrame, times: Floats, recording_id: str, *, backend: str
) -> pl.DataFrame:
    """schema.OPENFACE from the rows of a CSV, whose own timestamps assume a constant rate."""
    frames = rows["frame"].to_numpy()
    if frames.min() < 1 or frames.max() > len(times):
        raise RecordingError(
            f"{recording_id}: rows are numbered {frames.min()} to {frames.max()}, "
            f"but {len(times)} frames decode"
        )
    table = rows.drop("timestamp").with_columns(
        pl.lit(recording_id).alias("recording_id"),
        pl.Series("time", times[frames - 1]),
        pl.lit(backend).alias("backend"),
    )
    return validate(table, OPENFACE, recording_id)


def _backend(command: str) -> str:
    """Who makes the numbers. The import also makes them depend on the embedded code."""
    return "embedded" if feature_extraction.COMMAND in command else "OpenFace"


def _minutes(video: Path) -> float:
    seconds = probe(video).duration or float(packet_times(video)[-1])
    return seconds / 60
