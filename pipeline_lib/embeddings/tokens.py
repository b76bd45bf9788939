"""The tokens of a recording as the rows of schema.EMBEDDINGS, and what the ledger says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import EMBEDDINGS
from pipeline_lib.incremental import Result

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tokens:
    """What an encoder made of one recording."""

    times: Floats  # (N,) s on the trial's axis
    values: Floats32  # (N, width); a row of NaN: this token is missing
    reason: str = ""  # why tokens are missing
    faces: int | None = None  # sampled frames with a face; None: none was looked for


def result(recording: Mapping[str, Any], tokens: Tokens) -> Result:
    """One row of schema.EMBEDDINGS; partial where tokens are missing for a reason."""
    row = {
        "recording_id": recording["recording_id"],
        "times": tokens.times.tolist(),
        "width": tokens.values.shape[1],
        "values": tokens.values.ravel().tolist(),
    }
    return Result(
        pl.DataFrame([row], schema=dict(EMBEDDINGS)),
        "partial" if tokens.reason else "ok",
        tokens.reason,
        frames=len(tokens.times),
        faces=tokens.faces,
    )


def missing_rows(values: Floats32) -> npt.NDArray[np.bool_]:
    """(N,) which tokens (N, width) are missing."""
    return np.asarray(np.isnan(values).all(axis=1))
