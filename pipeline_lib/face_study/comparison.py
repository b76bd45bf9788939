"""Two OpenFace-format CSVs of one video, frame by frame: what they agree on, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import agreement
from metrics.classification import auc
from pipeline_lib.core.schema import AU_INTENSITIES, AU_PRESENCES, GAZE_VECTORS, LANDMARKS, POSE
from pipeline_lib.face.openface_csv import GROUPS, CSVError, groups_in, read_csv

Floats = npt.NDArray[np.float64]
Join = Literal["auto", "frame", "time"]

STILL = 0.05  # on the scale of 0-5: an action unit whose standard deviation is below does not move
FEWEST = 0.5  # of the rows of the shorter file, that have to find a partner
FEWEST_FACES = 3  # frames with a face in both
_OUTER_CORNERS = (36, 45)  # of the eyes, among the 68: their distance is 300-W's unit of error

UNITS = {  # one row per action unit; null: not defined, as a note says
    "unit": pl.String,
    "mean_a": pl.Float64,  # 0-5
    "mean_b": pl.Float64,
    "r": pl.Float64,  # Pearson's
    "icc_3_1": pl.Float64,  # consistency
    "icc_2_1": pl.Float64,  # absolute agreement
    "auc": pl.Float64,  # of A's intensity, against B's presence
    "present_a": pl.Float64,  # share of frames
    "present_b": pl.Float64,
    "f1": pl.Float64,  # of A's presence, against B's
    "kappa": pl.Float64,
    "intensity_note": pl.String,  # why intensities are not compared; null: they are
    "presence_note": pl.String,
}


@dataclass(frozen=True)
class Spread:
    """An error over frames."""

    mean: float
    p95: float  # 95th percentile


@dataclass(frozen=True)
class Comparison:
    names: tuple[str, str]  # of A and B
    joined: Literal["frame", "time"]
    rows: tuple[int, int]  # in each file
    pairs: pl.DataFrame  # columns of A, those of B with _b, of the frames that found a partner
    units: pl.DataFrame  # UNITS; empty if a file has no action units
    errors: Mapping[str, Spread]  # what is compared, with its unit -> error
    success: Mapping[str, int]  # frames with a face in: both, only A, only B, neither
    missing: tuple[str, ...]  # options whose columns one of the files lacks

    @property
    def moving(self) -> pl.DataFrame:
        """The action units that move in both."""
        return self.units.filter(pl.col("r").is_not_null())


def compare(a: Path, b: Path, *, join: Join, tolerance: float | None) -> Comparison:
    """Read and compare two CSVs; B is the reference where the measure is not symmetric.

    join      : by number of frame, by nearest time, or auto: by frame if the times then agree
    tolerance : s between times that are joined; None: half a step of the finer file

    Raises CSVError if a file is not OpenFace's or if they are not of the same frames.
    """
    groups = [g for g in GROUPS if g in groups_in(a) and g in groups_in(b)]
    if not groups:
        raise CSVError(f"{a.name} and {b.name} have no measurements in common")
    tables = (read_csv(a, groups=groups), read_csv(b, groups=groups))
    if empty := [path.name for path, table in zip((a, b), tables, strict=True) if table.is_empty()]:
        raise CSVError(f"{empty[0]}: no frames in it")
    by = _by_frame_or_time(*tables) if join == "auto" else join
    pairs = _pairs(*tables, by=by, tolerance=tolerance)
    if pairs.height < FEWEST * min(table.height for table in tables):
        raise CSVError(
            f"{pairs.height} frames in common by {by}: {_extent(a, tables[0])}; "
            f"{_extent(b, tables[1])}. Are both of the same video? --join frame or time and "
            "--tolerance choose how they are joined"
        )
    seen = pairs.filter("success", "success_b")
    if seen.height < FEWEST_FACES:
        raise CSVError(
            f"{a.name} and {b.name} have a face in both in {seen.height} of {pairs.height} frames, "
            f"below {FEWEST_FACES}"
        )
    return Comparison(
        names=(a.name, b.name),
        joined=by,
        rows=(tables[0].height, tables[1].height),
        pairs=pairs,
        units=_units(seen) if "-aus" in groups else pl.DataFrame(schema=UNITS),
        errors=_errors(seen, groups),
        success=_success(pairs),
        missing=tuple(group for group in GROUPS if group not in groups),
    )


def _by_frame_or_time(a: pl.DataFrame, b: pl.DataFrame) -> Literal["frame", "time"]:
    """By frame if the frames in common have the same times: of another rate they have not."""
    common = a.join(b, on="frame", suffix="_b")
    if common.height < max(1, FEWEST * min(a.height, b.height)):
        return "time"
    off = np.abs((common["timestamp"] - common["timestamp_b"]).to_numpy())
    return "frame" if np.median(off) <= min(_step(a), _step(b)) / 2 else "time"


def _pairs(
    a: pl.DataFrame, b: pl.DataFrame, *, by: Literal["frame", "time"], tolerance: float | None
) -> pl.DataFrame:
    """Each frame of the coarser file with its partner in the other; columns of B end in _b."""
    if by == "frame":
        return a.join(b, on="frame", suffix="_b").sort("frame")
    reach = min(_step(a), _step(b)) / 2 if tolerance is None else tolerance
    renamed = b.sort("timestamp").rename({name: f"{name}_b" for name in b.columns})
    sides = (a.sort("timestamp"), renamed)
    keys = ("timestamp", "timestamp_b")
    first = 0 if a.height <= b.height else 1
    joined = sides[first].join_asof(
        sides[1 - first],
        left_on=keys[first],
        right_on=keys[1 - first],
        strategy="nearest",
        tolerance=reach + 1e-9,
        coalesce=False,
    )
    return joined.drop_nulls(keys[1 - first])


def _step(table: pl.DataFrame) -> float:
    """Median time in s from frame to frame; of one frame, infinite."""
    steps = np.diff(table["timestamp"].to_numpy())
    return float(np.median(steps)) if steps.size else np.inf


def _extent(path: Path, table: pl.DataFrame) -> str:
    frames, times = table["frame"].to_numpy(), table["timestamp"].to_numpy()
    return (
        f"{path.name} has {table.height} rows, frames {frames.min()} to {frames.max()}, "
        f"{times.min():.2f} to {times.max():.2f} s"
    )


def _units(seen: pl.DataFrame) -> pl.DataFrame:
    """UNITS from the frames with a face in both."""
    intensities = {name.removesuffix("_r"): name for name in AU_INTENSITIES}
    presences = {name.removesuffix("_c"): name for name in AU_PRESENCES}
    rows = [
        {"unit": unit}
        | (_intensity(*_both(seen, intensities[unit])) if unit in intensities else {})
        | _presence(seen, unit, has_intensity=unit in intensities)
        for unit in presences
    ]
    table = pl.DataFrame(rows, schema=UNITS)
    numbers = [name for name, dtype in UNITS.items() if dtype == pl.Float64]
    return table.with_columns(pl.col(numbers).fill_nan(None))


def _intensity(a: Floats, b: Floats) -> dict[str, object]:
    still = [name for name, x in (("A", a), ("B", b)) if x.std() < STILL]
    means = {"mean_a": a.mean(), "mean_b": b.mean()}
    if still:
        return means | {"intensity_note": f"does not move in {' and '.join(still)}"}
    consistency, absolute = agreement.icc(np.stack([a, b], axis=1))
    return means | {
        "r": agreement.pearson(a, b),
        "icc_3_1": consistency,
        "icc_2_1": absolute,
    }


def _presence(seen: pl.DataFrame, unit: str, *, has_intensity: bool) -> dict[str, object]:
    a, b = (x > 0.5 for x in _both(seen, f"{unit}_c"))
    shares = {"present_a": a.mean(), "present_b": b.mean()}
    if not b.any() or b.all():  # nothing to tell apart
        return shares | {"presence_note": f"{'always' if b.all() else 'never'} present in B"}
    area = auc(b.astype(np.int8), _both(seen, f"{unit}_r")[0]) if has_intensity else np.nan
    return shares | {
        "auc": float(area),
        "f1": agreement.f1(b, a),
        "kappa": agreement.kappa(a, b),
    }


def _errors(seen: pl.DataFrame, groups: list[str]) -> dict[str, Spread]:
    """Errors of gaze, pose and landmarks over the frames with a face in both."""
    errors: dict[str, Floats] = {}
    if "-gaze" in groups:
        a, b = (x.reshape(-1, 2, 3) for x in _both(seen, *GAZE_VECTORS))
        eyes = np.rad2deg(agreement.angle(a, b))
        errors |= {"gaze, eye 0, °": eyes[:, 0], "gaze, eye 1, °": eyes[:, 1]}
        errors["gaze, mean of both eyes, °"] = np.rad2deg(agreement.angle(a.sum(1), b.sum(1)))
    if "-pose" in groups:
        errors |= _pose_errors(*_both(seen, *POSE))
    if "-2Dfp" in groups:
        a, b = (x.reshape(-1, 2, 68) for x in _both(seen, *LANDMARKS))
        left, right = _OUTER_CORNERS
        unit = np.linalg.norm(b[:, :, left] - b[:, :, right], axis=1)
        errors["landmarks, % of the eyes' distance"] = (
            100 * np.linalg.norm(a - b, axis=1).mean(axis=1) / unit
        )
    return {
        name: Spread(float(x.mean()), float(np.percentile(x, 95))) for name, x in errors.items()
    }


def _pose_errors(a: Floats, b: Floats) -> dict[str, Floats]:
    """Errors of position in mm and rotation in degrees from two poses (n, 6)."""
    from scipy.spatial.transform import Rotation

    turned = [Rotation.from_euler("XYZ", pose[:, 3:]) for pose in (a, b)]
    axes = np.abs(np.rad2deg((a[:, 3:] - b[:, 3:] + np.pi) % (2 * np.pi) - np.pi))
    return {
        "head rotation, °": np.rad2deg((turned[0] * turned[1].inv()).magnitude()),
        **{f"pose_R{axis}, °": axes[:, i] for i, axis in enumerate("xyz")},
        "head position, mm": np.linalg.norm(a[:, :3] - b[:, :3], axis=1),
    }


def _success(pairs: pl.DataFrame) -> dict[str, int]:
    a, b = pairs["success"].to_numpy(), pairs["success_b"].to_numpy()
    counts = {"both": a & b, "only A": a & ~b, "only B": ~a & b, "neither": ~a & ~b}
    return {name: int(which.sum()) for name, which in counts.items()}


def _both(table: pl.DataFrame, *names: str) -> tuple[Floats, Floats]:
    """Columns of A and of B: (n,) of one name, (n, n_names) of several."""
    sides = []
    for suffix in ("", "_b"):
        values = table.select(pl.col(f"{n}{suffix}").cast(pl.Float64) for n in names).to_numpy()
        sides.append(values[:, 0] if len(names) == 1 else values)
    return sides[0], sides[1]
