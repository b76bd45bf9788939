"""What a CSV of OpenFace says of a video: its rows, at the times at which the frames decode."""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from pipeline_lib.core.schema import OPENFACE, validate
from pipeline_lib.face.openface_csv import is_postprocessed, read_csv
from pipeline_lib.incremental import Result
from pipeline_lib.params import OpenFace
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.decode import Floats, Ints, at_rate, probe, reconciled_times


def read_result(
    recording_id: str, *, csv: Path, video: Path, openface: OpenFace, backend: str
) -> Result:
    """Rows of schema.OPENFACE from a CSV, at the times at which the video's frames decode.

    partial : the video breaks off before the end that it announces, or rows are missing, be it
              that as many are there of other frames
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
            "the program read other frames than it was told"
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
    table = _with_times(rows, times, recording_id, backend=backend)
    if truncated:
        reason = f"{video}: {len(times)} of {announced} announced frames decode"
        return result(table, "partial", reason)
    if n_rows < n_expected:
        return result(table, "partial", f"{video}: {n_rows} rows for {n_expected} frames")
    if n_far := _n_far(times, table["time"].to_numpy(), openface.fps):
        reason = f"{video}: no row near {n_far} of {n_expected} frames at openface.fps"
        return result(table, "partial", f"{reason} = {openface.fps}")
    return result(table)


def is_complete(video: Path, csv: Path, *, fps: float | None) -> bool:
    """Whether a CSV that its program left behind is all that it would have become."""
    try:
        rows = read_csv(csv)
        agrees = partial(_agrees, rows=rows, fps=fps, announced=None)
        n_expected = len(_frames_read(reconciled_times(video, agrees), fps))
    except RecordingError:  # a damaged CSV, or a video that does not decode
        return False
    return rows.height == n_expected and is_postprocessed(csv)


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


def _n_far(times: Floats, found: Floats, fps: float | None) -> int:
    """How many of the frames to read have no row within a step of the rate.

    times, found : s, of the frames and of the rows. Which frames are the nearest to the rate can
                   differ by one if not all decode, so not the very same ones are asked for.
    """
    if fps is None:
        return 0  # numbers of rows tell
    wanted = times[_frames_read(times, fps)]
    after = np.searchsorted(found, wanted)
    near = found[np.stack([(after - 1).clip(0), after.clip(max=len(found) - 1)])]
    return int((np.abs(near - wanted).min(axis=0) > 1 / fps).sum())


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
