"""Action units and signals drawn from planted models: what a system sees, it should find.

`planted` is small and quick. A `Twin` is closer to people, and its best possible score is known.
In both, valence shows in the video alone and arousal in the physiology alone. The two are drawn
apart from each other, so a system that sees one modality cannot know the other's target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core import seeds
from pipeline_lib.core.schema import FEATURES, TARGETS
from pipeline_lib.stored_features.trials import N_VISUAL, Array
from pipeline_lib.studies.planted_people import EVENT_SECONDS, Event, Person, body, face

Cue = Literal["kind", "order"]

FPS, SAMPLING_RATE = 4.0, 16.0  # Hz
SECONDS = 8.0  # of a recording of `planted`
CUT_SECONDS, N_CUTS = 10.0, 3  # that make up a recording of a twin
CHANCE = 0.5
FAVOURS = (0.25, 0.75)  # how often a person of a twin is high: half of the people each


def planted(
    *, n_subjects: int = 14, trials: int = 4, video: float = 2.0, physiology: float = 1.0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features, and one fold: three subjects to test, three to validate, the others to train.

    Valence lifts ten of the visual features; arousal makes the EDA rise, not fall.

    video      : what valence adds to features whose noise has deviation 1
    physiology : slope of the EDA, 1/s, whose noise has deviation 1
    """
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * SAMPLING_RATE) / SAMPLING_RATE
    rows, roles = [], []
    for subject in range(n_subjects):
        role = "test" if subject < 3 else "validation" if subject < 6 else "train"
        for trial in range(trials):
            valence, arousal = (int(x) for x in rng.integers(0, 2, 2))
            visual = rng.normal(size=(round(SECONDS * FPS), N_VISUAL))
            visual[:, :10] += video * valence
            eda = physiology * (2 * arousal - 1) * time + rng.normal(size=time.size)
            physio = np.stack([rng.normal(size=time.size), eda], axis=1)
            name = f"{subject:02}_{trial}"
            rows.append(_row(name, str(subject), visual, physio, (valence, arousal)))
            roles.append((0, name, str(subject), role))
    fold = pl.DataFrame(roles, schema=["fold", "recording_id", "subject", "role"], orient="row")
    return _table(rows), fold


def without(features: pl.DataFrame, recordings: pl.Expr, modality: str) -> pl.DataFrame:
    """The features with one modality taken out of some of the recordings."""
    count = {"visual": "n_frames", "physio": "n_times"}[modality]
    return features.with_columns(
        pl.when(recordings).then(None).otherwise(modality).alias(modality),
        pl.when(recordings).then(0).otherwise(count).alias(count),
    )


@dataclass(frozen=True)
class Twin:
    """A planted model; its recordings last three cuts of 10 s.

    In each modality by itself a cue, 0 or 1, sets the kinds of events, see planted_people.

    cue    : kind: all events are of the cue's kind, one in each cut. order: an event of the cue's
             kind in the first cut, one of the other kind in the last, none in between, so that no
             10 s of the recording, wherever they begin, show both
    effect : each label agrees with its cue with probability (1 + effect) / 2

    People differ in face, strength and level, and in how often they are high (FAVOURS), which no
    feature tells: a person's labels tell what that person's others are, and nobody else's.
    """

    cue: Cue
    effect: float

    def bound(self, *, sees_cue: bool, knows_order: bool) -> float:
        """The best possible accuracy on people who were never met.

        sees_cue    : whether a system reads the modality with the target's cue
        knows_order : whether it knows what of it came first. Who reads cuts of 10 s apart from
                      each other, without their places, does not: both orders are made of the same
                      cuts, so no cut, and no mean over cuts, tells them. Means over time do not
        """
        told = sees_cue and (knows_order or self.cue != "order")
        return (1 + self.effect) / 2 if told else CHANCE


def draw(
    twin: Twin, *, n_subjects: int, trials: int, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features (schema.FEATURES), and cues: recording_id and, for each of TARGETS, 0 or 1."""
    favours = _favours(n_subjects, seed=seed)
    whole = CUT_SECONDS * N_CUTS
    rows, cues = [], []
    for subject in range(n_subjects):
        rng = np.random.default_rng(seeds.derive(seed, subject))
        person = Person.draw(rng)
        for trial in range(trials):
            labels = (rng.random(len(TARGETS)) < favours[subject]).astype(int)
            agree = rng.random(len(TARGETS)) < (1 + twin.effect) / 2
            shown = [int(cue) for cue in np.where(agree, labels, 1 - labels)]
            seen, felt = (_events(twin.cue, cue, rng) for cue in shown)
            visual = face(person, seen, seconds=whole, fps=FPS, rng=rng)
            physio = body(person, felt, seconds=whole, sampling_rate=SAMPLING_RATE, rng=rng)
            name = f"{subject:03}_{trial}"
            rows.append(_row(name, f"{subject:03}", visual, physio, labels.tolist()))
            cues.append((name, *shown))
    return _table(rows), pl.DataFrame(cues, schema=["recording_id", *TARGETS], orient="row")


def _favours(n_subjects: int, *, seed: int) -> npt.NDArray[np.float64]:
    """(n_subjects, n_targets), how often each is high; the targets apart from each other."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.resize(FAVOURS, n_subjects)) for _ in TARGETS], axis=1)


def _events(cue: Cue, shown: int, rng: np.random.Generator) -> list[Event]:
    """Events, each at any time that keeps it within its cut."""
    kinds = {"kind": (shown, shown, shown), "order": (shown, None, 1 - shown)}[cue]
    latest = CUT_SECONDS - EVENT_SECONDS
    starts = CUT_SECONDS * np.arange(N_CUTS) + rng.uniform(0, latest, N_CUTS)
    return [(float(at), kind) for at, kind in zip(starts, kinds, strict=True) if kind is not None]


def _row(
    name: str,
    subject: str,
    visual: npt.NDArray[np.float64],
    physio: npt.NDArray[np.float64],
    labels: Sequence[int],
) -> tuple[str | int | float | Array, ...]:
    """A whole recording of good quality, columns as schema.FEATURES."""
    return (name, subject, len(visual), visual.ravel().astype(np.float32), 1.0, len(physio),
            physio.ravel().astype(np.float32), 1.0, 1.0, *labels)  # fmt: skip


def _table(rows: list[tuple[str | int | float | Array, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(FEATURES), orient="row")
