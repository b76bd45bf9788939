"""Planted twins: the effect that they claim, where it shows, and where it does not."""

from functools import cache

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest, fisher_exact

from pipeline_lib.core.schema import FEATURES, TARGETS, validate
from pipeline_lib.studies.planted import CUT_SECONDS, FPS, N_CUTS, SAMPLING_RATE, Twin, draw
from pipeline_lib.studies.planted_people import COLUMNS, PRESENT, _noise

N_SUBJECTS, TRIALS = 100, 4
SURE = 1e-3  # p below which chance is no explanation; draws are the same in every run
RATES = {"valence": FPS, "arousal": SAMPLING_RATE}

each_target = pytest.mark.parametrize("target", TARGETS)
each_twin = pytest.mark.parametrize(
    ("cue", "effect"), [("kind", 0.9), ("kind", 0.5), ("kind", 0.0), ("order", 0.9)]
)


@cache
def drawn(cue, effect):
    """Features with the cues beside them."""
    features, cues = draw(Twin(cue, effect), n_subjects=N_SUBJECTS, trials=TRIALS, seed=3)
    return features.join(cues, on="recording_id")


def evidence(table, target):
    """(n_recordings, n) over time, high in an event of kind 1, low in one of kind 0, by eye."""
    if target == "valence":
        visual = np.stack([x.to_numpy().reshape(-1, len(COLUMNS)) for x in table["visual"]])
        smile, frown = (visual[:, :, COLUMNS.index(unit)] for unit in ("AU12_r", "AU04_r"))
        return above_rest(smile) - above_rest(frown)
    physio = np.stack([x.to_numpy().reshape(-1, 2) for x in table["physio"]])
    heart, eda = physio[:, :, 0] / physio[:, :, 0].std(axis=1, keepdims=True), physio[:, :, 1]
    return above_rest(3 * eda) - above_rest(np.abs(smooth(heart)))


def smooth(x):
    """The mean over about a second, a beat at least."""
    n = 5 if x.shape[1] == FPS * CUT_SECONDS * N_CUTS else round(SAMPLING_RATE / 1.15)
    return np.stack([np.convolve(row, np.ones(n) / n, "same") for row in x])


def above_rest(x):
    return smooth(x - np.median(x, axis=1, keepdims=True))


def kinds(parts):
    """1, 0 or -1 (none) for what the strongest event in each part (..., n) is."""
    high, low = parts.max(axis=-1), -parts.min(axis=-1)
    strong = np.maximum(high, low) > 0.6
    return np.where(strong, (high > low).astype(int), -1)


def cuts(x):
    return np.stack(np.split(x, N_CUTS, axis=1), axis=1)  # (n_recordings, n_cuts, n)


@each_twin
def test_labels_agree_with_cues_as_often_as_the_bound_says(cue, effect):
    table = drawn(cue, effect)
    bound = Twin(cue, effect).bound(sees_cue=True, knows_order=True)
    for target in TARGETS:
        hits = int((table[target] == table[f"{target}_label"]).sum())
        assert binomtest(hits, table.height, bound).pvalue > SURE
        assert binomtest(int(table[target].sum()), table.height, 0.5).pvalue > SURE


@each_twin
def test_one_modality_says_nothing_of_the_other_ones_target(cue, effect):
    table = drawn(cue, effect)
    for a, b in (("valence", "arousal"), ("arousal", "valence")):
        for other in (b, f"{b}_label"):
            counts = table.pivot(other, index=a, values="subject", aggregate_function="len")
            assert fisher_exact(counts.drop(a).to_numpy()).pvalue > SURE


@each_target
def test_without_effect_labels_are_independent_of_cues(target):
    table = drawn("kind", 0.0)
    counts = table.pivot(
        target, index=f"{target}_label", values="subject", aggregate_function="len"
    )
    assert fisher_exact(counts.drop(f"{target}_label").to_numpy()).pvalue > SURE


@each_target
def test_each_cut_shows_the_kind(target):
    table = drawn("kind", 0.9)
    read = kinds(cuts(evidence(table, target)))
    assert (read == table[target].to_numpy()[:, None]).mean() > 0.99


@each_target
def test_the_whole_recording_shows_the_order(target):
    table = drawn("order", 0.9)
    read = kinds(cuts(evidence(table, target)))
    assert (read[:, 0] == table[target].to_numpy()).mean() > 0.99
    assert (read[:, 2] == 1 - table[target].to_numpy()).mean() > 0.99


@each_target
def test_no_ten_seconds_show_the_order(target):
    """Wherever they begin, there is one kind of event in them at most."""
    found = evidence(drawn("order", 0.9), target)
    n = round(CUT_SECONDS * RATES[target])
    for start in range(0, found.shape[1] - n + 1, n // 8):
        part = found[:, start : start + n]
        both = (part.max(axis=1) > 0.9) & (part.min(axis=1) < -0.9)
        assert both.mean() < 0.01


@each_target
def test_both_orders_are_made_of_the_same_cuts(target):
    table = drawn("order", 0.9)
    read = np.sort(kinds(cuts(evidence(table, target))), axis=1)
    assert (read == [-1, 0, 1]).all(axis=1).mean() > 0.98


@pytest.mark.parametrize(
    ("cue", "sees_cue", "knows_order", "bound"),
    [
        ("kind", True, True, 0.95),
        ("kind", True, False, 0.95),
        ("kind", False, True, 0.5),
        ("order", True, True, 0.95),
        ("order", True, False, 0.5),
        ("order", False, True, 0.5),
    ],
)
def test_bound(cue, sees_cue, knows_order, bound):
    assert Twin(cue, 0.9).bound(sees_cue=sees_cue, knows_order=knows_order) == pytest.approx(bound)
    none = Twin(cue, 0.0).bound(sees_cue=sees_cue, knows_order=knows_order)
    assert none == 0.5


def test_who_knows_a_person_guesses_their_labels_and_nobody_elses():
    """By the nearest face at rest, without any effect: why folds are made by subject."""
    table = drawn("kind", 0.0)
    visual = np.stack([x.to_numpy().reshape(-1, len(COLUMNS)) for x in table["visual"]])
    rest = np.median(visual, axis=1)
    apart = np.linalg.norm(rest[:, None] - rest, axis=2) + np.diag(np.full(len(rest), np.inf))
    own = table["subject"].to_numpy()[:, None] == table["subject"].to_numpy()
    for distance, known in ((apart, True), (np.where(own, np.inf, apart), False)):
        nearest = distance.argmin(axis=1)
        labels = table["valence_label"].to_numpy()
        hits = int((labels[nearest] == labels).sum())
        assert (binomtest(hits, table.height, 0.5).pvalue < SURE) == known


def test_faces_are_at_rest_most_of_the_time_and_features_are_whole():
    features = validate(drawn("kind", 0.9).drop(TARGETS), FEATURES, "twin")
    visual = np.stack([x.to_numpy().reshape(-1, len(COLUMNS)) for x in features["visual"]])
    assert visual.shape[1] == CUT_SECONDS * N_CUTS * FPS
    assert features["n_times"].unique().to_list() == [CUT_SECONDS * N_CUTS * SAMPLING_RATE]
    intensities, presences = visual[:, :, :17], visual[:, :, 17:34]
    assert intensities.min() == 0
    assert intensities.max() <= 5
    np.testing.assert_array_equal(presences, intensities > PRESENT)
    assert presences.mean() < 0.15
    steps = np.diff(intensities[:, :, 0], axis=1).std()
    assert steps < intensities[:, :, 0].std()  # neighbours in time are alike


def test_noise_runs_around_so_that_no_place_is_special():
    noise = _noise(4000, 60, memory=4.0, rng=np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=0.02)
    along, around = np.corrcoef(noise[0], noise[1])[0, 1], np.corrcoef(noise[0], noise[-1])[0, 1]
    assert along == pytest.approx(np.exp(-1 / 4), abs=0.03)
    assert around == pytest.approx(along, abs=0.03)


def test_draws_depend_on_the_seed_alone():
    one, again, other = (
        draw(Twin("kind", 0.9), n_subjects=3, trials=2, seed=seed)[0] for seed in (0, 0, 1)
    )
    assert one.equals(again)
    assert not one.equals(other)
    assert one["recording_id"].is_unique().all()
    assert isinstance(one, pl.DataFrame)
