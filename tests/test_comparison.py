"""Which systems differ: on what, by how much, and with what verdict."""

import json
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from pipeline_lib.comparison import compare, family
from pipeline_lib.core.schema import FOLDS, PREDICTIONS, TARGETS
from pipeline_lib.evaluation import EvaluationError
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation

EVALUATION = Evaluation(bootstrap=100, permutations=4000, confidence=0.95, margin=0.1)
GROUPED = Rules("grouped", (), times_tested=1)
N_SUBJECTS, N_TRIALS, N_FOLDS = 30, 8, 5


def predicted(right, *, seed=0, n_repeats=1):
    """Predictions of a system that is right in such a share of the recordings."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(9)
    rows = [
        {
            "recording_id": f"s{subject:02d}_{trial}",
            "subject": f"s{subject:02d}",
            "fold": repeat * N_FOLDS + (subject + repeat * subject // N_FOLDS) % N_FOLDS,
            "target": target,
            "label": label,
            "score": 0.2 + 0.6 * (label if rng.random() < right else 1 - label),
        }
        for subject in range(N_SUBJECTS)
        for trial in range(N_TRIALS)
        for target in TARGETS
        for label in (int(truth.integers(0, 2)),)
        for repeat in range(n_repeats)
    ]
    return pl.DataFrame(rows, schema=dict(PREDICTIONS), orient="row")


def folds_of(table):
    """The folds in which a table was predicted; who is not tested is trained on."""
    roles = [
        table.select("recording_id", "subject", tested="fold")
        .unique()
        .with_columns(
            pl.lit(fold, pl.Int32).alias("fold"),
            pl.when(pl.col("tested") == fold)
            .then(pl.lit("test"))
            .otherwise(pl.lit("train"))
            .alias("role"),
        )
        for fold in sorted(table["fold"].unique())
    ]
    return pl.concat(roles).select(list(FOLDS))


def compared(systems, *, folds=None, **changes):
    folds = folds_of(next(iter(systems.values()))) if folds is None else folds
    settings = {"evaluation": EVALUATION, "seed": 0, "synthetic": True, "rules": GROUPED}
    return compare(systems, folds=folds, **settings | changes)


@pytest.fixture(scope="module")
def found():
    """Two good systems that are alike, one that is as good as chance, one in between."""
    good = predicted(0.9, seed=1)
    flipped = pl.when(pl.col("recording_id") == "s03_1").then(1 - pl.col("score"))
    alike = good.with_columns(flipped.otherwise("score").alias("score"))
    systems = {"good": good, "alike": alike, "close": predicted(0.87, seed=2)}
    return compared(systems | {"chance": predicted(0.5, seed=3)})


def pair(found, a, b, *, target="valence", metric="weighted_f1"):
    (only,) = (p for p in found[target][metric]["pairs"] if p["systems"] == [a, b])
    return only


def test_verdicts_are_those_that_were_planted(found):
    assert pair(found, "good", "chance")["verdict"] == "better"
    assert pair(found, "good", "alike")["verdict"] == "equivalent"
    assert pair(found, "good", "close")["verdict"] == "not distinguishable"
    backwards = compared({"chance": predicted(0.5, seed=3), "good": predicted(0.9, seed=1)})
    assert pair(backwards, "chance", "good")["verdict"] == "worse"


def test_a_pair_says_what_it_is_made_of(found):
    entry = pair(found, "good", "chance")
    good, chance = (
        t.filter(target="valence") for t in (predicted(0.9, seed=1), predicted(0.5, seed=3))
    )
    expected = [f1_score(t["label"], t["score"] > 0.5, average="weighted") for t in (good, chance)]
    assert entry["scores"] == pytest.approx(expected, abs=1e-6)
    assert entry["low"] < entry["difference"] < entry["high"]
    assert entry["difference"] == pytest.approx(expected[0] - expected[1], abs=2e-6)
    assert (entry["n_recordings"], entry["n_subjects"]) == (240, 30)
    assert (entry["p"], entry["p_holm"]) == pytest.approx((1 / 4001, 6 / 4001), abs=1e-6)
    assert entry["p_folds"] < 0.05


def test_all_pairs_are_there_and_counted(found):
    of_target = found["arousal"]["accuracy"]
    assert [tuple(p["systems"]) for p in of_target["pairs"]] == list(
        combinations(["good", "alike", "close", "chance"], 2)
    )
    kinds = ("n_different", "n_equivalent", "n_not_distinguishable", "n_not_comparable")
    assert sum(of_target[kind] for kind in kinds) == of_target["n_pairs"] == 6


def test_systems_are_compared_on_what_both_predicted():
    everything = predicted(0.8, seed=1)
    first, second = ({f"s{i:02d}" for i in range(*ends)} for ends in ((0, 20), (15, 30)))
    systems = {
        "both": everything,
        "first": everything.filter(pl.col("subject").is_in(first)),
        "second": predicted(0.8, seed=2).filter(pl.col("subject").is_in(second)),
        "last": everything.filter(subject="s29"),
    }
    found = compared(systems)
    sizes = {
        tuple(p["systems"]): (p["n_subjects"], p["n_recordings"])
        for p in found["valence"]["accuracy"]["pairs"]
    }
    assert sizes["first", "second"] == (5, 40)
    assert sizes["both", "first"] == (20, 160)
    apart = pair(found, "first", "last")
    assert (apart["n_recordings"], apart["verdict"]) == (0, "not comparable")
    assert (apart["p"], apart["p_holm"], apart["scores"]) == (None, None, [None, None])
    json.dumps(found, allow_nan=False)


def test_repeats_are_swapped_together_and_enter_the_folds():
    one, three = (
        compared(
            {"a": predicted(0.85, seed=1, n_repeats=n), "b": predicted(0.6, seed=2, n_repeats=n)}
        )
        for n in (1, 3)
    )
    entries = [pair(found, "a", "b") for found in (one, three)]
    assert [entry["n_recordings"] for entry in entries] == [240, 240]
    # The mean of three draws of a score lies nearer to what was planted than one.
    assert entries[1]["scores"] == pytest.approx([0.85, 0.6], abs=0.03)
    assert entries[1]["p_folds"] < entries[0]["p_folds"]


def test_f1_of_folds_of_one_person_is_no_evidence():
    systems = {"a": predicted(0.9, seed=1), "b": predicted(0.6, seed=2)}
    found = compared(systems, rules=Rules("loso", (), times_tested=1))
    assert pair(found, "a", "b")["p_folds"] is None
    assert pair(found, "a", "b", metric="accuracy")["p_folds"] < 0.05


def test_flaws_stand_in_the_result():
    systems = {"a": predicted(0.9, seed=1), "b": predicted(0.6, seed=2)}
    found = compared(systems, rules=Rules("grouped", ("trial_level",), times_tested=1))
    assert (found["protocol"], found["flaws"]) == ("grouped", ["trial_level"])


def test_few_subjects_can_tell_nothing_apart():
    """Five people: 32 swaps, so p is 1/16 or more."""
    few = pl.col("subject").is_in([f"s{i:02d}" for i in range(5)])
    perfect, wrong = predicted(1.0).filter(few), predicted(0.0).filter(few)
    found = compared({"perfect": perfect, "wrong": wrong})["valence"]["accuracy"]
    assert found["smallest_p"] == 0.0625
    assert found["pairs"][0]["verdict"] == "not distinguishable"


def test_equal_systems_are_seldom_told_apart():
    """Four systems that are as good as each other: one family in twenty may err."""
    settings = {"evaluation": EVALUATION.model_copy(update={"permutations": 500})}
    different = 0
    for seed in range(20):
        systems = {f"s{i}": predicted(0.7, seed=100 * seed + i) for i in range(4)}
        systems = {name: t.filter(pl.col("subject") < "s16") for name, t in systems.items()}
        different += compared(systems, **settings)["valence"]["accuracy"]["n_different"] > 0
    assert different <= 4  # of 20; more in 0.3 % of the cases


def test_other_folds_or_other_labels_are_refused():
    systems = {"a": predicted(0.9, seed=1), "b": predicted(0.6, seed=2)}
    moved = {**systems, "b": systems["b"].with_columns((pl.col("fold") + 1) % N_FOLDS)}
    with pytest.raises(EvaluationError, match="b was predicted on other folds"):
        compared(moved)
    relabelled = {**systems, "b": systems["b"].with_columns(label=pl.lit(1, pl.Int8))}
    with pytest.raises(EvaluationError, match="a and b know other labels"):
        compared(relabelled)


def test_pairs_that_cannot_be_compared_do_not_weigh_on_the_others():
    nan = float("nan")
    apart = dict.fromkeys(("p", "p_equivalence", "p_folds", "smallest_p", "difference"), nan)
    one = {"p": 0.04, "p_equivalence": 0.5, "p_folds": 0.04, "smallest_p": 1e-4, "difference": 0.1}
    pairs = [{"n_recordings": 0} | apart, {"n_recordings": 9} | one]
    assert family(pairs, EVALUATION)["pairs"][1]["p_holm"] == 0.04
    assert family([pairs[0]], EVALUATION)["smallest_p"] is None
