"""The planted effect is exactly as large as it says, and nothing else is planted."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib.twins.shared.plan import place_traps, plan, rating

PAIRS = (("valence", "face"), ("arousal", "body"))


def column(trials, name: str) -> np.ndarray:
    return np.array([getattr(trial, name) for trial in trials])


def correlation(trials, one: str, other: str) -> float:
    return np.corrcoef(column(trials, one), column(trials, other))[0, 1]


@pytest.mark.parametrize(("effect", "n_turned"), [(1.0, 0), (0.9, 4), (0.5, 20), (0.0, 40)])
@pytest.mark.parametrize("seed", range(5))
def test_effect_is_exact_and_alone(effect, n_turned, seed):
    trials = plan(subjects=16, trials=5, effect=effect, seed=seed)
    for label, cue in PAIRS:
        assert (column(trials, label) != column(trials, cue)).sum() == n_turned
        assert correlation(trials, label, cue) == pytest.approx(effect, abs=1e-12)
        assert column(trials, label).sum() == 40
    for one, other in (("face", "body"), ("valence", "body"), ("arousal", "face")):
        assert correlation(trials, one, other) == pytest.approx(0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(5, 20), st.integers(2, 16), st.sampled_from([0.0, 0.3, 0.9, 1.0]), st.integers(0)
)
def test_any_size_is_balanced(subjects, trials, effect, seed):
    planned = plan(subjects=subjects, trials=trials, effect=effect, seed=seed)
    n = subjects * trials
    assert [(t.subject, t.trial) for t in planned] == list(np.ndindex(subjects, trials))
    for label, cue in PAIRS:
        turned = column(planned, label) != column(planned, cue)
        assert turned.sum() == round(n * (1 - effect) / 2)
        by_subject = turned.reshape(subjects, trials).sum(axis=1)
        assert np.ptp(by_subject) <= 2
        assert abs(2 * column(planned, cue).sum() - n) <= 1
        assert np.ptp(column(planned, cue).reshape(subjects, trials).sum(axis=1)) <= 1


def test_labels_are_balanced_within_subjects():
    trials = plan(subjects=16, trials=5, effect=0.9, seed=1)
    for label, _ in PAIRS:
        ones = column(trials, label).reshape(16, 5).sum(axis=1)
        assert set(ones) == {2, 3}


def test_same_seed_same_plan():
    size = {"subjects": 16, "trials": 5, "effect": 0.9}
    assert plan(**size, seed=1) == plan(**size, seed=1)
    assert plan(**size, seed=1) != plan(**size, seed=2)


@pytest.mark.parametrize("threshold", [4.5, 5.0])
def test_ratings_lie_on_their_side(threshold):
    rng = np.random.default_rng(0)
    low, high = ([rating(x, threshold=threshold, rng=rng) for _ in range(500)] for x in (0, 1))
    assert 1 <= min(low) < max(low) < threshold < min(high) < max(high) <= 9


@pytest.mark.parametrize(("subjects", "trials"), [(5, 2), (16, 5), (40, 16)])
@pytest.mark.parametrize("n_traps", [3, 5])
def test_traps_take_a_trial_each(subjects, trials, n_traps):
    places = place_traps([str(i) for i in range(n_traps)], subjects=subjects, trials=trials)
    assert list(places.values()) == [str(i) for i in range(n_traps)]
    assert all(subject < subjects and trial < trials for subject, trial in places)
