"""DEAP as it was recorded: a .bdf a session, face videos and the table of ratings.

The onsets in a .bdf follow the order of presentation, like the videos.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline_lib.datasets.deap import bdf, onsets, presentations
from pipeline_lib.datasets.deap.presentations import (
    OFFICIAL as OFFICIAL,  # of both layouts
    Presentation,
)
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.recordings import Reading, RecordingError, Signal, Source

LAYOUT = (
    "data_original/s01.bdf, face_video/s01/s01_trial01.avi and metadata_csv/participant_ratings.csv"
)

GSR, PLETHYSMOGRAPH, STATUS = "GSR1", "Plet", "Status"  # channels
LEAD_IN = 3.0  # s kept before the stimulus, in which filters settle
VIDEO_SECONDS = 60.0


@dataclass(frozen=True)
class Session:
    """A participant's recording, and when in it the videos began."""

    recording: bdf.Recording
    onsets: Mapping[int, float]  # trial -> s
    gap: str  # why other trials have no onset


def discover(root: Path) -> list[Source]:
    """One source per row of participant_ratings.csv; see presentations.discover."""
    return presentations.discover(root, suffix="bdf", layout=LAYOUT)


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one .bdf file, or without one
    heart    : PPG
    eda_unit : of GSR1 in the file, as physio.units names it, or one a site: {twente, geneva}

    Raises DatasetError if `heart` is no channel of DEAP or `eda_unit` is not given.
    """
    unit = presentations.check_settings(heart=heart, eda_unit=eda_unit)
    return _read(sources, presentations.unit_of(presentations.participant(sources[0]), unit))


def _read(sources: Sequence[Source], eda_unit: str) -> Iterator[Outcome]:
    rows = presentations.of_participant(sources[0])
    path = sources[0].signals
    try:
        session = _open(path, rows) if path else None
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    yield from each(sources, partial(_read_trial, session=session, rows=rows, eda_unit=eda_unit))


def _open(path: Path, rows: Mapping[int, Presentation]) -> Session:
    recording = bdf.open_recording(path)
    # The Status channel has a blank label in s24 - s28; in s29 - s32 the one before has, too.
    named = STATUS in recording.labels
    channel = bdf.channel_named(recording, STATUS) if named else len(recording.labels) - 1
    status = bdf.read_digital(recording, channel, 0, recording.n_times(channel))
    seconds = onsets.find_onsets(status) / recording.sampling_rate(channel)
    assigned = onsets.assign(seconds, rows)
    gap = f"{path.name}: {len(seconds)} onsets of videos for {len(rows)} trials"
    if recording.n_records < recording.n_announced:
        gap += f" in {recording.n_records} of {recording.n_announced} records"
    if not assigned:
        gap += ", which Start_time does not tell apart"
    return Session(recording, assigned, gap)


def _read_trial(
    source: Source, *, session: Session | None, rows: Mapping[int, Presentation], eda_unit: str
) -> Reading:
    row = rows[int(source.trial[1:])]
    if session is None or row.trial not in session.onsets:
        gap = (
            f"{session.gap}; none for Trial {row.trial}" if session else f"no {source.subject}.bdf"
        )
        return presentations.as_reading(source, ratings=row.ratings, gap=gap)
    cut = partial(_cut, session.recording, session.onsets[row.trial])
    return presentations.as_reading(
        source,
        ratings=row.ratings,
        signals=(cut(PLETHYSMOGRAPH, "PPG", "a.u."), cut(GSR, "EDA", eda_unit)),
        duration=VIDEO_SECONDS,
    )


def _cut(recording: bdf.Recording, onset: float, label: str, channel: str, unit: str) -> Signal:
    """A channel's samples of a video and of the lead-in, as far as they are there."""
    place = bdf.channel_named(recording, label)
    rate, n_times = recording.sampling_rate(place), recording.n_times(place)
    begin = round(onset * rate)
    first = max(begin - math.floor(LEAD_IN * rate), 0)
    last = begin + round(VIDEO_SECONDS * rate)
    if last > n_times:
        raise RecordingError(
            f"{recording.path.name}: ends {(n_times - begin) / rate:.1f} s after the onset, "
            f"{VIDEO_SECONDS:g} expected; copy it again"
        )
    samples = bdf.read_physical(recording, place, first, last)
    return Signal(channel, unit, rate, (first - begin) / rate, samples)
