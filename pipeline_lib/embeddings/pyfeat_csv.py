"""Py-Feat's own output: one CSV a video, a row a face and frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.files import sha256
from pipeline_lib.embeddings.units import EMOTIONS, UNITS
from pipeline_lib.recordings import RecordingError

COLUMNS = (*(f"AU{unit:02d}" for unit in UNITS), *EMOTIONS)


def read(
    folder: Path, recording: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Frames, from 0, and the values of the first face in each: (n,) rising and (n, 27).

    The file is <recording_id>.csv or bears the video's name. A frame without a face is NaN.
    Raises RecordingError if there is no such file, or a column is missing.
    """
    path = _file(folder, recording)
    table = pl.read_csv(path, infer_schema_length=None, null_values=["", "nan", "NaN"])
    absent = [name for name in ("frame", *COLUMNS) if name not in table.columns]
    if absent:
        raise RecordingError(f"{path}: no column {', '.join(absent)}; Py-Feat writes them all")
    first = table.with_columns(pl.col("frame").cast(pl.Int64)).unique(
        "frame", keep="first", maintain_order=True
    )
    ordered = first.sort("frame")
    values = ordered.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in COLUMNS)
    return ordered["frame"].to_numpy(), values.to_numpy()


def _file(folder: Path, recording: Mapping[str, Any]) -> Path:
    names = (recording["recording_id"], Path(recording["video"]).stem)
    for name in names:
        if (path := folder / f"{name}.csv").is_file():
            return path
    raise RecordingError(
        f"embeddings.<scale>.fau.pyfeat = {folder}: neither {names[0]}.csv nor {names[1]}.csv"
    )


def content(folder: Path, recording: Mapping[str, Any]) -> str:
    """The hash of a recording's file; "" if there is none."""
    try:
        return sha256(_file(folder, recording))
    except RecordingError:
        return ""
