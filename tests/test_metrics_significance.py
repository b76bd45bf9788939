"""The bootstrap against SciPy's, and against what it must not do."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import bootstrap

from metrics.classification import accuracy, auc, weighted_f1
from metrics.significance import bootstrap_over_subjects

SETTINGS = {"n_resamples": 4000, "confidence": 0.95, "seed": 0}


def predictions(*, n_subjects=20, n_trials=5, accuracy=0.7, seed=0):
    rng = np.random.default_rng(seed)
    n = n_subjects * n_trials
    label = rng.integers(0, 2, n)
    right = rng.random(n) < accuracy
    return pl.DataFrame(
        {
            "recording_id": [f"s{i // n_trials:02d}_{i % n_trials}" for i in range(n)],
            "subject": [f"s{i // n_trials:02d}" for i in range(n)],
            "label": label.astype(np.int8),
            "score": np.where(right == (label == 1), 0.8, 0.2) + rng.normal(0, 0.01, n),
        }
    )


def test_interval_equals_scipys_over_subjects():
    table = predictions()
    right = (table["score"] > 0.5).cast(int) == table["label"]
    of_subject = table.with_columns(right=right).group_by("subject").agg(pl.col("right").mean())
    expected = bootstrap(
        (of_subject["right"].to_numpy(),), np.mean, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    np.testing.assert_allclose(
        bootstrap_over_subjects(table, accuracy, **SETTINGS), expected, atol=0.011
    )


def test_copies_of_a_recording_make_no_interval_narrower():
    once = predictions(n_trials=1)
    copies = pl.concat([once] * 9)
    copies = copies.with_columns(
        recording_id=pl.concat_str("recording_id", pl.int_range(copies.height))
    )
    np.testing.assert_allclose(
        bootstrap_over_subjects(copies, weighted_f1, **SETTINGS),
        bootstrap_over_subjects(once, weighted_f1, **SETTINGS),
    )


def test_rows_in_another_order_give_the_same_interval():
    table = predictions()
    shuffled = table.sample(fraction=1, shuffle=True, seed=3)
    assert bootstrap_over_subjects(table, auc, **SETTINGS) == bootstrap_over_subjects(
        shuffled, auc, **SETTINGS
    )


@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_a_wider_confidence_contains_the_narrower(confidence):
    settings = SETTINGS | {"confidence": confidence}
    low, high = bootstrap_over_subjects(predictions(), accuracy, **settings)
    wide_low, wide_high = bootstrap_over_subjects(predictions(), accuracy, **SETTINGS)
    assert wide_low < low < high < wide_high


def test_one_class_has_no_interval_of_auc():
    table = predictions().with_columns(label=pl.lit(1, pl.Int8))
    assert all(math.isnan(end) for end in bootstrap_over_subjects(table, auc, **SETTINGS))
