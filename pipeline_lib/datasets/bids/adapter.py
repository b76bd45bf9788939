"""BIDS: physiology, events and videos of runs, each run on one clock.

A run with events gives a recording per event, a run without them is one recording.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pipeline_lib.datasets.bids.files import (
    PHYSIO,
    Event,
    number,
    physio_sidecar,
    read_events,
    read_physio,
    read_sidecar,
)
from pipeline_lib.datasets.files import ADVICE, check_root, find
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.recordings import (
    DatasetError,
    Reading,
    RecordingError,
    Signal,
    Source,
    check_signal,
)

LAYOUT = (
    "sub-01/beh/sub-01_task-watch_physio.tsv.gz with .json, sub-01_task-watch_video.mp4 and "
    "sub-01_task-watch_events.tsv"
)
_RUN = r"(sub-[A-Za-z0-9]+)((?:_(?!recording)[a-z]+-[A-Za-z0-9]+)+)"
EVENTS = "_events.tsv"
LEAD_IN = 5.0  # s kept before an event: filters settle there, before the window begins
ROUNDING = 1e-6  # samples: an event that begins on a sample includes it


def discover(root: Path) -> list[Source]:
    """One source per event, or per run without events, by file name and row.

    Of events that cannot be read, one source is made, to which `read` gives the reason. Raises
    DatasetError if `root` holds no runs.
    """
    check_root(root, layout=LAYOUT)
    physio = find(root, _RUN + r"(_recording-[A-Za-z0-9]+)?" + re.escape(PHYSIO))
    videos = {key[:2]: path for key, path in find(root, _RUN + r"_video\.(?:mp4|mov|avi)").items()}
    events = {key[:2]: path for key, path in find(root, _RUN + re.escape(EVENTS)).items()}
    runs = sorted({key[:2] for key in physio} | set(videos) | set(events))
    if not runs:
        raise DatasetError(f"{root}: no BIDS runs; expected {LAYOUT}; {ADVICE}")
    return [
        source
        for run in runs
        for source in _sources(
            *run,
            physio=[path for key, path in physio.items() if key[:2] == run],
            video=videos.get(run),
            events=events.get(run),
        )
    ]


def _sources(
    subject: str, entities: str, *, physio: list[Path], video: Path | None, events: Path | None
) -> list[Source]:
    trial = entities.removeprefix("_")
    sidecars = [*map(physio_sidecar, physio), video and video.with_suffix(".json")]
    tables = [*physio[1:], events, *sidecars]
    whole = Source(
        recording_id=f"{subject}_{trial}",
        subject=subject,
        trial=trial,
        stimulus=trial,
        order=None,
        signals=physio[0] if physio else None,
        video=video,
        tables=tuple(path for path in tables if path and path.exists()),
    )
    try:
        rows = read_events(events) if events else []
    except RecordingError:
        rows = []
    return [
        replace(
            whole,
            recording_id=f"{whole.recording_id}_{order:02d}",
            trial=f"{trial}_{order:02d}",
            stimulus=event.stimulus,
            order=order,
        )
        for order, event in enumerate(rows, start=1)
    ] or [whole]


def read(sources: Sequence[Source], *, heart: str, eda_unit: str | None) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one run
    heart    : ECG | PPG, the channel to read beside the EDA
    eda_unit : of the EDA; None takes Units of its sidecar
    """
    try:
        signals = _signals(sources[0], heart=heart, eda_unit=eda_unit)
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    yield from each(sources, partial(_read_trial, signals=signals, heart=heart))


def _signals(source: Source, *, heart: str, eda_unit: str | None) -> list[Signal]:
    """The heart channel and the EDA of a run, on its clock."""
    paths = [path for path in (source.signals, *source.tables) if path and PHYSIO in path.name]
    signals = [signal for path in paths for signal in read_physio(path, eda_unit=eda_unit)]
    channels = [signal.channel for signal in signals]
    if len(set(channels)) < len(channels):
        raise RecordingError(f"{[path.name for path in paths]} hold {channels}: one occurs twice")
    return [signal for signal in signals if signal.channel in (heart, "EDA")]


def _read_trial(source: Source, *, signals: list[Signal], heart: str) -> Reading:
    event = _event_of(source)
    if not signals and source.video is None:
        raise RecordingError(f"nothing recorded: no {heart}, no EDA, no video")
    cut = tuple(check_signal(_cut(signal, event) if event else signal) for signal in signals)
    found = {signal.channel for signal in cut}
    ratings = event.ratings if event else {}
    absent = {
        **{f"no {channel}": channel not in found for channel in (heart, "EDA")},
        "no ratings": not ratings,
        "no video": source.video is None,
    }
    return Reading(
        signals=cut,
        ratings=ratings,
        video_start=_video_start(source.video, event) if source.video else None,
        duration=event.duration if event else _end(cut),
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )


def _event_of(source: Source) -> Event | None:
    """The event of a source; None stands for the whole run."""
    tables = [path for path in source.tables if path.name.endswith(EVENTS)]
    events = read_events(tables[0]) if tables else []
    return events[source.order - 1] if source.order is not None else None


def _cut(signal: Signal, event: Event) -> Signal:
    """An event's samples, on its time axis, and what was recorded well in LEAD_IN before them."""
    rate, n_times = signal.sampling_rate, signal.samples.size
    onset, end = (
        min(max(math.ceil((time - signal.start) * rate - ROUNDING), 0), n_times)
        for time in (event.onset, event.onset + event.duration)
    )
    first = max(onset - round(LEAD_IN * rate), 0) if onset < end else onset
    gaps = np.flatnonzero(~np.isfinite(signal.samples[first:onset]))
    first += int(gaps[-1]) + 1 if gaps.size else 0
    start = signal.start + first / rate - event.onset
    return replace(signal, start=start, samples=signal.samples[first:end])


def _video_start(video: Path, event: Event | None) -> float:
    """s of the first frame, from the onset of the event or of the run."""
    sidecar = video.with_suffix(".json")
    start = number(read_sidecar(sidecar), "StartTime", sidecar) if sidecar.exists() else 0.0
    return start - (event.onset if event else 0.0)


def _end(signals: Sequence[Signal]) -> float | None:
    """s of the last sample of all; None without signals."""
    ends = [signal.start + signal.samples.size / signal.sampling_rate for signal in signals]
    return max(ends, default=None)
