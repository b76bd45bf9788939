"""A synthetic session as the amplifiers of DEAP's two sites recorded it: one BDF of all trials.

The body is that of the .dat, at 512 Hz. A video lasts 60 s here, however short the twin's are:
after them the body does the same backwards, to and fro.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.datasets.deap.presentations import FIRST_IN_GENEVA
from pipeline_lib.twins.deap import bdf

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAMPLING_RATE = 512  # Hz
VIDEO_SECONDS = 60
FIXATION_SECONDS = 5, 3  # before and after
RATING_SECONDS = 3, 15  # at least, and less than
OPENING_SECONDS, CLOSING_SECONDS = 4, 1
START_SECOND = 1  # of the opening
PULSE = 40  # samples that a code lasts
START, SYNC, FIXATION, VIDEO, AFTER, END = 1, 2, 3, 4, 5, 7  # codes
BASELINE = RATING = START

FIRST_UNLABELLED = 24  # participant from whom on Status has no label, and high bits
FIRST_DOUBLED = 29  # participant from whom on there are two channels without a label
LOSES_ONSETS = 28  # participant
HIGH_BITS = 0x18FF00
FIRST_SECOND = 0x010000  # a bit of the first second only
IN_RANGE = 0x100000  # a bit that falls in the middle of each VIDEO, for a second
NOISE = 10.0  # of the channels that nobody reads, in their units
_SCHEDULE, _NOISE = 1, 2  # parts of seeds

_TWENTE = ("Fp1 AF3 F7 F3 FC1 FC5 T7 C3 CP1 CP5 P7 P3 Pz PO3 O1 Oz "
           "O2 PO4 P4 P8 CP6 CP2 C4 T8 FC6 FC2 F4 F8 AF4 Fp2 Fz Cz")  # fmt: skip
_GENEVA = ("Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz "
           "Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2")  # fmt: skip
_OTHERS = ("EXG1 EXG2 EXG3 EXG4 EXG5 EXG6 EXG7 EXG8 GSR1 GSR2 Erg1 Erg2 "
           "Resp Plet Temp")  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """A trial's place in a session: fixation, video, fixation, rating."""

    start: int  # s
    seconds: int
    onset: int  # of the video, samples from the start

    @property
    def start_time(self) -> float:
        """s from the START of the experiment to the video"""
        return self.start + self.onset / SAMPLING_RATE - START_SECOND


@dataclass(frozen=True)
class Body:
    """What a trial's body did."""

    ppg: Floats  # (n_times,) a.u.
    conductance: Floats  # (n_times,) uS
    sampling_rate: int  # Hz
    lead_in: float  # s before the video


def schedule(n_trials: int, *, seed: Sequence[int]) -> list[Slot]:
    """Trials one after the other, whose onsets lie anywhere in a second."""
    rng = np.random.default_rng([*seed, _SCHEDULE])
    slots = []
    start = OPENING_SECONDS
    for rating in rng.integers(*RATING_SECONDS, n_trials):
        seconds = sum(FIXATION_SECONDS) + VIDEO_SECONDS + int(rating)
        onset = FIXATION_SECONDS[0] * SAMPLING_RATE + int(rng.integers(1, SAMPLING_RATE))
        slots.append(Slot(start, seconds, onset))
        start += seconds
    return slots


def write(
    path: Path, *, number: int, slots: Sequence[Slot], bodies: Sequence[Body], seed: Sequence[int]
) -> None:
    """Write a participant's .bdf, trials in the order of presentation."""
    rng = np.random.default_rng([*seed, _NOISE])
    channels = _channels(number)
    n_records = slots[-1].start + slots[-1].seconds + CLOSING_SECONDS
    with path.open("wb") as file:
        file.write(bdf.header(channels, n_records=n_records, sampling_rate=SAMPLING_RATE))
        for status, signals in _blocks(number, slots, bodies):
            samples = rng.normal(0, NOISE, (len(channels), len(status)))
            for channel, row in zip(channels, samples, strict=True):
                row[:] = signals.get(channel.label, row)
            samples[-1] = status
            if number >= FIRST_DOUBLED:  # what it holds in the real files is not known [?]
                samples[-2] = np.roll(status, SAMPLING_RATE)
            file.write(bdf.records(samples, channels, sampling_rate=SAMPLING_RATE))


def _channels(number: int) -> list[bdf.Channel]:
    """Those of the participant's site; the last one is Status, with a label or without."""
    geneva = number >= FIRST_IN_GENEVA
    usual = ("uV", (-(2**18), 2**18 - 1))
    gsr = ("Ohm", bdf.DIGITAL) if geneva else ("nS", (-(2**17), 2**17 - 1))
    special = {"GSR1": gsr, "GSR2": gsr, "Plet": ("uV", (-(2**15), 2**15 - 1))}
    labels = [*(_GENEVA if geneva else _TWENTE).split(), *_OTHERS.split()]
    unlabelled = [""] * ((number >= FIRST_UNLABELLED) + (number >= FIRST_DOUBLED))
    return [
        *(bdf.Channel(label, *special.get(label, usual)) for label in labels),
        *(bdf.Channel(label, "Boolean", bdf.DIGITAL) for label in unlabelled or ["Status"]),
    ]


def _blocks(
    number: int, slots: Sequence[Slot], bodies: Sequence[Body]
) -> Iterator[tuple[Integers, dict[str, Floats]]]:
    """Yield Status and the signals by label, of the opening, of each trial and of the end."""
    second = SAMPLING_RATE
    codes = {START_SECOND * second: START, 2 * second: BASELINE, 3 * second: SYNC}
    opening = _status(number, OPENING_SECONDS, codes)
    if number >= FIRST_UNLABELLED:
        opening[:second] |= FIRST_SECOND
    yield opening, {}
    lost = len(slots) // 2 if number == LOSES_ONSETS else None
    for i, (slot, body) in enumerate(zip(slots, bodies, strict=True)):
        end = slot.onset + VIDEO_SECONDS * second
        codes = {0: FIXATION, end: AFTER, end + FIXATION_SECONDS[1] * second: RATING}
        video = {} if i == lost else {slot.onset: VIDEO}
        yield _status(number, slot.seconds, codes | video), _signals(number, slot, body)
    yield _status(number, CLOSING_SECONDS, {0: SYNC, second // 2: END}), {}


def _status(number: int, seconds: int, codes: Mapping[int, int]) -> Integers:
    """(n_times,) with each code for a moment from its sample on."""
    status = np.zeros(seconds * SAMPLING_RATE, int)
    for at, code in codes.items():
        status[at : at + PULSE] = code
    if number >= FIRST_UNLABELLED:
        status |= HIGH_BITS
        for at in (at for at, code in codes.items() if code == VIDEO):
            status[at + PULSE // 2 :][:SAMPLING_RATE] ^= IN_RANGE
    return status


def _signals(number: int, slot: Slot, body: Body) -> dict[str, Floats]:
    """By label: (n_times,) of a trial at 512 Hz, GSR in the unit of the participant's site."""
    geneva = number >= FIRST_IN_GENEVA
    gsr = 1e6 / body.conductance if geneva else 1e3 * body.conductance
    return {"Plet": _stretch(body.ppg, slot, body), "GSR1": _stretch(gsr, slot, body)}


def _stretch(x: Floats, slot: Slot, body: Body) -> Floats:
    """Put what begins with the baseline into its slot, to and fro where it is too short."""
    from scipy.signal import resample_poly

    upsampled = resample_poly(x, SAMPLING_RATE, body.sampling_rate, padtype="antireflect")
    before = slot.onset - round(body.lead_in * SAMPLING_RATE)
    n_times = slot.seconds * SAMPLING_RATE
    after = max(n_times - before - len(upsampled), 0)
    return np.asarray(np.pad(upsampled, (before, after), mode="reflect")[:n_times])
