"""The planted effect: which trial shows which cues, and which labels it gets.

Each trial has two independent binary cues. The face shows the one (0 sad or neutral, 1 laughing
or smiling) and valence follows it; the body shows the other (0 calm, 1 aroused) and arousal
follows that. A counted number of labels is turned, so that the correlation of label and cue is
`effect` and no system can be right more often than (1 + effect) / 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, groupby, islice

import numpy as np

CUES = ((0, 0), (1, 1), (0, 1), (1, 0))  # face, body: two in a row have both values of each
SCALE = (1.0, 9.0)  # of ratings
MARGIN = 0.3  # of ratings, around the threshold


@dataclass(frozen=True)
class Trial:
    subject: int  # from 0
    trial: int  # of the subject, from 0
    face: int  # cues
    body: int
    valence: int  # labels
    arousal: int


def plan(*, subjects: int, trials: int, effect: float, seed: int) -> list[Trial]:
    """All trials, by subject and trial.

    Cues are balanced over the data set, and within each subject to one trial; so are labels,
    as far as the turned ones allow. Exactly round(n * (1 - effect) / 2) labels of each target
    are turned, shared out evenly among the four pairs of cues and among the subjects.
    """
    rng = np.random.default_rng(seed)
    dealt = list(islice(cycle(CUES), subjects * trials))
    cues = np.array(dealt).reshape(subjects, trials, 2)
    for row in cues:
        rng.shuffle(row)
    labels = np.stack([_labels(cues, target, effect=effect, rng=rng) for target in (0, 1)], axis=-1)
    return [
        Trial(subject, trial, *map(int, cues[subject, trial]), *map(int, labels[subject, trial]))
        for subject in range(subjects)
        for trial in range(trials)
    ]


def by_subject(trials: Sequence[Trial]) -> list[list[Trial]]:
    return [list(session) for _, session in groupby(trials, key=lambda trial: trial.subject)]


def _labels(
    cues: np.ndarray, target: int, *, effect: float, rng: np.random.Generator
) -> np.ndarray:
    """(subjects, trials) labels: the cue of the target, but for the turned ones."""
    subjects, trials = cues.shape[:2]
    labels = cues[..., target].copy()
    turned = np.zeros((subjects, trials), bool)
    luck = rng.random((subjects, trials))
    pairs = cycle(rng.permutation(CUES))
    for _ in range(round(labels.size * (1 - effect) / 2)):
        candidates = np.empty((0, 2), int)
        while not len(candidates):
            candidates = np.argwhere((cues == next(pairs)).all(axis=-1) & ~turned)
        subject, trial = min(
            candidates,
            key=lambda place: (
                turned[place[0]].sum(),
                _imbalance(labels[place[0]], turn=place[1]),
                luck[tuple(place)],
            ),
        )
        turned[subject, trial] = True
        labels[subject, trial] ^= 1
    return labels


def _imbalance(labels: np.ndarray, *, turn: int) -> int:
    """By how many a subject's labels would be off balance with one of them turned."""
    return abs(2 * (int(labels.sum()) + 1 - 2 * int(labels[turn])) - labels.size)


def rating(label: int, *, threshold: float, rng: np.random.Generator) -> float:
    """A rating of 1 - 9, with two decimals, on the label's side of the threshold."""
    low, high = SCALE
    sides = ((low, threshold - MARGIN), (threshold + MARGIN, high))
    return round(float(rng.uniform(*sides[label])), 2)


def place_traps(traps: Sequence[str], *, subjects: int, trials: int) -> dict[tuple[int, int], str]:
    """Give each trap a trial, (subject, trial), spread over the subjects.

    Raises ValueError if two would meet.
    """
    places = {
        (int((i + 0.5) * subjects / len(traps)), i % trials): trap for i, trap in enumerate(traps)
    }
    if len(places) < len(traps):
        raise ValueError(f"{len(traps)} traps do not fit into {subjects} subjects, {trials} trials")
    return places
