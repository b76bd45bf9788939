"""OpenFace's CSV: written as version 2.2 does, read as versions 1 and 2 write it."""

import math
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from pipeline_lib.core.schema import (
    AU_INTENSITIES,
    AU_PRESENCES,
    GAZE_ANGLES,
    GAZE_VECTORS,
    LANDMARKS,
    POSE,
)
from pipeline_lib.core.tables import atomic_write
from pipeline_lib.face.eyes import N_LANDMARKS
from pipeline_lib.recordings import RecordingError

KEYS = ("frame", "face_id", "timestamp", "confidence", "success")

# What each option of the command adds, in the order of the file.
GROUPS = {
    "-gaze": (*GAZE_VECTORS, *GAZE_ANGLES),
    "-pose": POSE,
    "-2Dfp": LANDMARKS,
    "-aus": (*AU_INTENSITIES, *AU_PRESENCES),
}
MEASUREMENTS = tuple(column for columns in GROUPS.values() for column in columns)

# What -gaze writes besides, and nothing here reads: px in the picture, then mm from the camera.
EYE_LANDMARKS = tuple(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(N_LANDMARKS))
WRITTEN = GROUPS | {"-gaze": (*GROUPS["-gaze"], *EYE_LANDMARKS)}

# What a value can be; landmarks and position are bounded by nothing but sense, px and mm.
_LIMITS = {
    "confidence": (0.0, 1.0),
    **dict.fromkeys(GAZE_VECTORS, (-1.0, 1.0)),
    **dict.fromkeys((*GAZE_ANGLES, *POSE[3:]), (-2 * math.pi, 2 * math.pi)),
    **dict.fromkeys((*POSE[:3], *LANDMARKS), (-1e6, 1e6)),
    **dict.fromkeys(AU_INTENSITIES, (0.0, 5.0)),
    **dict.fromkeys(AU_PRESENCES, (0.0, 1.0)),
}

_MOST_FRAMES = 1e9  # of any video, a year at 30 Hz

# Decimals as OpenFace prints them.
_DECIMALS = {
    **dict.fromkeys(("frame", "face_id", "success"), 0),
    **dict.fromkeys(("timestamp", *GAZE_ANGLES, *POSE[3:]), 3),
    **dict.fromkeys(("confidence", *AU_INTENSITIES, *AU_PRESENCES), 2),
    **dict.fromkeys(GAZE_VECTORS, 6),
    **dict.fromkeys((*POSE[:3], *LANDMARKS, *EYE_LANDMARKS), 1),
}


class CSVError(RecordingError):
    """A file is not OpenFace's, or lacks columns; the message names it and what is wrong."""


def write_csv(rows: Iterable[Mapping[str, float]], path: Path, *, options: Iterable[str]) -> None:
    """Write one row a frame, as the rows come; the file appears once it is complete.

    options : keys of GROUPS; columns that a row lacks are 0, as OpenFace's are without a face
    """
    chosen = frozenset(options)
    columns = [*KEYS, *(name for group in WRITTEN if group in chosen for name in WRITTEN[group])]
    line = ",".join(f"{{:.{_DECIMALS[name]}f}}" for name in columns) + "\n"

    def write(temporary: Path) -> None:
        with temporary.open("w") as file:
            file.write(",".join(columns) + "\n")
            for row in rows:
                file.write(line.format(*(row.get(name, 0.0) for name in columns)))

    atomic_write(path, write)


def read_csv(path: Path, *, groups: Iterable[str] = tuple(GROUPS)) -> pl.DataFrame:
    """Read OpenFace's output: one row a frame, its measurements null where no face was found.

    groups : keys of GROUPS, what has to be in the file

    Returns frame (from 1), timestamp (s), confidence, success and the groups' columns. Of several
    faces in a frame the most confident stays. OpenFace leaves the last pose in frames where it
    lost the face: that is masked with all the rest, and so is a frame with a value that is no
    number or that cannot be; a confidence like that becomes 0. Angles of gaze, which version 1 does
    not write, are those of its vectors. Raises CSVError if a group of columns is missing, or if
    the file is damaged, be it in one row: what broke off there is not known.
    """
    table = _with_angles(_read_text(path))
    wanted = {group: GROUPS[group] for group in groups}
    _check_columns(table, path, wanted)
    measured = [name for columns in wanted.values() for name in columns]
    faces = [name for name in ("face_id",) if name in table.columns]  # version 1 has none
    cells = table.select(pl.col(*KEYS[:1], *faces, *KEYS[2:], *measured).str.strip_chars())
    numbers = cells.cast(pl.Float64, strict=False)
    _check_rows(cells, numbers, path)
    certain = _is_possible("confidence")
    seen = (pl.col("success") == 1) & certain & pl.all_horizontal(map(_is_possible, measured))
    order = ["frame", "success", "confidence", *faces]
    return (
        numbers.with_columns(
            success=seen, confidence=pl.when(certain).then("confidence").otherwise(0.0)
        )
        .sort(order, descending=[False, True, True, False][: len(order)], maintain_order=True)
        .unique("frame", keep="first", maintain_order=True)
        .select(
            pl.col("frame").cast(pl.Int64),
            "timestamp",
            pl.col("confidence").cast(pl.Float32),
            "success",
            pl.when("success").then(pl.col(*measured)).cast(pl.Float32),
        )
    )


def is_postprocessed(path: Path) -> bool:
    """Whether a CSV with action units is OpenFace's last word on the video.

    OpenFace writes each frame as it comes, presences with one decimal, and at the end of the
    video writes the file anew with intensities relative to the person's own neutral and all
    action units with two decimals.
    """
    with path.open() as file:
        (last,) = deque(file, maxlen=1)
    return re.fullmatch(r"\d+\.\d\d", last.rsplit(",", 1)[-1].strip()) is not None


def groups_in(path: Path) -> tuple[str, ...]:
    """The keys of GROUPS of which a file has any column; raises CSVError if not OpenFace's."""
    table = _read_text(path)
    _check_columns(table, path, groups={})
    columns = frozenset(table.columns)
    return tuple(group for group, names in GROUPS.items() if not columns.isdisjoint(names))


def _read_text(path: Path) -> pl.DataFrame:
    """Read all cells as text; some versions put a space before every name and value."""
    try:
        return pl.read_csv(path, infer_schema=False).rename(str.strip)
    except pl.exceptions.PolarsError as error:
        cause = str(error).partition("\n")[0]
        if "more fields" in cause:
            cause = (
                "a row has more cells than the header has names; if the program writes decimal "
                "commas, have it run in the locale C (env LC_ALL=C before it in openface.command)"
            )
        raise CSVError(f"{path.name}: cannot be read as CSV: {cause}") from None


def _with_angles(table: pl.DataFrame) -> pl.DataFrame:
    """Add the angles of gaze, as text, where a file has the vectors alone: see gaze.angles."""
    present = frozenset(table.columns)
    if not present.isdisjoint(GAZE_ANGLES) or not present.issuperset(GAZE_VECTORS):
        return table
    vectors = table.select(pl.col(*GAZE_VECTORS).str.strip_chars().cast(pl.Float64, strict=False))
    eyes = vectors.to_numpy().reshape(-1, 2, 3)
    x, y, z = eyes.sum(axis=1).T  # of both, which has the angles of their mean
    angles = zip(GAZE_ANGLES, (np.arctan2(x, -z), np.arctan2(y, -z)), strict=True)
    return table.with_columns(pl.Series(name, angle).cast(pl.String) for name, angle in angles)


def _is_possible(name: str) -> pl.Expr:
    return pl.col(name).is_between(*_LIMITS[name]).fill_null(value=False)  # NaN is not, either


def _check_rows(cells: pl.DataFrame, numbers: pl.DataFrame, path: Path) -> None:
    """Refuse rows of which cells are missing, or which do not tell what they are of."""
    frame = pl.col("frame")
    whole = frame.is_between(0, _MOST_FRAMES) & (frame == frame.floor())
    known = whole & pl.col("timestamp").is_finite() & pl.col("success").is_in([0.0, 1.0])
    complete = cells.select(pl.all_horizontal(pl.all().fill_null("") != "")).to_series()
    sound = numbers.select(known.fill_null(value=False)).to_series() & complete
    if damaged := (~sound).arg_true().to_list():
        raise CSVError(
            f"{path.name}: {len(damaged)} of {len(sound)} rows are damaged, the first in line "
            f"{damaged[0] + 2}: cells are missing, or its frame, timestamp or success cannot be; "
            "look whether the program was stopped or the disk is full"
        )


def _check_columns(table: pl.DataFrame, path: Path, groups: Mapping[str, Sequence[str]]) -> None:
    if lost := [name for name in KEYS if name not in (*table.columns, "face_id")]:
        raise CSVError(f"{path.name}: not OpenFace's output, it has no column {', '.join(lost)}")
    for option, columns in groups.items():
        if lost := [name for name in columns if name not in table.columns]:
            raise CSVError(
                f"{path.name}: {len(lost)} of {len(columns)} columns of {option} are missing "
                f"({lost[0]}, ...); have {option} in openface.options, and if it is there, look "
                "whether the program's models are complete"
            )
