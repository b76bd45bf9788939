"""Voices of synthetic subjects: eSpeak NG's, which differ in timbre and pitch.

A calm voice speaks slowly and evenly; an aroused one is quicker, higher and livelier.
"""

import io
import math
import subprocess
import sys
import wave
from dataclasses import astuple, dataclass

import numpy as np

from pipeline_lib.twins.shared import espeak
from pipeline_lib.video.encode import Track

LINES = (
    "Oh my goodness.",
    "Look at that.",
    "I did not see that coming.",
    "What is going on there?",
    "Well, that is something.",
    "I have never seen one before.",
)
SHORTEST = 0.5  # s, that a line lasts at least
TIMBRES = ("en-us+f2", "en-us+m3", "en-us+f4", "en-us+m7", "en+f3", "en+m1")


@dataclass(frozen=True)
class Speaker:
    timbre: str  # as eSpeak names voice and variant
    pitch: int  # percent, calm


@dataclass(frozen=True)
class Manner:
    rate: int  # words a minute
    lift: int  # percent, above the speaker's pitch
    range: int  # percent, of the pitch


CALM = Manner(rate=120, lift=0, range=20)
AROUSED = Manner(rate=260, lift=40, range=95)


def draw_speaker(rng: np.random.Generator) -> Speaker:
    return Speaker(str(rng.choice(TIMBRES)), int(rng.integers(30, 60)))


def manner(aroused: float) -> Manner:
    """From CALM, 0, to AROUSED, 1."""
    ends = zip(astuple(CALM), astuple(AROUSED), strict=True)
    return Manner(*(round(calm + aroused * (most - calm)) for calm, most in ends))


def speak(speaker: Speaker, *, aroused: float, seconds: float, rng: np.random.Generator) -> Track:
    """Some of LINES, one after the other, for exactly `seconds`; aroused: 0 to 1."""
    text = " ".join(rng.choice(LINES, math.ceil(seconds / SHORTEST)))
    track = say(text, speaker, manner(aroused))
    return Track(track.samples[: round(seconds * track.sampling_rate)], track.sampling_rate)


def say(text: str, speaker: Speaker, manner: Manner) -> Track:
    """Synthesise a text; the same text is the same sound.

    Raises RuntimeError if eSpeak has no such voice.
    """
    settings = (manner.rate, speaker.pitch + manner.lift, manner.range)
    command = [sys.executable, "-I", espeak.__file__, speaker.timbre, *map(str, settings), text]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{text!r} cannot be said: {done.stderr.decode().strip()}")
    with wave.open(io.BytesIO(done.stdout)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return Track(samples, file.getframerate())
