"""Read _physio.tsv.gz: compressed columns without a header line, which the sidecar names."""

import gzip
import io
import math
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from reprlib import repr as short

from pipeline_lib.datasets.bids.metadata import MISSING, TIMES, Sidecar, read_sidecar
from pipeline_lib.datasets.bids.names import File
from pipeline_lib.recordings import Floats, RecordingError, Signal

CHANNELS = {  # by column, in any case; BIDS calls a continuous pulse measurement "cardiac"
    "ecg": "ECG",
    "ppg": "PPG",
    "cardiac": "PPG",
    "eda": "EDA",
    "gsr": "EDA",
}
# As CMIXF-12 spells them, and with the symbols that BIDS had before: two characters each for
# micro and ohm. Each with a unit that physio.units knows, and the factor to it.
EDA_UNITS = {
    **{"S": ("uS", 1e6), "mS": ("uS", 1e3), "nS": ("nS", 1.0)},
    **{f"{micro}S": ("uS", 1.0) for micro in ("u", "\u00b5", "\u03bc")},
    **{
        f"{prefix}{ohm}": ("Ohm", factor)
        for ohm in ("Ohm", "\u03a9", "\u2126")
        for prefix, factor in (("", 1.0), ("k", 1e3), ("M", 1e6))
    },
}
RATES = (1e-3, 1e6)  # Hz

LARGEST = 2**30  # bytes, decompressed: an hour of 8 channels at 2 kHz has 0.7 of it
CHUNK = 2**20  # bytes, decompressed at a time


def read_physio(file: File, metadata: Iterable[File], *, eda_unit: str | None) -> list[Signal]:
    """Return the ECG, PPG and EDA of a _physio.tsv.gz; their start is on the run's clock.

    metadata : among which are its sidecars
    eda_unit : of the EDA; None takes Units of the sidecar

    n/a becomes NaN. Raises RecordingError, naming the file, for what BIDS does not allow.
    """
    sidecar = read_sidecar(file, metadata)
    if sidecar is None:
        raise RecordingError(f"{file.stem}.json is missing")
    samples = _read_columns(file.path, sidecar.columns())
    signals = []
    for column, x in samples.items():
        signal = Signal(
            channel=CHANNELS[column.lower()],
            unit=sidecar.unit(column),
            sampling_rate=sidecar.number("SamplingFrequency", low=RATES[0], high=RATES[1]),
            start=sidecar.number("StartTime", low=TIMES[0], high=TIMES[1]),
            samples=x,
        )
        signals.append(_eda(signal, sidecar, eda_unit) if signal.channel == "EDA" else signal)
    return signals


def _read_columns(path: Path, columns: list[str]) -> dict[str, Floats]:
    """(n_times,) of each column that is a channel; n/a is NaN. The others may hold anything."""
    import polars as pl

    wanted = [name for name in columns if name.lower() in CHANNELS]
    if not wanted:
        return {}
    try:
        table = pl.read_csv(
            _decompress(path),
            separator="\t",
            has_header=False,
            quote_char=None,  # TSV has none, and polars panics at one that stays open
            null_values=MISSING,
            schema={name: pl.Float64 if name in wanted else pl.String for name in columns},
        )
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise RecordingError(f"{path.name}: not {short(columns)} of numbers ({reason})") from None
    return {name: table[name].fill_null(math.nan).to_numpy() for name in wanted}


def _decompress(path: Path) -> io.BytesIO:
    """The content of a .gz, which may be a thousand times larger than the file.

    Blank lines at its end are cut off: each would be a sample that is missing.
    """
    content = io.BytesIO()
    with gzip.open(path) as file:
        while part := file.read(CHUNK):
            content.write(part)
            if content.tell() > LARGEST:
                raise RecordingError(f"{path.name}: decompresses to more than {LARGEST} bytes")
    content.seek(max(content.tell() - CHUNK, 0))
    tail = content.read()
    content.truncate(content.tell() - len(tail) + len(tail.rstrip(b"\r\n")))
    content.seek(0)
    return content


def _eda(signal: Signal, sidecar: Sidecar, eda_unit: str | None) -> Signal:
    """In a unit that physio.units knows, with the one that it came in."""
    if eda_unit is not None:
        return replace(signal, unit=eda_unit)
    if signal.unit not in EDA_UNITS:
        raise RecordingError(
            f"{sidecar.name}: Units of the EDA is {short(signal.unit)}, expected one of "
            f"{list(EDA_UNITS)}; correct it or set datasets.<name>.eda_unit"
        )
    unit, factor = EDA_UNITS[signal.unit]
    source_unit = "" if signal.unit == "uS" else signal.unit
    return replace(signal, unit=unit, samples=factor * signal.samples, source_unit=source_unit)
