"""What the recordings of a data set contain: signals, videos, ratings."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import TARGETS

Floats = npt.NDArray[np.float64]

BINS = 16  # of ratings: on a scale from 1 to 9, half a point each
FEW_VALUES = 12  # of a rating, so that each has its own bar


@dataclass(frozen=True)
class Spread:
    """Of a quantity over recordings; None: none has it."""

    n: int
    low: float | None
    median: float | None
    high: float | None


@dataclass(frozen=True)
class Channel:
    """One channel at one rate in one unit."""

    channel: str  # ECG | PPG | EDA
    sampling_rate: float  # Hz
    unit: str
    source_unit: str  # in the files, if the samples were converted; or ""
    seconds: Spread


@dataclass(frozen=True)
class Video:
    """Videos of one make, as their headers have it."""

    n: int
    codec: str
    width: int  # px
    height: int  # px
    frame_rate: float | None  # Hz
    seconds: Spread
    announced: int | None  # frames in all; None: not every header says
    decoded: int | None  # frames in all; None: not tried


@dataclass(frozen=True)
class Bar:
    """Ratings above `low` and up to `high`, or of one value that is both."""

    low: float
    high: float
    counts: tuple[int, ...]  # of label 0 and of label 1, or of all if there are no labels


@dataclass(frozen=True)
class Rating:
    name: str
    values: Spread
    labels: tuple[int, int] | None  # of TARGETS: recordings up to the threshold, and above it
    bars: tuple[Bar, ...]


def spread(values: pl.Series) -> Spread:
    """Lowest, median and highest of the values that are not null."""
    known = values.drop_nulls().to_numpy()
    if not known.size:
        return Spread(0, None, None, None)
    return Spread(known.size, float(known.min()), float(np.median(known)), float(known.max()))


def channels(table: pl.DataFrame) -> Iterator[Channel]:
    """What facts.CHANNELS has, by channel, rate and unit."""
    keys = ["channel", "sampling_rate", "unit", "source_unit"]
    seconds = (pl.col("length") / pl.col("sampling_rate")).alias("seconds")
    rows = table.with_columns(seconds).sort(keys)
    for (channel, rate, unit, source_unit), group in rows.group_by(keys, maintain_order=True):
        yield Channel(channel, rate, unit, source_unit, spread(group["seconds"]))


def videos(table: pl.DataFrame) -> list[Video]:
    """Makes of videos in facts.VIDEOS, the most frequent first; rates differ by 0.01 Hz."""
    keys = ["codec", "width", "height", "frame_rate"]
    rows = table.with_columns(pl.col("frame_rate").round(2)).sort(keys)
    makes = [
        Video(
            group.height,
            codec,
            width,
            height,
            rate,
            spread(group["duration"]),
            announced=_total(group["announced"]),
            decoded=_total(group["decoded"]),
        )
        for (codec, width, height, rate), group in rows.group_by(keys, maintain_order=True)
    ]
    return sorted(makes, key=lambda make: -make.n)


def ratings(table: pl.DataFrame, *, threshold: float) -> Iterator[Rating]:
    """Every rating with a value in schema.RATINGS, TARGETS first."""
    known = table.filter(pl.col("value").is_finite())
    names = known["name"].unique(maintain_order=True).to_list()
    for name in sorted(names, key=[*TARGETS, *names].index):
        values = known.filter(name=name)["value"]
        x = values.to_numpy()
        above = x > threshold
        if name in TARGETS:
            labels = (int((~above).sum()), int(above.sum()))
            yield Rating(name, spread(values), labels, tuple(bars(x[~above], x[above])))
        else:
            yield Rating(name, spread(values), None, tuple(bars(x)))


def bars(*groups: Floats) -> Iterator[Bar]:
    """How often each value occurs or, if there are many, values in BINS equal steps.

    groups : (n,) each, counted apart
    """
    values = np.unique(np.concatenate(groups))
    if values.size <= FEW_VALUES:
        for value in values.tolist():
            yield Bar(value, value, tuple(int((x == value).sum()) for x in groups))
        return
    edges = np.linspace(np.floor(values[0]), np.ceil(values[-1]), BINS + 1)
    # An edge belongs to the step below it, as a threshold belongs to label 0.
    places = [np.searchsorted(edges, x, side="left").clip(1) - 1 for x in groups]
    counts = np.stack([np.bincount(place, minlength=BINS) for place in places], axis=-1)
    for low, high, row in zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True):
        yield Bar(low, high, tuple(row.tolist()))


def _total(counts: pl.Series) -> int | None:
    return None if counts.null_count() else int(counts.sum())
