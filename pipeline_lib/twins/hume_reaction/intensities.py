"""The planted intensities: what a synthetic clip shows, how it is labelled, what can be known.

A clip has two levels, 0 to 1, each near one of its ends: what the face shows, and what the voice
does. Valence is the face's level and arousal the voice's in the share `effect` of clips; in the
others they are drawn anew, at the end that the plan says. Each class is as intense as the least of
what it takes: of valence or its opposite, of arousal or its opposite. A rating is off by a little.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.datasets.hume_reaction.tables import CLASSES
from pipeline_lib.twins.shared.plan import Trial

Floats = npt.NDArray[np.float64]

TAKES = {  # class -> the ends of valence and arousal for which it stands; None: for both
    "Adoration": (1, 0),
    "Amusement": (1, None),
    "Anxiety": (0, 1),
    "Disgust": (0, None),
    "Empathic-Pain": (0, 0),
    "Fear": (0, 1),
    "Surprise": (None, 1),
}
LEVELS = ((0.0, 0.4), (0.6, 1.0))  # of the low end and of the high one
INACCURACY = 0.1  # by which a rating may be off, as long as it stays at its end
STEPS = 20  # of each range of which `best_pearson` takes the mean


@dataclass(frozen=True)
class Reaction:
    """What a clip shows, 0 to 1."""

    face: float
    voice: float


def draw(trial: Trial, rng: np.random.Generator) -> Reaction:
    """Levels at the ends that the trial's cues say."""
    face, voice = (rng.uniform(*LEVELS[cue]) for cue in (trial.face, trial.body))
    return Reaction(float(face), float(voice))


def label(
    reaction: Reaction, trial: Trial, *, effect: float, rng: np.random.Generator
) -> dict[str, float]:
    """Intensity of each class, 0 to 1."""
    valence = _felt(reaction.face, trial.face, trial.valence, effect=effect, rng=rng)
    arousal = _felt(reaction.voice, trial.body, trial.arousal, effect=effect, rng=rng)
    found = planted(np.array(valence), np.array(arousal))
    return {name: float(_rated(found[name], rng.uniform(-1, 1))) for name in CLASSES}


def _felt(level: float, cue: int, felt: int, *, effect: float, rng: np.random.Generator) -> float:
    """The level that is shown, or one of its own: always if the plan turned the label.

    It turns (1 - effect) / 2 of them. As many others are drawn anew too, or how extreme a level
    is would be known where there is no effect.
    """
    anew = float(rng.uniform(*LEVELS[felt]))
    by_chance = rng.random() < (1 - effect) / (1 + effect)
    return anew if felt != cue or by_chance else level


def planted(valence: Floats, arousal: Floats) -> dict[str, Floats]:
    """Intensity of each class, 0 to 1, before it is rated; levels of one shape."""
    return {
        name: np.minimum(_towards(valence, ends[0]), _towards(arousal, ends[1]))
        for name, ends in TAKES.items()
    }


def best_pearson(effect: float) -> dict[str, dict[str, float]]:
    """The best correlation that anything can have with a class, knowing a clip's levels.

    effect  : of params.Twin
    returns : face | voice | both -> class -> correlation

    The best estimate is the mean label given what is known, and its correlation with the labels is
    its standard deviation over theirs. A level counts in the share `effect` of clips, and both
    together in effect squared.
    """
    middles = (np.arange(STEPS) + 0.5) / STEPS
    levels = np.concatenate([low + (high - low) * middles for low, high in LEVELS])
    face, voice = np.meshgrid(levels, levels, indexing="ij")
    found: dict[str, dict[str, float]] = {"face": {}, "voice": {}, "both": {}}
    for name, intensity in planted(face, voice).items():
        rated = _rated(intensity[..., None], 2 * middles - 1)
        expected = rated.mean(axis=-1)
        by_face = expected.mean(axis=1, keepdims=True) - expected.mean()
        by_voice = expected.mean(axis=0, keepdims=True) - expected.mean()
        together = expected - expected.mean() - by_face - by_voice
        known = effect * (by_face + by_voice) + effect**2 * together
        found["face"][name] = float(effect * by_face.std() / rated.std())
        found["voice"][name] = float(effect * by_voice.std() / rated.std())
        found["both"][name] = float(known.std() / rated.std())
    return found


def _towards(level: Floats, end: int | None) -> Floats:
    if end is None:
        return np.ones_like(level)
    return level if end == 1 else 1 - level


def _rated(intensity: Floats, luck: Floats | float) -> Floats:
    """An intensity off by `luck` (-1 to 1) times INACCURACY, but still at its end."""
    is_high = intensity >= LEVELS[1][0] - 1e-9  # 1 - 0.4 is a little less than 0.6
    low, high = (np.where(is_high, LEVELS[1][i], LEVELS[0][i]) for i in (0, 1))
    rated: Floats = np.clip(intensity + INACCURACY * luck, low, high)
    return rated
