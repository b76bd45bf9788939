"""Functions for the tests of incremental running; each call leaves a mark on disk."""

import time
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib.incremental import Result
from pipeline_lib.recordings import RecordingError


def square(recording: dict[str, Any], *, calls: Path, factor: float, wait: float = 0.0) -> Result:
    name = recording["recording_id"]
    with (calls / name).open("a") as file:
        file.write("x")
    time.sleep(wait)
    if recording["content"] < 0:
        raise RecordingError(f"{name} is {recording['content']}, below 0")
    if recording["content"] > 100:
        raise ZeroDivisionError("a bug")
    value = factor * recording["content"] ** 2
    return Result(pl.DataFrame({"recording_id": [name], "value": [value]}), frames=1)
