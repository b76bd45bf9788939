"""Read the files of a BIDS run: sidecars, physiology without a header line, events."""

import csv
import gzip
import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_lib.physio.units import to_conductance
from pipeline_lib.recordings import Floats, RecordingError, Signal

PHYSIO = "_physio.tsv.gz"
CHANNELS = {"ecg": "ECG", "ppg": "PPG", "eda": "EDA", "gsr": "EDA"}  # columns, in any case
# BIDS spells units as CMIXF-12 does, in which the micro sign and the Greek mu are both seen.
EDA_UNITS = {"uS": "uS", "\u00b5S": "uS", "\u03bcS": "uS", "nS": "nS", "Ohm": "Ohm"}
MISSING = "n/a"


@dataclass(frozen=True)
class Event:
    """A row of _events.tsv."""

    onset: float  # s on the run's clock
    duration: float  # s
    stimulus: str
    ratings: dict[str, float]


def read_physio(path: Path, *, eda_unit: str | None) -> list[Signal]:
    """Return the ECG, PPG and EDA of a _physio.tsv.gz; their start is on the run's clock.

    eda_unit : of the EDA; None takes Units of the sidecar

    n/a becomes NaN. Raises RecordingError, naming the file, for what BIDS does not allow.
    """
    sidecar = physio_sidecar(path)
    content = read_sidecar(sidecar)
    columns = content.get("Columns")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise RecordingError(f"{sidecar.name}: Columns is {columns!r}, expected a list of names")
    rate = number(content, "SamplingFrequency", sidecar)
    if rate <= 0:
        raise RecordingError(f"{sidecar.name}: SamplingFrequency is {rate:g}, must be above 0 Hz")
    start = number(content, "StartTime", sidecar)
    samples = _read_columns(path, columns)
    signals = []
    for name in columns:
        channel = CHANNELS.get(name.lower())
        if channel is None:
            continue
        unit, values = _unit(content, name), samples[name]
        if channel == "EDA":
            values, unit = to_conductance(values, unit=eda_unit or _eda_unit(unit, sidecar))
        signals.append(Signal(channel, unit, rate, start, values))
    return signals


def physio_sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".tsv.gz") + ".json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises RecordingError if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordingError(f"{path.name} is missing") from None
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path.name}: not readable JSON ({error})") from None
    if not isinstance(content, dict):
        raise RecordingError(f"{path.name}: holds a {type(content).__name__}, expected an object")
    return content


def number(content: dict[str, Any], key: str, path: Path) -> float:
    """A required finite number of a sidecar."""
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RecordingError(f"{path.name}: {key} is {value!r}, expected a number")
    return float(value)


def read_events(path: Path) -> list[Event]:
    """The rows of an _events.tsv; raises RecordingError that names file and line."""
    events = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            for row in reader:
                try:
                    events.append(_event(row))
                except (KeyError, TypeError, ValueError) as error:
                    raise RecordingError(
                        f"{path.name}, line {reader.line_num}: {error!r}; expected onset and "
                        f"duration in s, and ratings as numbers or {MISSING}"
                    ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path.name}: not readable ({error})") from None
    return events


def _event(row: dict[str, str]) -> Event:
    onset, duration = float(row["onset"]), float(row["duration"])
    if not math.isfinite(onset) or not math.isfinite(duration) or duration <= 0:
        raise ValueError(f"onset {onset:g}, duration {duration:g}")
    names = [row.get(key, MISSING) for key in ("stim_id", "trial_type")]
    ratings = {
        key: float(row[key]) for key in ("valence", "arousal") if row.get(key, MISSING) != MISSING
    }
    stimulus = next((name for name in names if name != MISSING), MISSING)
    return Event(onset, duration, stimulus, ratings if len(ratings) == 2 else {})


def _read_columns(path: Path, columns: list[str]) -> dict[str, Floats]:
    """(n_times,) of every column; n/a is NaN."""
    import polars as pl

    try:
        text = gzip.decompress(path.read_bytes())
        table = pl.read_csv(
            text,
            separator="\t",
            has_header=False,
            null_values=MISSING,
            schema=dict.fromkeys(columns, pl.Float64),
        )
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise RecordingError(f"{path.name}: not {columns} of numbers ({reason})") from None
    return {name: table[name].fill_null(math.nan).to_numpy() for name in columns}


def _unit(content: dict[str, Any], column: str) -> str:
    described = content.get(column)
    unit = described.get("Units") if isinstance(described, dict) else None
    return unit if isinstance(unit, str) else MISSING


def _eda_unit(unit: str, sidecar: Path) -> str:
    if unit not in EDA_UNITS:
        raise RecordingError(
            f"{sidecar.name}: Units of the EDA is {unit!r}, expected one of {list(EDA_UNITS)}; "
            f"correct it or set datasets.<name>.eda_unit"
        )
    return EDA_UNITS[unit]
