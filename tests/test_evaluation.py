"""The content of a results file."""

import json
import time

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

from pipeline_lib.evaluation import EvaluationError, confusions, flat, summarise
from pipeline_lib.params import Evaluation
from pipeline_lib.schema import PREDICTIONS

EVALUATION = Evaluation(bootstrap=2000, confidence=0.95)


def predictions(*, n_subjects=16, n_trials=5, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        {
            "recording_id": f"s{subject:02d}_{trial}",
            "subject": f"s{subject:02d}",
            "fold": subject % 5,
            "target": target,
            "label": (label := int(rng.integers(0, 2))),
            "score": float(np.clip(0.3 + 0.4 * label + rng.normal(0, 0.25), 0, 1)),
        }
        for subject in range(n_subjects)
        for trial in range(n_trials)
        for target in ("valence", "arousal")
    ]
    return pl.DataFrame(rows, schema=dict(PREDICTIONS), orient="row")


def summary(table, **changes):
    return summarise(table, **{"evaluation": EVALUATION, "seed": 0, "synthetic": True} | changes)


def test_summary_agrees_with_scikit_learn():
    table = predictions()
    found = summary(table)
    assert (found["synthetic"], found["n_recordings"], found["n_subjects"]) == (True, 80, 16)
    rows = table.filter(pl.col("target") == "arousal")
    by_fold = [
        f1_score(fold["label"], fold["score"] > 0.5, average="weighted")
        for k in range(5)
        for fold in (rows.filter(pl.col("fold") == k),)
    ]
    folds = found["arousal"]["folds"]
    assert folds["weighted_f1"] == pytest.approx(by_fold, abs=1e-6)
    assert (folds["mean"], folds["std"]) == pytest.approx(
        (np.mean(by_fold), np.std(by_fold)), abs=1e-6
    )
    pooled = found["arousal"]["pooled"]
    label, score = rows["label"].to_numpy(), rows["score"].to_numpy()
    assert pooled["auc"]["value"] == pytest.approx(roc_auc_score(label, score), abs=1e-6)
    assert pooled["mcc"]["value"] == pytest.approx(matthews_corrcoef(label, score > 0.5), abs=1e-6)
    assert all(entry["low"] < entry["value"] < entry["high"] for entry in pooled.values())


def test_the_same_predictions_give_the_same_bytes_in_any_order():
    table = predictions()
    shuffled = table.sample(fraction=1, shuffle=True, seed=1)
    assert json.dumps(summary(table)) == json.dumps(summary(shuffled))


def test_undefined_scores_are_null():
    table = predictions().with_columns(label=pl.lit(1, pl.Int8))
    text = json.dumps(summary(table)["valence"]["pooled"], allow_nan=False)
    assert '"auc": {"value": null, "low": null, "high": null}' in text


def test_flat_has_the_defined_numbers_only():
    found = flat(summary(predictions().with_columns(label=pl.lit(1, pl.Int8))), "mvp")
    assert "mvp.valence.accuracy" in found
    assert "mvp.valence.auc" not in found
    assert all(isinstance(value, float) for value in found.values())


def test_a_summary_takes_well_under_a_second():
    table = predictions()
    started = time.perf_counter()
    summary(table)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.head(-1), r"1 of 80 recordings .*'s15_4'"),
        (lambda t: pl.concat([t, t.head(1)]), r"1 of 80 recordings .*'s00_0'"),
        (lambda t: t.with_columns(score=pl.lit(float("nan"))), "nan for the valence of s00_0"),
        (lambda t: t.with_columns(score=pl.col("score") + 2), "not probabilities"),
        (lambda t: t.head(0), "0 of 0 recordings"),
    ],
)
def test_incomplete_predictions_are_refused(spoil, message):
    with pytest.raises(EvaluationError, match=message):
        summary(spoil(predictions()))


def test_confusions_count_every_recording():
    for table in confusions(predictions()).values():
        assert (table.columns, table.height) == (["actual", "predicted"], 80)
        assert set(table["predicted"]) == {0, 1}
