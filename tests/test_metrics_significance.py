"""The tests between systems: against SciPy, worked examples, and on data without a difference."""

import math

import numpy as np
import pytest
from scipy.stats import binom, permutation_test, ttest_rel
from sklearn.metrics import f1_score

from metrics.classification import accuracy, weighted_f1
from metrics.significance import (
    corrected_resampled_t,
    equivalence,
    holm,
    paired_permutation,
    resampled_difference,
    score,
    subject_counts,
)

N_TRIALS = 6


def drawn(right, *, seed=0, n_subjects=8, n_repeats=1):
    """Labels (n,), scores (n_repeats, n), subjects (n,) of a system right in such a share."""
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, 2, n_subjects * N_TRIALS).astype(np.int8)
    is_right = rng.random((n_repeats, labels.size)) < right
    subjects = np.repeat([f"s{i:03d}" for i in range(n_subjects)], N_TRIALS)
    return labels, np.where(is_right == (labels == 1), 0.9, 0.1), subjects


def counted(right, **settings):
    return subject_counts(*drawn(right, **settings))


def test_scores_of_counts_are_the_scores_of_the_recordings():
    labels, scores, subjects = drawn(0.7, n_repeats=2)
    counts = subject_counts(labels, scores, subjects)
    assert counts.shape == (2, 8, 4)
    expected = [f1_score(labels, of_repeat > 0.5, average="weighted") for of_repeat in scores]
    assert score(counts.sum(axis=1), weighted_f1) == pytest.approx(np.mean(expected))


def swapped_by_scipy(metric, a, b, **settings):
    """scipy.stats.permutation_test, which swaps a pair where we swap a subject."""
    labels, scores_a, subjects = a
    rows = [np.flatnonzero(subjects == name) for name in np.unique(subjects)]

    def difference(first, second):  # which system each subject has on either side
        both = np.stack([scores_a[0], b[1][0]])
        sides = [
            np.concatenate([both[int(system), r] for system, r in zip(side, rows, strict=True)])
            for side in (first, second)
        ]
        return float(metric(labels, sides[0]) - metric(labels, sides[1]))

    zeros = np.zeros(len(rows))
    return permutation_test(
        (zeros, zeros + 1), difference, permutation_type="samples", vectorized=False, **settings
    )


@pytest.mark.parametrize("metric", [accuracy, weighted_f1])
def test_the_exact_test_is_scipys(metric):
    a, b = drawn(0.85, seed=1), drawn(0.65, seed=2)
    expected = swapped_by_scipy(metric, a, b, n_resamples=np.inf)
    counts = subject_counts(*a), subject_counts(*b)
    found = paired_permutation(*counts, metric, n_permutations=1000, seed=0)
    assert found.exact
    assert found.p == pytest.approx(expected.pvalue)
    assert 0.01 < found.p < 0.2


def test_drawn_swaps_come_near_the_exact_p():
    a, b = counted(0.85, seed=1, n_subjects=12), counted(0.7, seed=2, n_subjects=12)
    exact = paired_permutation(a, b, weighted_f1, n_permutations=4096, seed=0)
    near = paired_permutation(a, b, weighted_f1, n_permutations=4095, seed=0)
    assert (exact.exact, near.exact) == (True, False)
    assert near.p == pytest.approx(exact.p, abs=4 * math.sqrt(exact.p / 4095))
    assert (exact.smallest, near.smallest) == (2 / 4096, 1 / 4096)


def test_the_same_predictions_and_the_other_way_round():
    a, b = counted(0.9, seed=1), counted(0.6, seed=2)
    settings = {"n_permutations": 256, "seed": 0}
    assert paired_permutation(a, a, weighted_f1, **settings).p == 1
    forth, back = ((a, b), (b, a))
    assert paired_permutation(*forth, weighted_f1, **settings) == paired_permutation(
        *back, weighted_f1, **settings
    )


def test_a_difference_beyond_all_swaps_has_the_smallest_p():
    a, b = counted(1.0), counted(0.0)
    assert paired_permutation(a, b, accuracy, n_permutations=256, seed=0).p == 2 / 256


def five_percent(n):
    """How many of n tests may reject at 5 %: 999 of 1,000 such counts."""
    return binom.interval(0.999, n, 0.05)


def of_equal_systems(rng, n_subjects):
    """Two systems equally good, on subjects of whom some are easy for both, some for one."""
    labels = rng.integers(0, 2, n_subjects * N_TRIALS).astype(np.int8)
    subjects = np.repeat([f"s{i:03d}" for i in range(n_subjects)], N_TRIALS)
    easy = np.repeat(rng.uniform(0.3, 1.0, n_subjects), N_TRIALS)
    for _ in range(2):
        own = np.repeat(rng.uniform(-0.3, 0.3, n_subjects), N_TRIALS)
        right = rng.random(labels.size) < np.clip(easy + own, 0, 1)
        yield subject_counts(labels, np.where(right == (labels == 1), 0.9, 0.1)[None], subjects)


@pytest.mark.parametrize("n_subjects", [10, 24])  # all swaps, drawn swaps
def test_five_percent_of_equal_systems_are_told_apart(n_subjects):
    rng = np.random.default_rng(5)
    rejected = sum(
        paired_permutation(a, b, weighted_f1, n_permutations=1024, seed=i).p <= 0.05
        for i in range(1000)
        for a, b in (of_equal_systems(rng, n_subjects),)
    )
    low, high = five_percent(1000)
    assert low <= rejected <= high


def test_recordings_swapped_one_by_one_would_reject_too_often():
    """Why subjects are swapped: what is called a subject here is one recording."""
    rng = np.random.default_rng(5)
    rejected = 0
    for i in range(300):
        a, b = of_equal_systems_with_traits(rng)
        alone = [of.repeat(N_TRIALS, axis=1) / N_TRIALS for of in (a, b)]
        rejected += paired_permutation(*alone, accuracy, n_permutations=999, seed=i).p <= 0.05
    assert rejected > five_percent(300)[1]


def of_equal_systems_with_traits(rng, n_subjects=12):
    """Each system is right on all recordings of a subject, or on none."""
    subjects = np.repeat([f"s{i:03d}" for i in range(n_subjects)], N_TRIALS)
    labels = np.ones(subjects.size, dtype=np.int8)
    for _ in range(2):
        right = np.repeat(rng.random(n_subjects) < 0.5, N_TRIALS)
        yield subject_counts(labels, np.where(right, 0.9, 0.1)[None], subjects)


def test_without_shared_training_the_corrected_t_is_the_paired_t():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.1, 10), rng.normal(0.6, 0.1, 10)
    found = corrected_resampled_t(a - b, test_share=0)
    assert found == pytest.approx(ttest_rel(a, b).pvalue)


def test_the_corrected_t_of_a_worked_example():
    """By hand: mean 0.04, variance 0.001; t = 0.04 / sqrt((1/5 + 1/4) 0.001) = 1.8856, 4 df."""
    differences = np.array([0.08, 0.04, 0.00, 0.06, 0.02])
    assert corrected_resampled_t(differences, test_share=0.25) == pytest.approx(0.13242, abs=1e-5)


def test_the_corrected_t_rejects_five_percent_where_folds_share_training():
    """Folds correlated as the paper supposes, by n_test / (n_test + n_train); the plain t fails."""
    rng = np.random.default_rng(1)
    rho = 0.2  # five folds
    common, own = rng.normal(size=(2000, 1)), rng.normal(size=(2000, 10))
    drawn = math.sqrt(rho) * common + math.sqrt(1 - rho) * own
    share = rho / (1 - rho)
    low, high = five_percent(2000)
    corrected = sum(corrected_resampled_t(d, test_share=share) <= 0.05 for d in drawn)
    plain = sum(corrected_resampled_t(d, test_share=0) <= 0.05 for d in drawn)
    assert low <= corrected <= high
    assert plain > 4 * high


@pytest.mark.parametrize(
    ("differences", "expected"), [([0.1], math.nan), ([0.1, 0.1], math.nan), ([0.0, 0.0], 1.0)]
)
def test_folds_without_spread_are_no_evidence(differences, expected):
    found = corrected_resampled_t(np.array(differences), test_share=0.25)
    assert found == pytest.approx(expected, nan_ok=True)


def test_holms_correction_of_a_known_example():
    """R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"); what is not known does not count."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, math.nan, 0.7, 0.8]) == pytest.approx([0.03, math.nan, 1, 1], nan_ok=True)
    assert holm([]) == []


def test_holm_keeps_the_family_at_five_percent():
    rng = np.random.default_rng(2)
    wrong = sum(min(holm(p)) <= 0.05 for p in rng.random((2000, 10)))
    assert wrong <= five_percent(2000)[1]


def test_the_difference_of_resamples_is_that_of_the_same_subjects():
    """Equal systems differ in no resample, though their scores do."""
    a, better = counted(0.7, seed=1, n_subjects=40), counted(0.9, seed=1, n_subjects=40)
    settings = {"n_resamples": 500, "seed": 0}
    assert not resampled_difference(a, a, weighted_f1, **settings).any()
    found = resampled_difference(better, a, accuracy, **settings)
    expected = score(better.sum(axis=1), accuracy) - score(a.sum(axis=1), accuracy)
    assert found.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("mean", "p"), [(0.0, 1 / 10001), (0.05, 0.5), (-0.05, 0.5), (0.034, 0.0548)]
)
def test_equivalence_is_a_tail_beyond_the_margin(mean, p):
    """A tail of the normal distribution: 1.6 deviations leave 0.0548 beyond."""
    resampled = np.random.default_rng(0).normal(mean, 0.01, 10000)
    assert equivalence(resampled, margin=0.05, n_subjects=100_000) == pytest.approx(p, abs=0.01)
