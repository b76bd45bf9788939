"""The content of a results file."""

import json
import time

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

from pipeline_lib.core.schema import PREDICTIONS
from pipeline_lib.evaluation import EvaluationError, confusions, flat, summarise
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation

EVALUATION = Evaluation(bootstrap=2000, permutations=100, confidence=0.95, margin=0.05)
GROUPED = Rules("grouped", (), times_tested=1)


def predictions(*, n_subjects=16, n_trials=5, seed=0, repeat=0):
    """A repeat has the same labels, other scores and the next five folds."""
    truth, rng = np.random.default_rng(seed), np.random.default_rng((seed, repeat))
    rows = [
        {
            "recording_id": f"s{subject:02d}_{trial}",
            "subject": f"s{subject:02d}",
            "fold": repeat * 5 + (subject + repeat) % 5,
            "target": target,
            "label": (label := int(truth.integers(0, 2))),
            "score": float(np.clip(0.3 + 0.4 * label + rng.normal(0, 0.25), 0, 1)),
        }
        for subject in range(n_subjects)
        for trial in range(n_trials)
        for target in ("valence", "arousal")
    ]
    return pl.DataFrame(rows, schema=dict(PREDICTIONS), orient="row")


def summary(table, **changes):
    settings = {"evaluation": EVALUATION, "seed": 0, "synthetic": True, "rules": GROUPED}
    return summarise(table, **settings | changes)


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


def test_a_repeated_summary_is_the_mean_of_its_repeats():
    repeats = [predictions(repeat=r) for r in range(3)]
    found = summary(pl.concat(repeats), rules=Rules("repeated", (), times_tested=3))
    assert (found["n_recordings"], found["n_folds"], found["n_repeats"]) == (80, 15, 3)
    alone = [summary(table)["valence"] for table in repeats]
    for name, entry in found["valence"]["pooled"].items():
        expected = np.mean([each["pooled"][name]["value"] for each in alone])
        assert entry["value"] == pytest.approx(expected, abs=2e-6)
        assert entry["low"] < entry["value"] < entry["high"]
    folds = [score for each in alone for score in each["folds"]["weighted_f1"]]
    assert sorted(found["valence"]["folds"]["weighted_f1"]) == sorted(folds)


@pytest.mark.parametrize(
    ("protocol", "headline"),
    [("grouped", "folds"), ("repeated", "folds"), ("loso", "pooled"), ("owners", "pooled")],
)
def test_folds_of_one_person_are_not_quoted(protocol, headline):
    assert summary(predictions(), rules=Rules(protocol, (), 1))["headline"] == headline


def test_folds_of_one_class_are_counted():
    ones = pl.when(pl.col("fold") < 2).then(1).otherwise("label").cast(pl.Int8).alias("label")
    found = summary(predictions().with_columns(ones))
    assert found["valence"]["folds"]["one_class"] == 2
    assert None not in found["valence"]["folds"]["weighted_f1"]


def test_flaws_stand_in_the_result():
    found = summary(predictions(), rules=Rules("grouped", ("trial_level",), 1))
    assert (found["protocol"], found["flaws"]) == ("grouped", ["trial_level"])


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
    started = time.process_time()
    summary(table)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.head(-1), r"1 of 80 recordings .*'s15_4'"),
        (lambda t: pl.concat([t, t.head(1)]), r"1 of 80 recordings .*'s00_0'"),
        (lambda t: pl.concat([t, predictions(repeat=1).tail(-2)]), r"1 of 80 .*'s00_0'"),
        (lambda t: t.with_columns(target=pl.lit("valence")), "80 of 80 recordings"),
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
