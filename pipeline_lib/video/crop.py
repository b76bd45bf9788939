"""Cut the face out of a video: clips of JPEG frames, with a box that moves smoothly."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image
from scipy.ndimage import median_filter, uniform_filter1d

from pipeline_lib import paths, tables
from pipeline_lib.incremental import Result
from pipeline_lib.params import Crop
from pipeline_lib.recordings import RecordingError
from pipeline_lib.schema import CROPS, LANDMARKS, LEDGER, OPENFACE
from pipeline_lib.video.clips import clip_times, nearest
from pipeline_lib.video.decode import read_frames

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_X = [name for name in LANDMARKS if name.startswith("x_")]
_Y = [name for name in LANDMARKS if name.startswith("y_")]


def crop_recording(
    recording: dict[str, Any],
    *,
    root: Path,
    openface: Path,
    window_start: float,
    crop: Crop,
    size: int,
) -> Result:
    """Rows of schema.CROPS: the recording's whole clips, once with each margin.

    recording    : row of the index, with a video
    openface     : folder with the rows of schema.OPENFACE and the ledger of that stage
    window_start : s on the trial's axis, where the first clip starts
    size         : px, edge of a crop

    Frames are taken among those that OpenFace read, so that each has its own landmarks.
    partial if OpenFace's result is; excluded if that failed, or if the video is shorter than a
    clip.
    """
    status, reason = _openface_status(recording, openface)
    rows = tables.read_recording(
        openface, OPENFACE, subject=recording["subject"], recording_id=recording["recording_id"]
    )
    if rows.is_empty():
        return Result(None, "excluded", f"no face to crop: {reason or 'OpenFace gave no rows'}")
    times = rows["time"].to_numpy() + recording["video_start"]
    targets = clip_times(
        times,
        window_start=window_start,
        seconds=crop.clip_seconds,
        n_frames=crop.clip_frames,
    )
    if not targets.size:
        short = (
            f"{recording['video']}: from {window_start:g} s to its end at {times[-1]:.2f} s there "
            f"is no whole clip of crop.clip_seconds = {crop.clip_seconds:g} s"
        )
        return Result(None, "excluded", short)
    boxes = smooth(face_boxes(rows), window=_n_frames(times, seconds=crop.smoothing))
    chosen = nearest(times, targets)
    jpegs = dict(_jpegs(root / recording["video"], rows["frame"], boxes, chosen, crop, size))
    table = _table(recording["recording_id"], rows, times, chosen, jpegs)
    seen = rows["success"].to_numpy()[chosen]
    return Result(table, status, reason, frames=int(seen.size), faces=int(seen.sum()))


def face_boxes(rows: pl.DataFrame) -> Floats:
    """Centre x, centre y and edge of the square around the landmarks, px: (n_frames, 3).

    Frames without a face take what lies between their neighbours. Raises RecordingError if no
    frame has a face.
    """
    seen = np.flatnonzero(rows["success"].to_numpy())
    if not seen.size:
        raise RecordingError("no frame has a face")
    x = rows.select(_X).to_numpy()[seen].astype(np.float64)
    y = rows.select(_Y).to_numpy()[seen].astype(np.float64)
    left, right, top, bottom = x.min(1), x.max(1), y.min(1), y.max(1)
    edges = np.maximum(right - left, bottom - top)
    boxes = np.stack([(left + right) / 2, (top + bottom) / 2, edges])
    return np.stack([np.interp(np.arange(rows.height), seen, values) for values in boxes], axis=1)


def smooth(boxes: Floats, *, window: int) -> Floats:
    """Moving median, against outliers, then moving mean, against jitter, over the first axis.

    window : frames, odd
    """
    steady = median_filter(boxes, size=(window, 1), mode="nearest")
    return np.asarray(uniform_filter1d(steady, size=window, axis=0, mode="nearest"))


def cut(picture: Image.Image, box: Floats, *, margin: float, size: int) -> Image.Image:
    """Scale the square around a box (centre x, centre y, edge; px) to size x size px.

    margin : added on each side, as a share of the edge

    What lies outside the picture is black.
    """
    x, y, edge = box
    half = edge * (0.5 + margin)
    left, top = int(np.floor(x - half)), int(np.floor(y - half))
    around = picture.crop((left, top, int(np.ceil(x + half)), int(np.ceil(y + half))))
    # The box keeps its fractions of a pixel: rounding it would make the face tremble.
    exact = (x - half - left, y - half - top, x + half - left, y + half - top)
    return around.resize((size, size), Image.Resampling.BILINEAR, box=exact, reducing_gap=2.0)


def _openface_status(recording: dict[str, Any], openface: Path) -> tuple[str, str]:
    """Status and reason that the ledger of the extraction gives this recording."""
    ledger = tables.read_table(paths.ledger(openface), LEDGER)
    entry = ledger.row(by_predicate=pl.col("recording_id") == recording["recording_id"], named=True)
    return entry["status"], entry["reason"]


def _n_frames(times: Floats, *, seconds: float) -> int:
    """The odd number of frames that lasts nearest to this time."""
    return 2 * round(seconds / float(np.median(np.diff(times))) / 2) + 1


def _margins(crop: Crop) -> dict[str, float]:
    return {"large": crop.large, "small": crop.small}


def _jpegs(
    video: Path,
    frames: pl.Series,
    boxes: Floats,
    chosen: Ints,
    crop: Crop,
    size: int,
) -> Iterator[tuple[tuple[str, int], bytes]]:
    """Yield ((crop, row), JPEG) of the chosen rows, in one pass through the video."""
    rows = {int(frames[int(row)]) - 1: int(row) for row in np.unique(chosen)}
    for frame in read_frames(video, indices=rows):
        picture = Image.fromarray(frame.rgb)
        row = rows[frame.index]
        for name, margin in _margins(crop).items():
            face = cut(picture, boxes[row], margin=margin, size=size)
            yield (name, row), _jpeg(face, quality=crop.jpeg_quality)


def _jpeg(picture: Image.Image, *, quality: int) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _table(
    recording_id: str,
    rows: pl.DataFrame,
    times: Floats,
    chosen: Ints,
    jpegs: dict[tuple[str, int], bytes],
) -> pl.DataFrame:
    """schema.CROPS from the rows chosen for each clip and position: (n_clips, n_frames)."""
    seen, frames = rows["success"].to_list(), rows["frame"].to_list()
    entries = [
        (recording_id, name, clip, position, frames[row], times[row], seen[row], jpegs[name, row])
        for name in ("large", "small")
        for clip, clip_rows in enumerate(chosen.tolist())
        for position, row in enumerate(clip_rows)
    ]
    return pl.DataFrame(entries, schema=dict(CROPS), orient="row")
