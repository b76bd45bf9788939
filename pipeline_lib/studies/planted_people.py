"""People drawn for planted twins: action units with sparse expressions, pulse, skin conductance.

Noise is drawn on a circle, its end running into its beginning: no place in a recording is special,
so a cut of it does not tell where it was, not even after the recording's mean is taken off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.core.schema import VISUAL

Floats = npt.NDArray[np.float64]
Event = tuple[float, int]  # when it begins, s, and its kind, 0 or 1

EVENT_SECONDS = 5.0
COLUMNS = VISUAL["stressid42"]
INTENSITIES = tuple(name for name in COLUMNS if name.endswith("_r"))
PRESENT = 1.0  # intensity from which a unit is present
# What a face shows: in an event of either kind, and now and then besides; AU -> intensity, 0-5.
EXPRESSIONS = ({"AU04_r": 2.5, "AU15_r": 1.5, "AU17_r": 1.8},  # a frown
               {"AU06_r": 1.8, "AU12_r": 2.5, "AU25_r": 1.2})  # a smile  # fmt: skip
HABITS = (({"AU45_r": 2.0}, 0.25, 0.5),  # blinks: AU -> intensity, how often (Hz), how long (s)
          ({"AU01_r": 1.5, "AU02_r": 1.2}, 0.05, 2.0),  # raised brows
          ({"AU25_r": 1.0, "AU26_r": 1.0}, 0.05, 3.0))  # talk  # fmt: skip


@dataclass(frozen=True)
class Person:
    """What the recordings of one person have in common."""

    rest: Floats  # (42,) of the face at rest
    expressive: float  # factor of expressions
    heart_rate: float  # 1/s
    pulse: float  # amplitude of the heart signal
    conductance: float  # uS, level
    response: float  # uS, height of a skin conductance response

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Person":
        spans = ((0.7, 1.3), (0.95, 1.35), (0.7, 1.4), (2.0, 12.0), (0.4, 1.0))
        return cls(rng.normal(0.0, 0.3, len(COLUMNS)), *(float(rng.uniform(*s)) for s in spans))


def face(
    person: Person,
    events: Sequence[Event],
    *,
    seconds: float,
    fps: float,
    rng: np.random.Generator,
) -> Floats:
    """(n_frames, 42), columns as schema.VISUAL["stressid42"]; events smile (1) or frown (0)."""
    time = np.arange(round(seconds * fps)) / fps
    drift = _noise(len(COLUMNS), time.size, memory=0.5 * fps, rng=rng)
    shown = person.rest + 0.2 * drift
    for units, rate, lasting in HABITS:
        moves = rng.uniform(0.5, 1.5, time.size) * (rng.random(time.size) < rate / fps)
        course = np.hanning(round(lasting * fps) + 2)[1:-1]
        shown += np.outer(_around(moves[:, None], course), _weights(units))
    for start, kind in events:
        course = np.sin(np.pi * _passed(time, start)) ** 2
        shown += person.expressive * np.outer(course, _weights(EXPRESSIONS[kind]))
    table = dict(zip(COLUMNS, shown.T, strict=True))
    for name in INTENSITIES:
        table[name] = table[name].clip(0, 5)  # 0 most of the time, as in a face at rest
        if (presence := f"{name[:-2]}_c") in table:
            table[presence] = (table[name] > PRESENT).astype(np.float64)
    return np.stack([table[name] for name in COLUMNS], axis=1)


def body(
    person: Person,
    events: Sequence[Event],
    *,
    seconds: float,
    sampling_rate: float,
    rng: np.random.Generator,
) -> Floats:
    """(n_times, 2), heart and EDA; events are skin conductance responses (1) or sighs (0)."""
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    strength, haste, tonic = _noise(3, time.size, memory=1.0 * sampling_rate, rng=rng).T
    beats = rng.random() + np.cumsum(1 + 0.05 * haste) * person.heart_rate / sampling_rate
    wave = np.sin(2 * np.pi * beats) + 0.4 * np.sin(4 * np.pi * beats + 1.0)
    heart = person.pulse * (1 + 0.1 * strength) * wave + rng.normal(0.0, 0.05, time.size)
    eda = person.conductance * rng.uniform(0.9, 1.1) + 0.04 * tonic
    for start, kind in events:
        passed = _passed(time, start)
        if kind:  # up within 0.7 s, back in 4.3 s
            eda += person.response * 19.2 * passed * np.exp(-6.0 * passed) * (1 - passed)
        else:  # one deep breath moves the baseline
            heart += 1.5 * person.pulse * np.sin(2 * np.pi * passed)
    return np.stack([heart, eda], axis=1)


def _weights(units: Mapping[str, float]) -> Floats:
    """(42,), 0 but for these units."""
    return np.array([units.get(name, 0.0) for name in COLUMNS])


def _passed(time: Floats, start: float) -> Floats:
    """Share of an event that has passed, 0 before and 1 after it."""
    passed: Floats = ((time - start) / EVENT_SECONDS).clip(0, 1)
    return passed


def _noise(n: int, n_times: int, *, memory: float, rng: np.random.Generator) -> Floats:
    """(n_times, n) of deviation 1 that falls to 1/e in `memory` samples, on a circle."""
    kernel = np.exp(-np.arange(n_times) / memory)
    return _around(rng.normal(size=(n_times, n)), kernel / np.linalg.norm(kernel))


def _around(x: Floats, kernel: Floats) -> Floats:
    """Columns of (n_times, n) convolved on a circle with a kernel (at most n_times,)."""
    n_times = len(x)
    spectrum = np.fft.rfft(x, axis=0) * np.fft.rfft(kernel, n_times)[:, None]
    return np.fft.irfft(spectrum, n_times, axis=0)
