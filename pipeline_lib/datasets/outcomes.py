"""What every adapter hands back: each source beside its reading, or beside what is wrong.

Signals leave an adapter as they are in the files; here, for all of them, they are checked, and the
EDA becomes conductance.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pipeline_lib.physio.units import conductance
from pipeline_lib.recordings import Reading, RecordingError, Signal, Source, check_signal

Outcome = tuple[Source, Reading | RecordingError]

RATINGS = (1.0, 9.0)  # the scale of AMIGOS and DEAP


def each(sources: Sequence[Source], read: Callable[[Source], Reading]) -> Iterator[Outcome]:
    """Yield every source with its reading, or with the RecordingError that `read` raised."""
    for source in sources:
        outcome: Reading | RecordingError
        try:
            outcome = _usable(source, read(source))
        except RecordingError as error:
            outcome = error
        yield source, outcome


def _usable(source: Source, reading: Reading) -> Reading:
    """The reading without the channels that cannot be used, which it then lacks.

    A bad electrode costs a trial neither its video nor its other channel. Raises RecordingError
    if nothing else was recorded.
    """
    usable, unusable = [], []
    for signal in reading.signals:
        try:
            usable.append(_checked(signal))
        except RecordingError as error:
            unusable.append(str(error))
    if unusable and not usable and source.video is None and source.audio is None:
        raise RecordingError("; ".join([*unusable, *reading.missing]))
    return replace(reading, signals=tuple(usable), missing=(*unusable, *reading.missing))


def _checked(signal: Signal) -> Signal:
    checked = check_signal(signal)
    return conductance(checked) if signal.channel == "EDA" else checked


def ratings_of(*, valence: float, arousal: float) -> dict[str, float]:
    """Both ratings by name, or {} if one is NaN; RecordingError if one lies outside 1 - 9."""
    ratings = {"valence": valence, "arousal": arousal}
    if any(math.isnan(rating) for rating in ratings.values()):
        return {}
    low, high = RATINGS
    for name, rating in ratings.items():
        if not low <= rating <= high:
            raise RecordingError(f"{name} is rated {rating:g}, outside {low:g} - {high:g}")
    return ratings
