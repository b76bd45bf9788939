"""Facial-action tokens: 20 action units and the scores of seven emotions (ViPER 3.4).

Units run from 0 to 1. From OpenFace: intensities over 5; AU28 is a presence, the blink AU45
stands for the closed eye AU43, and AU11 and AU24, which OpenFace has not, are missing (NaN).

Emotions from units: for each, the mean over its units, weighted by the share of people who used
them, in Table 1 of Du, Tao and Martinez, Compound facial expressions of emotion, PNAS 2014
(prototypical units: 1). A unit counts in full from intensity FULL on, and missing units not at
all. Neutral is what the strongest of the six leaves of 1.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.embeddings import faces, pyfeat_csv
from pipeline_lib.embeddings.frames import sample_times
from pipeline_lib.embeddings.tokens import Tokens, missing_rows, result
from pipeline_lib.embeddings.units import EMOTIONS, UNITS
from pipeline_lib.incremental import Result
from pipeline_lib.params import FacialActions
from pipeline_lib.video.decode import packet_times

Floats = npt.NDArray[np.float64]

FULL = 0.4  # of 1: intensity B of FACS, 2 of 5, at which a unit is plainly there [?]
PROTOTYPES = {
    "anger": {4: 1.0, 7: 1.0, 24: 1.0, 10: 0.26, 17: 0.52, 23: 0.29},
    "disgust": {9: 1.0, 10: 1.0, 17: 1.0, 4: 0.31, 24: 0.26},
    "fear": {1: 1.0, 4: 1.0, 20: 1.0, 25: 1.0, 2: 0.57, 5: 0.63, 26: 0.33},
    "happiness": {12: 1.0, 25: 1.0, 6: 0.51},
    "sadness": {4: 1.0, 15: 1.0, 1: 0.60, 6: 0.50, 11: 0.26, 17: 0.67},
    "surprise": {1: 1.0, 2: 1.0, 25: 1.0, 26: 1.0, 5: 0.66},
}


def embed_recording(
    recording: dict[str, Any], *, root: Path, openface: Path, config: FacialActions, n: int
) -> Result:
    """Tokens of a recording with a video: one row of schema.EMBEDDINGS.

    Each sampled frame has the values of the nearest measured one; where that shows no face, or is
    more than faces.MAX_GAP away, the token is missing. Raises VideoError, or RecordingError if
    Py-Feat's file is not there or lacks a column.
    """
    video = root / recording["video"]
    times = sample_times(video, n)
    if config.pyfeat is None:
        rows = faces.measured(openface, recording)
        measured_times, measured = rows["time"].to_numpy(), from_openface(rows)
    else:
        frames, measured = pyfeat_csv.read(Path(config.pyfeat), recording)
        every = packet_times(video)
        measured_times = every[frames.clip(0, len(every) - 1)]
    values = at(times, measured_times, measured).astype(np.float32)
    absent = int(missing_rows(values).sum())
    reason = f"no face at {absent} of {n} frames" if absent else ""
    tokens = Tokens(times + recording["video_start"], values, reason, faces=n - absent)
    return result(recording, tokens)


def at(times: Floats, measured_times: Floats, measured: Floats) -> Floats:
    """(n, width) the measured values nearest in time; NaN where none is near."""
    places = faces.nearest_measured(measured_times, times)
    values = np.full((len(times), len(UNITS) + len(EMOTIONS)), np.nan)
    values[places >= 0] = measured[places[places >= 0]]
    return values


def from_openface(rows: pl.DataFrame) -> Floats:
    """(n_rows, 27) UNITS and EMOTIONS out of schema.OPENFACE; NaN where there is no face."""
    columns = [_column(unit).cast(pl.Float64).fill_null(np.nan).alias(f"{unit}") for unit in UNITS]
    units = rows.select(columns).to_numpy().copy()
    units[~rows["success"].to_numpy()] = np.nan
    return np.concatenate([units, emotions(units)], axis=1)


def emotions(units: Floats) -> Floats:
    """(n, 7) scores from 0 to 1 of EMOTIONS, out of (n, 20) units from 0 to 1."""
    shown = (units / FULL).clip(0, 1)
    scores = np.stack([_score(shown, PROTOTYPES[name]) for name in EMOTIONS[:-1]], axis=1)
    return np.column_stack([scores, 1 - scores.max(axis=1)])


def _score(shown: Floats, prototype: dict[int, float]) -> Floats:
    """(n,) weighted mean over the units of a prototype that are not missing."""
    values = shown[:, [UNITS.index(unit) for unit in prototype]]
    weights = np.where(np.isnan(values), 0.0, np.array(list(prototype.values())))
    total = weights.sum(axis=1)
    summed = (np.nan_to_num(values) * weights).sum(axis=1)
    mean: Floats = np.divide(summed, total, out=np.full(len(shown), np.nan), where=total > 0)
    return mean


def _column(unit: int) -> pl.Expr:
    if unit in (11, 24):
        return pl.lit(None)
    if unit == 28:
        return pl.col("AU28_c")
    return pl.col(f"AU{45 if unit == 43 else unit:02d}_r") / 5
