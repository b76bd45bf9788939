"""What every adapter hands back: each source beside its reading, or beside what is wrong.

The EDA leaves an adapter in the unit of the files; here, for all of them, it becomes conductance.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pipeline_lib.physio.units import conductance
from pipeline_lib.recordings import Reading, RecordingError, Source

Outcome = tuple[Source, Reading | RecordingError]

RATINGS = (1.0, 9.0)  # the scale of AMIGOS and DEAP


def each(sources: Sequence[Source], read: Callable[[Source], Reading]) -> Iterator[Outcome]:
    """Yield every source with its reading, or with the RecordingError that `read` raised."""
    for source in sources:
        outcome: Reading | RecordingError
        try:
            outcome = _in_conductance(read(source))
        except RecordingError as error:
            outcome = error
        yield source, outcome


def _in_conductance(reading: Reading) -> Reading:
    signals = tuple(conductance(s) if s.channel == "EDA" else s for s in reading.signals)
    return replace(reading, signals=signals)


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
