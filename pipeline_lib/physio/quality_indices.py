"""Signal quality indices of a recording, beside its hand-crafted features.

ECG and PPG: Orphanidou et al. 2015 (pace, likeness of beats), of the ECG also the grade of Zhao
& Zhang 2018. EDA: Kleckner et al. 2018 (range, rate of change, what lies next to an artefact).
An index is NaN where it cannot be told: no such channel, too short, flat.
"""

import math

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.ndimage import maximum_filter1d

from pipeline_lib.physio import gaps
from pipeline_lib.physio.heart import beats_and_intervals
from pipeline_lib.physio.quality import beat_correlations, eda_artefacts
from pipeline_lib.physio.statistics import mean

Floats = npt.NDArray[np.float64]

HEART_INDICES = (
    "heart_quality",  # 0-1, of the filtered channel (pipeline_lib.physio.quality)
    "heart_seconds",  # s, recorded
    "heart_beats",  # number found
    "heart_implausible",  # share of the intervals between them that are not believed
    "heart_likeness",  # mean correlation of a beat with the median beat; good from 0.66 on for an
    # ECG and 0.86 for a PPG (Orphanidou et al. 2015)
    "heart_grade",  # of an ECG: 0 unacceptable, 0.5 barely acceptable, 1 excellent (Zhao & Zhang)
)
EDA_INDICES = (
    "EDA_quality",
    "EDA_seconds",
    "EDA_out_of_range",  # share of samples outside 0.05-60 uS; NaN if the unit is not uS
    "EDA_fast",  # share that changes by more than 10 uS/s, or two spreads/s if not in uS
    "EDA_flat",  # share in stretches of a second and more without change
    "EDA_invalid",  # share that breaks one of these, or lies within 5 s of one that does
)
QUALITY_INDICES = (*HEART_INDICES, *EDA_INDICES)

TRANSITION = 5.0  # s on either side of an artefact (Kleckner 2018, rule 4)
GRADES = {"Unacceptable": 0.0, "Barely acceptable": 0.5, "Excellent": 1.0}


def quality_indices(rows: pl.DataFrame) -> dict[str, float]:
    """QUALITY_INDICES of one recording, from its rows of schema.PHYSIO (one heart channel)."""
    indices = dict.fromkeys(QUALITY_INDICES, math.nan)
    columns = rows.select("channel", "unit", "sampling_rate", "quality", "samples")
    for channel, unit, rate, quality, samples in columns.iter_rows():
        x = np.array(samples, np.float64)
        name = "EDA" if channel == "EDA" else "heart"
        seconds = float(np.isfinite(x).sum()) / rate
        indices |= {f"{name}_quality": quality, f"{name}_seconds": seconds}
        if not gaps.readable(x, rate):
            continue
        if channel == "EDA":
            indices |= eda_indices(x, rate, in_microsiemens=unit == "uS")
        else:
            indices |= heart_indices(x, rate, channel=channel)
    return indices


def heart_indices(x: Floats, sampling_rate: float, *, channel: str) -> dict[str, float]:
    """HEART_INDICES that the samples (n_times,), readable, tell."""
    beats, intervals = beats_and_intervals(x, sampling_rate, channel=channel)
    n_intervals = intervals.lengths.size + intervals.n_rejected
    filled, _ = gaps.fill(x)
    return {
        "heart_beats": float(beats.size),
        "heart_implausible": intervals.n_rejected / n_intervals if n_intervals else math.nan,
        "heart_likeness": mean(beat_correlations(filled, beats)),
        "heart_grade": _grade(filled, beats, sampling_rate) if channel == "ECG" else math.nan,
    }


def eda_indices(x: Floats, sampling_rate: float, *, in_microsiemens: bool) -> dict[str, float]:
    """EDA_INDICES that the samples (n_times,), readable, tell; shares of what was recorded."""
    filled, observed = gaps.fill(x)
    found = eda_artefacts(filled, sampling_rate, in_microsiemens=in_microsiemens)
    reach = 2 * round(TRANSITION * sampling_rate) + 1
    near = maximum_filter1d(found.any() & observed, reach)
    outside = float(found.out_of_range[observed].mean())
    return {
        "EDA_out_of_range": outside if in_microsiemens else math.nan,
        "EDA_fast": float(found.fast[observed].mean()),
        "EDA_flat": float(found.flat[observed].mean()),
        "EDA_invalid": float(near[observed].mean()),
    }


def _grade(x: Floats, beats: npt.NDArray[np.int64], sampling_rate: float) -> float:
    import neurokit2 as nk

    grade = nk.ecg_quality(x, rpeaks=beats, sampling_rate=sampling_rate, method="zhao2018")
    return GRADES[grade]
