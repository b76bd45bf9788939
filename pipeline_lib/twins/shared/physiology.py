"""Bodies of synthetic subjects: ECG, PPG and skin conductance, from NeuroKit2's simulators.

Arousal raises the heart rate by 25 - 35 a minute and brings two or three skin-conductance
responses where calm has one at most. Subjects differ by more than that in their levels.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAINS = 50.0  # Hz
BEAT_SAMPLES = 250  # a beat
ADAPTATION = 1.0  # s, time constant of the heart rate
ARTEFACT_SHARE = 0.1  # of the signals
ARTEFACT_SECONDS = 0.3


@dataclass(frozen=True)
class Body:
    heart_rate: float  # 1/min, calm
    rise: float  # 1/min, when aroused
    beats: Floats  # ECG or PPG, once a second
    conductance: float  # uS
    response: float  # uS, height of a skin-conductance response
    hum: float  # share of the mains in a signal's amplitude


def draw_body(channel: Literal["ECG", "PPG"], *, seconds: float, rng: np.random.Generator) -> Body:
    """Draw a subject for recordings of at most `seconds` s."""
    heart_rate, rise = float(rng.uniform(58, 78)), float(rng.uniform(25, 35))
    n_beats = math.ceil((heart_rate + rise + 10) / 60 * seconds) + 1
    return Body(
        heart_rate=heart_rate,
        rise=rise,
        beats=_simulate_beats(channel, n_beats, rng),
        conductance=float(rng.uniform(2, 12)),
        response=float(rng.uniform(0.3, 1.0)),
        hum=float(rng.uniform(0.02, 0.1)),
    )


def _simulate_beats(
    channel: Literal["ECG", "PPG"], n_beats: int, rng: np.random.Generator
) -> Floats:
    """(n_beats * BEAT_SAMPLES,) of a heart that beats once a second, heights of about 1."""
    import neurokit2 as nk

    options = {
        "duration": n_beats,
        "sampling_rate": BEAT_SAMPLES,
        "heart_rate": 60,
        "random_state": int(rng.integers(2**31)),
    }
    if channel == "ECG":
        return np.asarray(nk.ecg_simulate(**options, noise=0, method="ecgsyn"))
    quiet = {"drift": 0, "motion_amplitude": 0, "powerline_amplitude": 0}
    return np.asarray(nk.ppg_simulate(**options, **quiet))


def heart(
    body: Body,
    *,
    aroused: int,
    lead_in: float,
    seconds: float,
    sampling_rate: float,
    rng: np.random.Generator,
) -> Floats:
    """(n_times,) ECG or PPG, heights of about 1, from `lead_in` s before the stimulus.

    The simulated heart beats steadily: time is bent to give it a rate that changes.
    """
    time = _time(lead_in, seconds, sampling_rate)
    breath = np.sin(2 * np.pi * (0.25 * time + rng.random()))
    rate = body.heart_rate + rng.normal(0, 1) + 2 * breath  # 1/min
    rate += aroused * body.rise * -np.expm1(-time.clip(0) / ADAPTATION)
    beat = rng.random() + np.cumsum(rate) / 60 / sampling_rate
    clean = np.interp(beat * BEAT_SAMPLES, np.arange(len(body.beats)), body.beats)
    return disturb(clean, hum=body.hum, drift=0.2, time=time, rng=rng)


def skin_conductance(
    body: Body,
    *,
    aroused: int,
    lead_in: float,
    seconds: float,
    sampling_rate: float,
    rng: np.random.Generator,
) -> Floats:
    """(n_times,) uS, from `lead_in` s before the stimulus; responses come after its onset."""
    import neurokit2 as nk

    time = _time(lead_in, seconds, sampling_rate)
    n_responses = int(rng.integers(2, 4) if aroused else rng.integers(0, 2))
    first = int(np.searchsorted(time, rng.uniform(0.0, 1.0)))
    simulated = nk.eda_simulate(
        duration=math.ceil(seconds),  # whole, or its length is off by one
        sampling_rate=round(sampling_rate),
        scr_number=n_responses,
        noise=0,
        drift=0,
        random_state=int(rng.integers(2**31)),
    )
    responses = np.zeros(len(time))
    responses[first:] = simulated[: len(time) - first] - 1.0  # 1 is the simulator's level
    level = body.conductance * rng.uniform(0.9, 1.1)
    size = body.response * rng.uniform(0.8, 1.2)
    noise = disturb(np.zeros(len(time)), hum=body.hum, drift=0.3, time=time, rng=rng)
    return level + size * responses + 0.05 * body.response * noise


def disturb(
    x: Floats, *, hum: float, drift: float, time: Floats, rng: np.random.Generator
) -> Floats:
    """Add mains, white noise, slow drift and now and then an artefact to a signal of height 1."""
    mains = hum * np.sin(2 * np.pi * (MAINS * time + rng.random()))
    wander = drift * np.sin(2 * np.pi * (rng.uniform(0.02, 0.1) * time + rng.random()))
    disturbed = x + mains + wander + rng.normal(0, 0.02, len(x))
    if rng.random() < ARTEFACT_SHARE:
        start = rng.uniform(time[0], time[-1] - ARTEFACT_SECONDS)
        hit = (time >= start) & (time < start + ARTEFACT_SECONDS)
        disturbed[hit] += rng.normal(0, 1.0, int(hit.sum()))
    return disturbed


def _time(lead_in: float, seconds: float, sampling_rate: float) -> Floats:
    """s from stimulus onset."""
    return np.arange(round((lead_in + seconds) * sampling_rate)) / sampling_rate - lead_in
