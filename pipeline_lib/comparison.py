"""What `results/D-comparisons.json` says: which systems differ on a data set, and which do not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import classification, significance
from metrics.bootstrap import Metric, interval
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.evaluation import SCORED_BY_FOLD, EvaluationError, by_repeat, check, number
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation

Floats = npt.NDArray[np.float64]
Pair = dict[str, Any]

METRICS: Mapping[str, Metric] = {
    "weighted_f1": classification.weighted_f1,
    "accuracy": classification.accuracy,
}
# Of the first system of a pair, against the second.
BETTER, WORSE, EQUIVALENT = "better", "worse", "equivalent"
NOT_DISTINGUISHABLE, NOT_COMPARABLE = "not distinguishable", "not comparable"
P_VALUES = ("p", "p_equivalence", "p_folds")
NAN = float("nan")


class Shared(NamedTuple):
    """What two systems both predicted, of one target."""

    systems: tuple[str, str]
    rows: pl.DataFrame  # recording_id, subject, fold, label, a, b (scores)
    a: Floats  # significance.subject_counts
    b: Floats


def compare(
    predictions: Mapping[str, pl.DataFrame],
    *,
    folds: pl.DataFrame,
    evaluation: Evaluation,
    seed: int,
    synthetic: bool,
    rules: Rules,
    targets: Sequence[str] = TARGETS,
) -> dict[str, Any]:
    """Compare every two systems on the recordings that both predicted.

    predictions  : system -> schema.PREDICTIONS
    folds, rules : schema.FOLDS that all were trained on, and what they follow

    Raises EvaluationError if a system was predicted on other folds, or two know other labels.
    """
    for system, table in predictions.items():
        check(table, targets)
        _check_folds(system, table, folds)
    found: dict[str, Any] = {
        "synthetic": synthetic,
        "protocol": rules.protocol,
        "flaws": list(rules.flaws),
        "confidence": evaluation.confidence,
        "margin": evaluation.margin,
    }
    share = tested_over_fitted(folds)
    for target in targets:
        rows = {system: table.filter(target=target) for system, table in predictions.items()}
        shared = [_shared(a, b, rows) for a, b in combinations(predictions, 2)]
        found[target] = {
            name: family(
                [
                    _over_subjects(pair, metric, evaluation, seed)
                    # A fold of one person often has one class: its F1 is no score.
                    | {"p_folds": _over_folds(pair, metric, share) if by_fold else NAN}
                    for pair in shared
                ],
                evaluation,
            )
            for name, metric in METRICS.items()
            for by_fold in (name == "accuracy" or rules.protocol in SCORED_BY_FOLD,)
        }
    return found


def family(pairs: Sequence[Pair], evaluation: Evaluation) -> dict[str, Any]:
    """Pairs with their p values corrected for one another, their verdicts, and how many of each.

    Each kind of p value is corrected for the number of pairs (Holm 1979). `smallest_p` is what
    the permutation test could have come to at best after correction: above the level, no pair
    can be told apart whatever the systems do.
    """
    corrected = {
        f"{name}_holm": significance.holm([pair[name] for pair in pairs]) for name in P_VALUES
    }
    judged = []
    for i, pair in enumerate(pairs):
        complete = pair | {name: values[i] for name, values in corrected.items()}
        judged.append(complete | {"verdict": verdict(complete, level=1 - evaluation.confidence)})
    found = Counter(pair["verdict"] for pair in judged)
    comparable = [pair["smallest_p"] for pair in pairs if pair["n_recordings"]]
    return {
        "n_pairs": len(pairs),
        "n_different": found[BETTER] + found[WORSE],
        "n_equivalent": found[EQUIVALENT],
        "n_not_distinguishable": found[NOT_DISTINGUISHABLE],
        "n_not_comparable": found[NOT_COMPARABLE],
        "smallest_p": number(len(comparable) * min(comparable)) if comparable else None,
        "pairs": [{name: _rounded(value) for name, value in pair.items()} for pair in judged],
    }


def verdict(pair: Mapping[str, Any], *, level: float) -> str:
    """Of the first system against the second, by p values that are corrected already."""
    if not pair["n_recordings"]:
        return NOT_COMPARABLE
    if pair["p_holm"] <= level:
        return BETTER if pair["difference"] > 0 else WORSE
    return EQUIVALENT if pair["p_equivalence_holm"] <= level else NOT_DISTINGUISHABLE


def tested_over_fitted(folds: pl.DataFrame) -> float:
    """Recordings tested over recordings fitted on, mean of the folds."""
    is_test = pl.col("role") == "test"
    is_fit = pl.col("role").is_in(["train", "validation"])
    counts = folds.group_by("fold").agg(is_test.sum().alias("test"), is_fit.sum().alias("fit"))
    return float((counts["test"] / counts["fit"]).to_numpy().mean())


def _check_folds(system: str, predicted: pl.DataFrame, folds: pl.DataFrame) -> None:
    tested = folds.filter(pl.col("role") == "test")
    strange = predicted.join(tested, on=["fold", "recording_id"], how="anti")
    if not strange.is_empty():
        names = strange["recording_id"].unique().sort().to_list()[:5]
        raise EvaluationError(
            f"{system} was predicted on other folds than the present ones, as {names}: systems "
            "are compared on the same folds only; run `dvc repro`"
        )


def _shared(a: str, b: str, rows: Mapping[str, pl.DataFrame]) -> Shared:
    """What systems a and b both predicted, of one target."""
    keys = ["recording_id", "fold"]
    other = rows[b].select(*keys, pl.col("score").alias("b"), pl.col("label").alias("label_of_b"))
    joined = rows[a].rename({"score": "a"}).join(other, on=keys, how="inner", validate="1:1")
    odd = joined.filter(pl.col("label") != pl.col("label_of_b"))["recording_id"]
    if len(odd):
        raise EvaluationError(f"{a} and {b} know other labels of {sorted(set(odd))[:5]}")
    return Shared((a, b), joined, _counts(joined, "a"), _counts(joined, "b"))


def _counts(joined: pl.DataFrame, system: str) -> Floats:
    if joined.is_empty():
        return np.zeros((1, 0, 4))
    recordings, scores = by_repeat(joined.with_columns(pl.col(system).alias("score")))
    labels, subjects = recordings["label"].to_numpy(), recordings["subject"].to_numpy()
    return significance.subject_counts(labels, scores, subjects)


def _over_subjects(pair: Shared, metric: Metric, evaluation: Evaluation, seed: int) -> Pair:
    """Scores, their difference with its interval, and p values over subjects."""
    about: Pair = {
        "systems": list(pair.systems),
        "n_recordings": pair.rows["recording_id"].n_unique(),
        "n_subjects": pair.a.shape[1],
    }
    if pair.rows.is_empty():
        unknown = ("difference", "low", "high", "p", "smallest_p", "p_equivalence")
        return about | {"scores": [NAN, NAN]} | dict.fromkeys(unknown, NAN)
    draws = evaluation.permutations
    test = significance.paired_permutation(pair.a, pair.b, metric, n_permutations=draws, seed=seed)
    resampled = significance.resampled_difference(
        pair.a, pair.b, metric, n_resamples=draws, seed=seed
    )
    n_subjects = pair.a.shape[1]
    low, high = interval(resampled, confidence=evaluation.confidence, n_subjects=n_subjects)
    scores = [float(significance.score(of.sum(axis=1), metric)) for of in (pair.a, pair.b)]
    return about | {
        "scores": scores,
        "difference": scores[0] - scores[1],
        "low": low,
        "high": high,
        "p": test.p,
        "smallest_p": test.smallest,
        "p_equivalence": significance.equivalence(
            resampled, margin=evaluation.margin, n_subjects=n_subjects
        ),
    }


def _over_folds(pair: Shared, metric: Metric, share: float) -> float:
    """p of the corrected resampled t-test, over the folds in which both predicted something."""
    folds, labels = pair.rows["fold"].to_numpy(), pair.rows["label"].to_numpy()
    of_fold = np.equal.outer(np.unique(folds), folds).astype(np.float64)
    a, b = (metric(labels, pair.rows[name].to_numpy(), of_fold) for name in ("a", "b"))
    return significance.corrected_resampled_t(a - b, test_share=share)


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return number(value) if isinstance(value, float) else value
