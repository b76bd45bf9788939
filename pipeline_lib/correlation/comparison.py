"""What `results/D-correlations.json` says: every system against the full one, and its deciles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import regression, significance
from metrics.bootstrap import interval, resamples
from pipeline_lib.correlation import deciles, partition
from pipeline_lib.correlation.partition import SELECTIONS, Partition
from pipeline_lib.evaluation import EvaluationError, number
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation

Floats = npt.NDArray[np.float64]

FULL = "viper"  # the configuration that all others are tested against (ViPER, Table 3)
BETTER, WORSE, NOT_DISTINGUISHABLE = "better", "worse", "not distinguishable"


def compare(
    estimates: Mapping[str, pl.DataFrame],
    *,
    evaluation: Evaluation,
    seed: int,
    synthetic: bool,
    rules: Rules,
) -> dict[str, Any]:
    """The content of `results/D-correlations.json`: every system against the full one, its deciles.

    estimates : system -> schema.ESTIMATES

    Raises EvaluationError if the full system is not among them or two know other labels.
    """
    if FULL not in estimates:
        raise EvaluationError(
            f"systems.fuse names {list(estimates)}, not {FULL}, which all are tested against"
        )
    found: dict[str, Any] = {
        "synthetic": synthetic,
        "protocol": rules.protocol,
        "flaws": list(rules.flaws),
        "full": FULL,
        "confidence": evaluation.confidence,
    }
    for selection in SELECTIONS:
        parts = {system: partition.of(table, selection) for system, table in estimates.items()}
        full = parts.pop(FULL)
        tests = {
            system: _test(part, full, evaluation=evaluation, seed=seed, system=system)
            for system, part in parts.items()
        }
        found[selection] = {
            "tests": _judged(tests, level=1 - evaluation.confidence),
            "deciles": {
                target: {
                    "counts": deciles.confusion(full.labels[:, i], full.scores[:, i]).tolist(),
                    "n_outside": deciles.n_outside(full.scores[:, i]),
                }
                for i, target in enumerate(full.targets)
            },
        }
    return found


def _test(
    part: Partition, full: Partition, *, evaluation: Evaluation, seed: int, system: str
) -> dict[str, Any]:
    """Difference of the mean correlation, system minus full one, over what both estimated."""
    if part.targets != full.targets:
        raise EvaluationError(f"{system} estimates {part.targets}, {FULL} {full.targets}")
    shared = sorted(set(part.recordings) & set(full.recordings))
    ours, theirs = (_rows(each, shared) for each in (part, full))
    if not np.array_equal(part.labels[ours], full.labels[theirs]):
        raise EvaluationError(f"{system} and {FULL} know other labels; run `dvc repro`")
    subjects = part.subjects[ours]
    a = regression.moments(part.labels[ours], _standard(part.scores[ours]), subjects)
    b = regression.moments(full.labels[theirs], _standard(full.scores[theirs]), subjects)
    outcome = significance.swap_test(
        a, b, regression.mean_of_moments, n_permutations=evaluation.permutations, seed=seed
    )
    n_subjects = a.shape[1]
    weights = resamples(n_subjects, n_resamples=evaluation.bootstrap, seed=seed)
    drawn = regression.mean_of_moments(weights @ a) - regression.mean_of_moments(weights @ b)
    low, high = interval(drawn, confidence=evaluation.confidence, n_subjects=n_subjects)
    means = [float(regression.mean_of_moments(each.sum(axis=1))) for each in (a, b)]
    return {
        "n_recordings": len(shared),
        "n_subjects": n_subjects,
        "difference": means[0] - means[1],
        "low": low,
        "high": high,
        "p": outcome.p,
        "smallest_p": outcome.smallest,
    }


def _standard(scores: Floats) -> Floats:
    """Scores (n, n_targets) as z-scores of each target; those that do not vary become 0.

    A correlation knows neither scale nor origin, but a mixture of two systems' estimates would: the
    test would then ask whether they are alike in these, and have no power for what it is asked.
    """
    spread = scores.std(axis=0)
    moved: Floats = (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return moved


def _rows(part: Partition, recordings: Sequence[str]) -> list[int]:
    place = {name: i for i, name in enumerate(part.recordings)}
    return [place[name] for name in recordings]


def _judged(tests: Mapping[str, dict[str, Any]], *, level: float) -> dict[str, Any]:
    """The tests with p corrected for their number (Holm 1979), and a verdict by it."""
    corrected = significance.holm([test["p"] for test in tests.values()])
    judged = {}
    for (system, test), p in zip(tests.items(), corrected, strict=True):
        verdict = NOT_DISTINGUISHABLE
        if p <= level:
            verdict = BETTER if test["difference"] > 0 else WORSE
        rounded = {k: number(v) if isinstance(v, float) else v for k, v in test.items()}
        judged[system] = rounded | {"p_holm": number(p), "verdict": verdict}
    return judged
