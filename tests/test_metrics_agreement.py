"""Measures of agreement against published figures and other libraries."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import cohen_kappa_score, f1_score

from metrics.agreement import angle, f1, icc, kappa, pearson

# Shrout and Fleiss (1979), Table 2: six targets, four judges. Their Table 4: .71 and .29.
JUDGES = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def test_icc_is_that_of_the_published_example() -> None:
    consistency, absolute = icc(JUDGES)
    assert round(consistency, 2) == 0.71
    assert round(absolute, 2) == 0.29


def test_a_constant_shift_costs_absolute_agreement_only() -> None:
    x = np.linspace(0, 3, 50)
    assert icc(np.stack([x, x], axis=1)) == pytest.approx((1, 1))
    consistency, absolute = icc(np.stack([x, x + 1], axis=1))
    assert consistency == pytest.approx(1)
    assert absolute < 0.7


def test_correlation_is_scipys() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 40))
    assert pearson(a, b) == pytest.approx(pearsonr(a, b).statistic)


def test_kappa_and_f1_are_sklearns() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(60) < 0.3
    found = truth ^ (rng.random(60) < 0.2)
    assert kappa(found, truth) == pytest.approx(cohen_kappa_score(found, truth))
    assert f1(truth, found) == pytest.approx(f1_score(truth, found))


def test_what_does_not_vary_is_not_defined() -> None:
    still, never = np.ones(5), np.zeros(5, bool)
    assert np.isnan([pearson(still, np.arange(5.0)), *icc(np.ones((5, 2)))]).all()
    assert np.isnan([kappa(never, never), f1(never, never)]).all()


def test_angles_are_exact_at_both_ends() -> None:
    ahead = np.array([0.0, 0.0, -1.0])
    turned = np.array([[0, 0, -2], [1e-9, 0, -1], [1, 0, 0], [0, 0, 1]], float)
    np.testing.assert_allclose(angle(turned, ahead), [0, 1e-9, np.pi / 2, np.pi], rtol=1e-6)


def test_a_constant_whose_mean_is_rounded_has_no_correlation() -> None:
    assert np.isnan(pearson(np.full(10, 0.1), np.arange(10.0)))
