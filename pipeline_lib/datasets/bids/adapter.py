"""BIDS: physiology, events and videos of runs, each run on one clock.

A run with events gives a recording per event, a run without them is one recording. Files are
joined by the entities of their names, wherever they lie: beh/ or any other folder.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.datasets.bids.events import Event, Scales, rating_scales, ratings_of, read_events
from pipeline_lib.datasets.bids.metadata import TIMES, read_rows, read_sidecar
from pipeline_lib.datasets.bids.names import File, applicable, listing, named
from pipeline_lib.datasets.bids.physio import read_physio
from pipeline_lib.datasets.files import ADVICE, check_root
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.recordings import (
    DatasetError,
    Reading,
    RecordingError,
    Signal,
    Source,
)

OFFICIAL = None  # everybody's own
LAYOUT = (
    "sub-01/beh/sub-01_task-watch_physio.tsv.gz with .json, sub-01_task-watch_video.mp4 and "
    "sub-01_task-watch_events.tsv"
)
DATA = {  # extensions, by suffix; BIDS has no suffix for videos, and no physiology in a bare .tsv
    "physio": (".tsv.gz", ".tsv"),
    "video": (".mp4", ".mov", ".avi", ".mkv", ".webm"),
    "events": (".tsv",),
}
LEAD_IN = 5.0  # s kept before an event: filters settle there, before the window begins
ROUNDING = 1e-6  # samples: an event that begins on a sample includes it


def discover(root: Path) -> list[Source]:
    """One source per event that lasts, or per run without events, by file name and row.

    Of events that cannot be read, one source is made, to which `read` gives the reason; and one
    of each participant in participants.tsv who has a folder and no runs. Raises DatasetError if
    `root` holds no runs.
    """
    check_root(root, layout=LAYOUT)
    runs: dict[str, list[File]] = defaultdict(list)
    metadata: dict[Path, list[File]] = defaultdict(list)
    for file in listing(root):
        if "sub" in file.entities and file.extension in DATA.get(file.suffix, ()):
            runs[file.run].append(file)
        if file.extension in (".json", ".tsv"):
            metadata[file.path.parent].append(file)
    if not runs:
        raise DatasetError(f"{root}: no BIDS runs; expected {LAYOUT}; {ADVICE}")
    sources = [source for run in sorted(runs) for source in _sources(run, runs[run], metadata)]
    return sources + _without_runs(metadata, {source.subject for source in sources})


def _sources(
    run: str, files: Sequence[File], metadata: Mapping[Path, Sequence[File]]
) -> list[Source]:
    """The sources of a run, which depend on all of its files and on what applies to them."""
    above = {folder for file in files for folder in file.path.parents}
    near = [file for folder in sorted(above) for file in metadata.get(folder, ())]
    physio, videos, events = ([f for f in files if f.suffix == suffix] for suffix in DATA)
    if not events:  # the same for all subjects
        shared = replace(files[0], suffix="events")
        events = applicable([f for f in near if f.extension == ".tsv"], to=shared)[-1:]
    used = [*files, *events]
    used += [sidecar for file in used for sidecar in applicable(near, to=file)
             if sidecar.extension == ".json"]  # fmt: skip
    subject = f"sub-{files[0].entities['sub']}"
    trial = run.removeprefix(f"{subject}_")
    signals = physio[0].path if physio else None
    video = videos[0].path if videos else None
    tables = dict.fromkeys(file.path for file in used if file.path not in (signals, video))
    whole = Source(run, subject, trial, trial, None, signals, video, tables=tuple(tables))
    try:
        rows = read_events(events[0].path) if events else []
    except RecordingError:
        rows = []
    return [
        replace(
            whole,
            recording_id=f"{run}_{order:02d}",
            trial=f"{trial}_{order:02d}",
            stimulus=event.stimulus,
            order=order,
        )
        for order, event in enumerate(rows, start=1)
    ] or [whole]


def _without_runs(metadata: Mapping[Path, Sequence[File]], seen: set[str]) -> list[Source]:
    tables = [f.path for files in metadata.values() for f in files if f.suffix == "participants"]
    listed = {path for table in tables if table.suffix == ".tsv" for path in _participants(table)}
    return [
        Source(folder.name, folder.name, "no run", "no run", None, None, None)
        for folder in sorted(listed)
        if folder.name not in seen and folder.is_dir()
    ]


def _participants(table: Path) -> list[Path]:
    """The folders of those whom a participants.tsv lists."""
    try:
        names = [cells.get("participant_id", "") for _, cells in read_rows(table)]
    except RecordingError as error:
        raise DatasetError(str(error)) from None
    return [table.parent / name for name in names if re.fullmatch("sub-[A-Za-z0-9+]+", name)]


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one run
    heart    : ECG | PPG, the channel to read beside the EDA
    eda_unit : of the EDA; None takes Units of its sidecar

    Raises DatasetError if `eda_unit` is given by site, of which BIDS knows nothing.
    """
    if isinstance(eda_unit, dict):
        raise DatasetError(
            "BIDS has no sites but a unit in each sidecar; set datasets.<name>.eda_unit to null"
        )
    return _read(sources, heart, eda_unit)


@dataclass(frozen=True)
class _Run:
    signals: tuple[Signal, ...]  # heart and EDA, on the run's clock
    video_start: float | None  # s on the run's clock
    events: Sequence[Event]
    scales: Scales  # of ratings


def _read(sources: Sequence[Source], heart: str | None, eda_unit: str | None) -> Iterator[Outcome]:
    channels = tuple(channel for channel in (heart, "EDA") if channel)
    try:
        run = _read_run(sources[0], channels=channels, eda_unit=eda_unit)
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    yield from each(sources, partial(_read_trial, run=run, channels=channels))


def _read_run(source: Source, *, channels: Sequence[str], eda_unit: str | None) -> _Run:
    paths = [path for path in (source.signals, source.video, *source.tables) if path]
    files = [file for path in paths if (file := named(path))]
    data = [file for file in files if file.extension in DATA.get(file.suffix, ())]
    physio, videos, events = ([f for f in data if f.suffix == suffix] for suffix in DATA)
    for kind in (videos, events):
        if len(kind) > 1:
            raise RecordingError(f"{[file.path.name for file in kind]} are of one run; keep one")
    signals = [s for file in physio for s in read_physio(file, files, eda_unit=eda_unit)]
    found = [signal.channel for signal in signals]
    if len(set(found)) < len(found):
        raise RecordingError(
            f"{[file.path.name for file in physio]} hold {found}: one occurs twice"
        )
    return _Run(
        signals=tuple(signal for signal in signals if signal.channel in channels),
        video_start=_video_start(videos[0], files) if videos else None,
        events=read_events(events[0].path) if events else [],
        scales=rating_scales(read_sidecar(events[0], files)) if events else {},
    )


def _video_start(video: File, files: Sequence[File]) -> float:
    """s of the first frame on the run's clock, which starts with it if nothing else is said."""
    sidecar = read_sidecar(video, files)
    return sidecar.number("StartTime", low=TIMES[0], high=TIMES[1]) if sidecar else 0.0


def _read_trial(source: Source, *, run: _Run, channels: Sequence[str]) -> Reading:
    event = run.events[source.order - 1] if source.order is not None else None
    if not run.signals and run.video_start is None:
        absent = ", ".join(f"no {channel}" for channel in channels)
        raise RecordingError(f"nothing recorded: {absent}, no video")
    signals = tuple(_cut(s, event) if event else s for s in run.signals)
    ratings = ratings_of(event, run.scales) if event else {}
    onset = event.onset if event else 0.0
    return Reading(
        signals=signals,
        ratings=ratings,
        video_start=run.video_start - onset if run.video_start is not None else None,
        duration=event.duration if event else _end(signals),
        missing=_missing(run, ratings, channels),
    )


def _missing(run: _Run, ratings: Mapping[str, float], channels: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each thing that is not there."""
    found = {signal.channel for signal in run.signals}
    rated = [name for name in TARGETS if name in ratings]
    absent = {
        **{f"no {channel}": channel not in found for channel in channels},
        "no ratings": not ratings,
        **{f"no {name}": bool(ratings) and name not in ratings for name in TARGETS},
        **{f"no scale of {name} in events.json": name not in run.scales for name in rated},
        "no video": run.video_start is None,
    }
    return tuple(sentence for sentence, is_absent in absent.items() if is_absent)


def _cut(signal: Signal, event: Event) -> Signal:
    """An event's samples, on its time axis, and what was recorded well in LEAD_IN before them."""
    rate, n_times = signal.sampling_rate, signal.samples.size
    onset, end = (
        math.ceil(min(max((time - signal.start) * rate - ROUNDING, 0), n_times))
        for time in (event.onset, event.onset + event.duration)
    )
    first = max(onset - round(LEAD_IN * rate), 0) if onset < end else onset
    gaps = np.flatnonzero(~np.isfinite(signal.samples[first:onset]))
    first += int(gaps[-1]) + 1 if gaps.size else 0
    start = signal.start + first / rate - event.onset
    return replace(signal, start=start, samples=signal.samples[first:end])


def _end(signals: Sequence[Signal]) -> float | None:
    """s of the last sample of all; None without signals."""
    ends = [signal.start + signal.samples.size / signal.sampling_rate for signal in signals]
    return max(ends, default=None)
