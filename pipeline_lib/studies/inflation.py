"""How far a flaw inflates a score: the same people predicted honestly and with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import classification, significance
from metrics.bootstrap import interval, resamples
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.evaluation import by_repeat, number
from pipeline_lib.params import Evaluation

Floats = npt.NDArray[np.float64]


def counts(twins: Sequence[pl.DataFrame]) -> Floats:
    """Right and wrong predictions of each person of several twins, both targets together.

    twins : schema.PREDICTIONS of each -> (1, n_subjects, 4), see significance.subject_counts
    """
    found = []
    for predictions in twins:
        of_twin = []
        for target in TARGETS:
            rows, scores = by_repeat(predictions.filter(target=target))
            labels, subjects = rows["label"].to_numpy(), rows["subject"].to_numpy()
            of_twin.append(significance.subject_counts(labels, scores, subjects))
        found.append(np.sum(of_twin, axis=0))
    return np.concatenate(found, axis=1)


def compare(honest: Floats, flawed: Floats, *, evaluation: Evaluation, seed: int) -> dict[str, Any]:
    """Accuracy of both and their difference, each with its bootstrap interval over people.

    honest, flawed : (1, n_subjects, 4) of `counts`, the same people in the same order
    """
    n_people = honest.shape[1]
    draws = resamples(n_people, n_resamples=evaluation.bootstrap, seed=seed)
    # The first row is everybody once.
    weights = np.vstack([np.ones((1, n_people)), draws])
    scores = {
        name: significance.score(weights @ of, classification.accuracy)
        for name, of in (("honest", honest), ("flawed", flawed))
    }
    scores["inflation"] = scores["flawed"] - scores["honest"]
    return {
        name: {"value": number(float(found[0])), "low": number(low), "high": number(high)}
        for name, found in scores.items()
        for low, high in (
            interval(found[1:], confidence=evaluation.confidence, n_subjects=n_people),
        )
    }
