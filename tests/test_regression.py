"""Pearson against SciPy's, its rule for constant columns, and the tests between systems."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import (
    ConstantInputWarning,
    NearConstantInputWarning,
    binom,
    pearsonr,
    permutation_test,
)

from metrics import regression
from metrics.bootstrap import resamples
from metrics.significance import Permutation, swap_test

# Thousandths, as labels are given: no two values are equal but for rounding.
COLUMNS = arrays(np.int64, (9, 2), elements=st.integers(0, 1000)).map(lambda x: x / 1000)


def swapped(a, b, **settings) -> Permutation:
    return swap_test(a, b, regression.mean_of_moments, **settings)


def names(n):
    return np.array([f"clip{i:04d}" for i in range(n)])


def estimated(noise, *, seed, n=40, n_targets=3):
    """Labels that are the same for every seed, and scores with noise of such a size."""
    labels = np.random.default_rng(99).random((n, n_targets))
    return labels, labels + noise * np.random.default_rng(seed).normal(size=labels.shape)


def summed(noise, **settings):
    labels, scores = estimated(noise, **settings)
    return regression.moments(labels, scores, names(len(labels)))


@given(COLUMNS, COLUMNS)
def test_correlations_are_scipys(y_true, y_score):
    found = regression.pearson(y_true, y_score)
    for i in range(2):
        if np.ptp(y_true[:, i]) == 0 or np.ptp(y_score[:, i]) == 0:
            with pytest.warns(ConstantInputWarning):
                expected = pearsonr(y_true[:, i], y_score[:, i]).statistic
        else:
            expected = pearsonr(y_true[:, i], y_score[:, i]).statistic
        assert found[i] == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(COLUMNS, COLUMNS)
def test_moments_give_the_same_with_nan_as_0(y_true, y_score):
    totals = regression.moments(y_true, y_score, names(9)).sum(axis=1)
    expected = np.nan_to_num(regression.pearson(y_true, y_score))
    np.testing.assert_allclose(regression.of_moments(totals), expected, atol=1e-9)
    mean = regression.mean_pearson(y_true, y_score)
    assert regression.mean_of_moments(totals) == pytest.approx(mean, abs=1e-9)


@given(COLUMNS, COLUMNS, st.integers(1, 50), st.integers(-9, 9))
def test_scale_and_level_of_scores_do_not_matter(y_true, y_score, scale, level):
    moved = regression.pearson(y_true, scale * y_score + level)
    np.testing.assert_allclose(moved, regression.pearson(y_true, y_score), atol=1e-7)
    np.testing.assert_allclose(
        regression.pearson(y_true, -y_score), -regression.pearson(y_true, y_score), atol=1e-9
    )


def test_a_constant_class_counts_as_0_in_the_mean():
    labels, scores = estimated(0.0, seed=0)
    scores[:, 1] = 0.1  # whose mean is not exactly 0.1
    assert np.isnan(regression.pearson(labels, scores)).tolist() == [False, True, False]
    assert regression.mean_pearson(labels, scores) == pytest.approx(2 / 3)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 1e3])
@pytest.mark.parametrize("which", ["labels", "scores"])
def test_rounding_is_no_variation(level, which):
    labels, scores = estimated(0.5, seed=0)
    flat = level + np.spacing(level) * np.random.default_rng(1).integers(0, 2, labels.shape)
    labels, scores = (flat, scores) if which == "labels" else (labels, flat)
    with pytest.warns(NearConstantInputWarning):
        pearsonr(labels[:, 0], scores[:, 0])
    assert np.isnan(regression.pearson(labels, scores)).all()
    for origin in (regression.ORIGIN, scores.mean(axis=0)):
        sums = regression.moments(labels, scores, names(40), origin=origin)
        assert not regression.of_moments(sums.sum(axis=1)).any()
        assert not regression.of_moments(resamples(40, n_resamples=20, seed=0) @ sums).any()


@pytest.mark.parametrize("scale", [1e-10, 1e-7, 1.0])
def test_little_variation_correlates_too(scale):
    labels, scores = estimated(0.5, seed=0)
    expected = regression.pearson(labels, scores)
    scaled = 0.3 + scale * scores
    np.testing.assert_allclose(regression.pearson(labels, scaled), expected, atol=1e-5)
    np.testing.assert_allclose(regression.pearson(labels, 1e-200 * scores), expected)
    sums = regression.moments(labels, scaled, names(40), origin=scaled.mean(axis=0))
    np.testing.assert_allclose(regression.of_moments(sums.sum(axis=1)), expected, atol=1e-5)


def test_moments_are_those_of_resampled_recordings():
    """Recordings drawn with replacement, by weight and by copying."""
    labels, scores = estimated(0.5, seed=0, n=8)
    people = np.array([*"abcdabcd"])  # two recordings each
    weights = resamples(4, n_resamples=20, seed=0)
    drawn = regression.of_moments(weights @ regression.moments(labels, scores, people))
    for i, counts in enumerate(weights.astype(int)):
        copies = np.repeat(np.arange(8), np.tile(counts, 2))
        expected = np.nan_to_num(regression.pearson(labels[copies], scores[copies]))
        np.testing.assert_allclose(drawn[:, i], expected, atol=1e-9)


def test_the_exact_test_is_scipys():
    (labels, a), (_, b) = estimated(0.3, seed=1, n=9), estimated(0.8, seed=2, n=9)
    both = np.stack([a, b])

    def difference(first, second):  # which system each clip has on either side
        clips = np.arange(9)
        sides = [both[side.astype(int), clips] for side in (first, second)]
        return regression.mean_pearson(labels, sides[0]) - regression.mean_pearson(labels, sides[1])

    expected = permutation_test(
        (np.zeros(9), np.ones(9)),
        difference,
        permutation_type="samples",
        vectorized=False,
        n_resamples=np.inf,
    )
    found = swapped(
        *(regression.moments(labels, x, names(9)) for x in (a, b)), n_permutations=512, seed=0
    )
    assert (found.exact, found.smallest) == (True, 2 / 512)
    assert found.p == pytest.approx(expected.pvalue)
    assert 0.01 < found.p < 0.5


def test_drawn_swaps_come_near_the_exact_p():
    a, b = summed(0.3, seed=1, n=11), summed(0.6, seed=2, n=11)
    exact, near = (swapped(a, b, n_permutations=n, seed=0) for n in (2048, 2047))
    assert (exact.exact, near.exact) == (True, False)
    assert near.p == pytest.approx(exact.p, abs=4 * math.sqrt(exact.p / 2047))


def p_values(noise_a, noise_b, *, n_studies, n=40):
    return np.array(
        [
            swapped(
                summed(noise_a, seed=2 * i, n=n),
                summed(noise_b, seed=2 * i + 1, n=n),
                n_permutations=199,
                seed=i,
            ).p
            for i in range(n_studies)
        ]
    )


def test_equal_systems_differ_in_one_study_of_twenty():
    """False positives stay in the 99.9 % interval of 400 tosses of a coin with 5 %."""
    found = (p_values(0.5, 0.5, n_studies=400) <= 0.05).sum()
    low, high = binom.interval(0.999, 400, 0.05)
    assert low <= found <= high


def test_a_planted_difference_is_found():
    """Noise of 0.3 and of 0.9 beside labels that spread by 0.29: 0.69 against 0.31."""
    assert (p_values(0.3, 0.9, n_studies=50) <= 0.05).mean() > 0.9


def test_a_system_does_not_differ_from_itself():
    a = summed(0.5, seed=1)
    assert swapped(a, a, n_permutations=99, seed=0).p == 1
