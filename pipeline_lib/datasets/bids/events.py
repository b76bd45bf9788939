"""Read _events.tsv: the trials of a run and their ratings, whose scales events.json gives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.datasets.bids.metadata import MISSING, TIMES, Sidecar, read_rows
from pipeline_lib.recordings import RecordingError

# Columns that BIDS gives a meaning, so that numbers in them are no ratings.
NO_RATINGS = ("onset", "duration", "sample", "response_time", "trial_type", "stim_id", "stim_file",
              "channel", "value", "HED")  # fmt: skip

Scales = Mapping[str, tuple[float, float]]  # the least and the largest rating, by name


@dataclass(frozen=True)
class Event:
    """A row that lasts."""

    onset: float  # s on the run's clock
    duration: float  # s
    cells: Mapping[str, str]  # of the row, by column

    @property
    def stimulus(self) -> str:
        names = [self.cells.get(column, MISSING) for column in ("stim_id", "trial_type")]
        return next((name for name in names if name != MISSING), MISSING)


def read_events(path: Path) -> list[Event]:
    """The rows of an _events.tsv that last, in its order.

    A row whose duration is 0 or n/a is a moment, as that of a key pressed, and no trial. Raises
    RecordingError, naming file and line, for a row without times, or if no row lasts.
    """
    rows = [_event(cells, f"{path.name}, line {line}") for line, cells in read_rows(path)]
    events = [event for event in rows if event.duration > 0]
    if rows and not events:
        raise RecordingError(
            f"{path.name}: none of {len(rows)} events lasts; a trial's duration is above 0 s"
        )
    return events


def rating_scales(sidecar: Sidecar | None) -> Scales:
    """The columns whose range an events.json gives: numbers as Levels, or Minimum and Maximum."""
    scales = {}
    for column, described in (sidecar.content if sidecar else {}).items():
        if column in NO_RATINGS or not isinstance(described, dict):
            continue
        levels = described.get("Levels")
        ends: Any = (
            levels
            if isinstance(levels, dict)
            else [described.get("Minimum"), described.get("Maximum")]
        )
        try:
            marks = [float(end) for end in ends if end != MISSING]
        except (TypeError, ValueError, OverflowError):
            continue  # described in words
        if marks and all(map(math.isfinite, marks)):
            scales[column] = (min(marks), max(marks))
    return scales


def ratings_of(event: Event, scales: Scales) -> dict[str, float]:
    """The ratings of an event that are not n/a: valence, arousal and whatever has a scale.

    Raises RecordingError for a rating that is no number, or outside its scale.
    """
    ratings = {}
    for name in dict.fromkeys((*TARGETS, *scales)):
        cell = event.cells.get(name, MISSING)
        if cell == MISSING:
            continue
        low, high = scales.get(name, (-math.inf, math.inf))
        try:
            rating = float(cell)
        except ValueError:
            raise RecordingError(
                f"{name} is rated {cell!r}, expected a number or {MISSING}"
            ) from None
        if not math.isfinite(rating) or not low <= rating <= high:
            raise RecordingError(f"{name} is rated {rating:g}, outside {low:g} - {high:g}")
        ratings[name] = rating
    return ratings


def _event(cells: dict[str, str], place: str) -> Event:
    try:
        onset, lasts = float(cells["onset"]), cells["duration"]
        duration = 0.0 if lasts == MISSING else float(lasts)
    except (KeyError, ValueError) as error:
        raise RecordingError(
            f"{place}: {error!r}; expected onset and duration in s, the duration or {MISSING}"
        ) from None
    if not TIMES[0] <= onset <= TIMES[1] or not 0 <= duration <= TIMES[1]:
        raise RecordingError(f"{place}: onset {onset:g}, duration {duration:g} s: out of range")
    return Event(onset, duration, cells)
