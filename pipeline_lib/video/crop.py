"""Cut the face out of a video: clips of JPEG frames, with a box that moves smoothly."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import CROPS, LEDGER, OPENFACE
from pipeline_lib.incremental import Result
from pipeline_lib.params import Crop
from pipeline_lib.video.box import face_boxes, gaps, steady
from pipeline_lib.video.clips import clip_times, nearest
from pipeline_lib.video.decode import read_frames

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GRID = 32  # points along an edge at which a crop is held against the picture


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
    boxes = steady(face_boxes(rows, align=crop.align), times, smoothing=crop.smoothing)
    chosen = nearest(times, targets)
    cuttings = _cut_out(root / recording["video"], rows, boxes, chosen, crop, size)
    table = _table(recording["recording_id"], rows, times, chosen, cuttings)
    seen = rows["success"].to_numpy()[chosen]
    return Result(table, status, reason, frames=int(seen.size), faces=int(seen.sum()))


def cut(picture: Image.Image, box: Floats, *, margin: float, size: int) -> Image.Image:
    """Scale the square around a box to size x size px.

    box    : centre x, centre y, edge in px; roll in rad, clockwise
    margin : added on each side, as a share of the edge

    What lies outside the picture is black.
    """
    x, y, edge, roll = box
    half = edge * (0.5 + margin)
    if roll == 0:
        return _scaled(picture, x, y, half, size=size)
    # Scaled first, which filters, then turned at the scale of the crop.
    reach = half * (abs(np.cos(roll)) + abs(np.sin(roll)))  # of the upright square around it
    n = int(np.ceil(size * reach / half))
    ratio = n * half / (reach * size)
    cosine, sine = ratio * np.cos(roll), ratio * np.sin(roll)
    left = n / 2 - (cosine - sine) * size / 2
    top = n / 2 - (sine + cosine) * size / 2
    return _scaled(picture, x, y, reach, size=n).transform(
        (size, size),
        Image.Transform.AFFINE,
        (cosine, -sine, left, sine, cosine, top),
        Image.Resampling.BILINEAR,
    )


def share_outside(box: Floats, *, margin: float, width: int, height: int) -> float:
    """Share of a crop's area that lies beyond the picture; of a turned crop to 1/1024."""
    x, y, edge, roll = box
    half = edge * (0.5 + margin)
    if roll == 0:
        across = min(x + half, width) - max(x - half, 0.0)
        down = min(y + half, height) - max(y - half, 0.0)
        return max(0.0, float(1 - max(across, 0.0) * max(down, 0.0) / (2 * half) ** 2))
    steps = ((np.arange(_GRID) + 0.5) / _GRID * 2 - 1) * half
    columns = x + steps * np.cos(roll) - steps[:, None] * np.sin(roll)
    lines = y + steps * np.sin(roll) + steps[:, None] * np.cos(roll)
    inside = (columns >= 0) & (columns <= width) & (lines >= 0) & (lines <= height)
    return 1.0 - float(inside.mean())


def _scaled(picture: Image.Image, x: float, y: float, half: float, *, size: int) -> Image.Image:
    """The upright square of twice `half` px around a point, scaled to size x size px."""
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


def _cut_out(
    video: Path, rows: pl.DataFrame, boxes: Floats, chosen: Ints, crop: Crop, size: int
) -> Iterator[dict[str, Any]]:
    """Yield what each chosen row shows with each margin, in one pass through the video."""
    numbers = rows["frame"].to_list()
    frames = {numbers[row] - 1: row for row in np.unique(chosen).tolist()}
    for frame in read_frames(video, indices=frames):
        picture = Image.fromarray(frame.rgb)
        row = frames[frame.index]
        x, y, edge, roll = boxes[row]
        for name, margin in (("large", crop.large), ("small", crop.small)):
            face = cut(picture, boxes[row], margin=margin, size=size)
            yield {
                "crop": name,
                "row": row,
                "x": x,
                "y": y,
                "edge": edge * (1 + 2 * margin),
                "roll": roll,
                "outside": share_outside(
                    boxes[row], margin=margin, width=picture.width, height=picture.height
                ),
                "jpeg": _jpeg(face, quality=crop.jpeg_quality),
            }


def _jpeg(picture: Image.Image, *, quality: int) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _table(
    recording_id: str,
    rows: pl.DataFrame,
    times: Floats,
    chosen: Ints,
    cuttings: Iterable[dict[str, Any]],
) -> pl.DataFrame:
    """schema.CROPS from the rows chosen for each clip and position: (n_clips, n_frames)."""
    found = {(cutting["crop"], cutting["row"]): cutting for cutting in cuttings}
    seen = rows["success"].to_numpy()
    frames, distances = rows["frame"].to_list(), gaps(seen, times)
    entries = [
        {
            **found[name, row],
            "clip": clip,
            "position": position,
            "frame": frames[row],
            "time": times[row],
            "face": seen[row],
            "gap": distances[row],
        }
        for name in ("large", "small")
        for clip, clip_rows in enumerate(chosen.tolist())
        for position, row in enumerate(clip_rows)
    ]
    table = pl.DataFrame(entries).with_columns(recording_id=pl.lit(recording_id))
    return table.select(pl.col(name).cast(dtype) for name, dtype in CROPS.items())
