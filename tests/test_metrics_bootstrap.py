"""The bootstrap against SciPy's, and against what it must not do."""

import math

import numpy as np
import pytest
from scipy.stats import binom, bootstrap, norm, t

from metrics.bootstrap import (
    bootstrap_over_subjects,
    interval,
    mean_over_repeats,
    resamples,
    tail_p,
)
from metrics.classification import accuracy, auc, balanced_accuracy, weighted_f1

SETTINGS = {"n_resamples": 4000, "confidence": 0.95, "seed": 0}


def predicted(*, n_subjects=20, n_trials=5, n_repeats=1, accuracy=0.7, seed=0):
    """Labels (n,), scores (n_repeats, n), subjects (n,)."""
    rng = np.random.default_rng(seed)
    n = n_subjects * n_trials
    label = rng.integers(0, 2, n).astype(np.int8)
    right = rng.random((n_repeats, n)) < accuracy
    scores = np.where(right == (label == 1), 0.8, 0.2) + rng.normal(0, 0.01, (n_repeats, n))
    return label, scores, np.array([f"s{i // n_trials:02d}" for i in range(n)])


def test_interval_is_scipys_over_subjects_with_the_tails_of_student():
    labels, scores, subjects = predicted()
    right = (scores[0] > 0.5) == labels
    of_subject = np.array([right[subjects == name].mean() for name in np.unique(subjects)])
    tail = norm.cdf(t.ppf(0.025, 19) * np.sqrt(20 / 19))
    expected = bootstrap(
        (of_subject,),
        np.mean,
        n_resamples=4000,
        method="percentile",
        confidence_level=1 - 2 * tail,
        rng=1,
    ).confidence_interval
    found = bootstrap_over_subjects(labels, scores, subjects, accuracy, **SETTINGS)
    np.testing.assert_allclose(found, expected, atol=0.011)


@pytest.mark.parametrize("n_subjects", [5, 10, 40])
def test_interval_of_a_mean_is_students(n_subjects):
    x = np.random.default_rng(n_subjects).normal(size=n_subjects)
    means = resamples(n_subjects, n_resamples=200_000, seed=0) @ x / n_subjects
    found = interval(means, confidence=0.95, n_subjects=n_subjects)
    expected = t.interval(0.95, n_subjects - 1, x.mean(), x.std(ddof=1) / np.sqrt(n_subjects))
    np.testing.assert_allclose(found, expected, atol=0.08 * np.ptp(expected))


def test_ten_people_at_chance_are_within_the_interval():
    """Of 2,000 that guess, each person by an own habit, 95 % hold 0.5; percentiles do not."""
    rng = np.random.default_rng(2)
    held = {"expanded": 0, "percentiles": 0}
    for seed in range(2000):
        labels = np.tile(np.array([0, 1], dtype=np.int8), 40)
        habit = np.repeat(rng.beta(2, 2, 10), 8)
        scores = (rng.random(80) < habit).astype(float)[None]
        weights = np.repeat(resamples(10, n_resamples=1000, seed=seed), 8, axis=1)
        found = balanced_accuracy(labels, scores[0], weights)
        held["expanded"] += inside(0.5, interval(found, confidence=0.95, n_subjects=10))
        held["percentiles"] += inside(0.5, np.quantile(found, [0.025, 0.975]))
    low, high = binom.interval(0.999, 2000, 0.95)
    assert low <= held["expanded"] <= high
    assert held["percentiles"] < low


def inside(value, bounds):
    return bounds[0] <= value <= bounds[1]


@pytest.mark.parametrize("n_subjects", [5, 10, 500])
def test_p_of_a_tail_is_half_of_what_the_interval_leaves_out(n_subjects):
    values = np.linspace(0, 1, 100_001)
    low, _ = interval(values, confidence=0.9, n_subjects=n_subjects)
    assert tail_p(low, n_subjects=n_subjects) == pytest.approx(0.05, abs=1e-3)


def test_one_person_has_no_interval():
    found = interval(np.ones(10), confidence=0.95, n_subjects=1)
    assert np.isnan(found).all()
    assert tail_p(0.001, n_subjects=1) == 1


def test_copies_of_a_recording_make_no_interval_narrower():
    once = predicted(n_trials=1)
    copies = [np.concatenate([part] * 9, axis=-1) for part in once]
    np.testing.assert_allclose(
        bootstrap_over_subjects(*copies, weighted_f1, **SETTINGS),
        bootstrap_over_subjects(*once, weighted_f1, **SETTINGS),
    )


def test_recordings_in_another_order_give_the_same_interval():
    labels, scores, subjects = predicted()
    order = np.random.default_rng(3).permutation(len(labels))
    shuffled = labels[order], scores[:, order], subjects[order]
    assert bootstrap_over_subjects(*shuffled, auc, **SETTINGS) == bootstrap_over_subjects(
        labels, scores, subjects, auc, **SETTINGS
    )


@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_a_wider_confidence_contains_the_narrower(confidence):
    settings = SETTINGS | {"confidence": confidence}
    low, high = bootstrap_over_subjects(*predicted(), accuracy, **settings)
    wide_low, wide_high = bootstrap_over_subjects(*predicted(), accuracy, **SETTINGS)
    assert wide_low < low < high < wide_high


def test_one_class_has_no_interval_of_auc():
    labels, scores, subjects = predicted()
    ones = np.ones_like(labels)
    assert all(
        math.isnan(end) for end in bootstrap_over_subjects(ones, scores, subjects, auc, **SETTINGS)
    )


def test_repeats_are_not_an_ensemble():
    """Three models, each right on two of three recordings: together they would be perfect."""
    labels = np.array([1, 1, 1], dtype=np.int8)
    scores = np.where(np.eye(3, dtype=bool), 0.4, 0.9)
    assert mean_over_repeats(labels, scores, accuracy) == pytest.approx(2 / 3)
    assert accuracy(labels, scores.mean(axis=0)) == 1


def test_equal_repeats_change_no_interval():
    labels, scores, subjects = predicted()
    np.testing.assert_allclose(
        bootstrap_over_subjects(labels, np.repeat(scores, 3, 0), subjects, auc, **SETTINGS),
        bootstrap_over_subjects(labels, scores, subjects, auc, **SETTINGS),
    )
