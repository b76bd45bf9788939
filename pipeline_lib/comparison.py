"""What `results/D-comparisons.json` says: which systems differ on a data set, and which do not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import classification, significance
from metrics.bootstrap import Metric, interval
from pipeline_lib.evaluation import SCORED_BY_FOLD, EvaluationError, by_repeat, check, number
from pipeline_lib.params import Evaluation
from pipeline_lib.schema import TARGETS
from pipeline_lib.splits import Rules

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


def compare(
    predictions: Mapping[str, pl.DataFrame],
    *,
    folds: pl.DataFrame,
    evaluation: Evaluation,
    seed: int,
    synthetic: bool,
    rules: Rules,
) -> dict[str, Any]:
    """Compare every two systems on the recordings that both predicted.

    predictions  : system -> schema.PREDICTIONS
    folds, rules : schema.FOLDS that all were trained on, and what they follow

    Raises EvaluationError if a system was predicted on other folds, or two know other labels.
    """
    for system, table in predictions.items():
        check(table)
        _check_folds(system, table, folds)
    found: dict[str, Any] = {
        "synthetic": synthetic,
        "protocol": rules.protocol,
        "flaws": list(rules.flaws),
        "confidence": evaluation.confidence,
        "margin": evaluation.margin,
    }
    for target in TARGETS:
        rows = {system: table.filter(target=target) for system, table in predictions.items()}
        both = {
            (a, b): _both(rows[a], rows[b], f"{a} and {b}") for a, b in combinations(predictions, 2)
        }
        found[target] = {
            name: family(
                [
                    {"systems": list(pair)}
                    | _pair(joined, metric, evaluation, seed)
                    # A fold of one person often has one class: its F1 is no score.
                    | {"p_folds": _over_folds(joined, metric, folds) if by_fold else NAN}
                    for pair, joined in both.items()
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
    counts = folds.group_by("fold").agg(is_test.sum().alias("test"), (~is_test).sum().alias("fit"))
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


def _both(a: pl.DataFrame, b: pl.DataFrame, names: str) -> pl.DataFrame:
    """What both predicted, of one target: recording_id, subject, fold, label, a, b (scores)."""
    keys = ["recording_id", "fold"]
    other = b.select(*keys, pl.col("score").alias("b"), pl.col("label").alias("label_of_b"))
    joined = a.rename({"score": "a"}).join(other, on=keys, how="inner", validate="1:1")
    odd = joined.filter(pl.col("label") != pl.col("label_of_b"))["recording_id"]
    if len(odd):
        raise EvaluationError(f"{names} know other labels of {odd.unique().sort().to_list()[:5]}")
    return joined.select("recording_id", "subject", "fold", "label", "a", "b")


def _pair(both: pl.DataFrame, metric: Metric, evaluation: Evaluation, seed: int) -> Pair:
    """Scores, their difference with its interval, and p values over subjects."""
    sizes: Pair = {
        "n_recordings": both["recording_id"].n_unique(),
        "n_subjects": both["subject"].n_unique(),
    }
    if both.is_empty():
        unknown = ("difference", "low", "high", "p", "smallest_p", "p_equivalence")
        return sizes | {"scores": [NAN, NAN]} | dict.fromkeys(unknown, NAN)
    a, b = (_counts(both, system) for system in ("a", "b"))
    n_draws = evaluation.permutations
    test = significance.paired_permutation(a, b, metric, n_permutations=n_draws, seed=seed)
    resampled = significance.resampled_difference(a, b, metric, n_resamples=n_draws, seed=seed)
    low, high = interval(resampled, confidence=evaluation.confidence)
    scores = [float(significance.score(of.sum(axis=1), metric)) for of in (a, b)]
    return sizes | {
        "scores": scores,
        "difference": scores[0] - scores[1],
        "low": low,
        "high": high,
        "p": test.p,
        "smallest_p": test.smallest,
        "p_equivalence": significance.equivalence(resampled, margin=evaluation.margin),
    }


def _counts(both: pl.DataFrame, system: str) -> Floats:
    recordings, scores = by_repeat(both.with_columns(pl.col(system).alias("score")))
    labels, subjects = recordings["label"].to_numpy(), recordings["subject"].to_numpy()
    return significance.subject_counts(labels, scores, subjects)


def _over_folds(both: pl.DataFrame, metric: Metric, folds: pl.DataFrame) -> float:
    """p of the corrected resampled t-test, over the folds in which both predicted something."""
    of_fold = np.equal.outer(both["fold"].unique().to_numpy(), both["fold"].to_numpy())
    labels = both["label"].to_numpy()
    a, b = (
        metric(labels, both[system].to_numpy(), of_fold.astype(np.float64)) for system in ("a", "b")
    )
    return significance.corrected_resampled_t(a - b, test_share=tested_over_fitted(folds))


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return number(value) if isinstance(value, float) else value
