"""Every score against scikit-learn, where that defines it, and by hand where it does not."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from sklearn import metrics as oracle

from metrics import classification

CASES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])),
    min_size=1,
    max_size=30,
)
ORACLES = {
    "accuracy": oracle.accuracy_score,
    "balanced_accuracy": oracle.balanced_accuracy_score,
    "mcc": oracle.matthews_corrcoef,
}


def split(case):
    labels, scores = zip(*case, strict=True)
    return np.array(labels, dtype=np.int8), np.array(scores)


@pytest.mark.parametrize("name", ORACLES)
@given(CASES)
def test_scores_equal_scikit_learn(name, case):
    labels, scores = split(case)
    assume(len(set(labels)) == 2)
    expected = ORACLES[name](labels, scores > 0.5)
    assert getattr(classification, name)(labels, scores) == pytest.approx(expected)


@given(CASES)
def test_weighted_f1_equals_scikit_learn_with_one_class_too(case):
    labels, scores = split(case)
    expected = oracle.f1_score(labels, scores > 0.5, average="weighted", zero_division=0)
    assert classification.weighted_f1(labels, scores) == pytest.approx(expected)


@given(CASES)
def test_auc_equals_scikit_learn_with_ties(case):
    labels, scores = split(case)
    assume(len(set(labels)) == 2)
    assert classification.auc(labels, scores) == pytest.approx(oracle.roc_auc_score(labels, scores))


@pytest.mark.parametrize("name", ["accuracy", "weighted_f1", "balanced_accuracy", "mcc", "auc"])
@given(CASES, st.data())
def test_a_weight_counts_a_recording_that_often(name, case, data):
    labels, scores = split(case)
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(case), max_size=len(case)))
    assume(sum(counts) > 0)
    metric = getattr(classification, name)
    repeated = metric(np.repeat(labels, counts), np.repeat(scores, counts))
    weights = np.array([counts, np.ones(len(case))])
    found = metric(labels, scores, weights)
    np.testing.assert_allclose(found, [repeated, metric(labels, scores)])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 2 / 3),
        ("weighted_f1", 0.8),
        ("balanced_accuracy", None),
        ("mcc", None),
        ("auc", None),
    ],
)
def test_one_class_is_defined_or_nan_without_a_warning(name, expected):
    found = float(getattr(classification, name)(np.ones(3), np.array([0.9, 0.8, 0.1])))
    assert math.isnan(found) if expected is None else found == pytest.approx(expected)


def test_a_constant_prediction_has_no_correlation():
    assert classification.mcc(np.array([0, 1, 1]), np.full(3, 0.9)) == 0.0
    assert classification.auc(np.array([0, 1, 1]), np.full(3, 0.9)) == 0.5
