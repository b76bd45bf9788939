"""Each protocol: who is tested on what, how often, and what stays apart."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib import protocols
from pipeline_lib.core.schema import RECORDINGS
from pipeline_lib.learning import splits
from pipeline_lib.params import Splits

PAPER = Splits(protocol="grouped", folds=5, repeats=3, stimulus_folds=2, validation=0.2)
BALANCED = [[0, 1, 0, 1]] * 10


def index(labels: list[list[int]], name: str = "s") -> pl.DataFrame:
    """One subject per list, one recording per label and stimulus; arousal is valence reversed."""
    rows = [
        {
            **dict.fromkeys(RECORDINGS),
            "recording_id": f"{name}{i}_{k}",
            "subject": f"{name}{i}",
            "stimulus": f"film{k}",
            "video_sha256": f"{name}-video-{i}-{k}",
            "valence_label": label,
            "arousal_label": 1 - label,
            "status": "ok",
        }
        for i, subject in enumerate(labels)
        for k, label in enumerate(subject)
    ]
    return pl.DataFrame(rows, schema=dict(RECORDINGS))


def make(
    table: pl.DataFrame, *, rated: Any = (), seed: int = 0, flaws: Any = (), **changes: Any
) -> pl.DataFrame:
    asked = PAPER.model_copy(update=changes)
    return protocols.make_folds(table, rated=rated, splits=asked, flaws=flaws, seed=seed)


def subjects(folds: pl.DataFrame, role: str) -> dict[int, set[str]]:
    chosen = folds.filter(pl.col("role") == role).group_by("fold").agg("subject")
    return {fold: set(names) for fold, names in sorted(chosen.rows())}


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=6, max_size=12))
def test_no_subject_has_two_roles_in_a_fold_and_each_is_tested_once(
    labels: list[list[int]],
) -> None:
    folds = make(index(labels))
    roles = folds.group_by("fold", "subject").agg(pl.col("role").n_unique())
    assert roles["role"].max() == 1
    tested = folds.filter(pl.col("role") == "test")["recording_id"].to_list()
    assert sorted(tested) == sorted(index(labels)["recording_id"])
    assert folds.group_by("fold").agg(pl.col("role").n_unique())["role"].to_list() == [3] * 5


def test_folds_are_deterministic_and_stratified() -> None:
    first, second = (make(index(BALANCED), seed=3) for _ in range(2))
    assert first.equals(second)
    labels = first.join(index(BALANCED), on="recording_id")
    shares = labels.group_by("fold", "role").agg(pl.col("valence_label").mean())
    assert shares["valence_label"].unique().to_list() == [0.5]


def test_recordings_without_labels_or_excluded_are_in_no_fold() -> None:
    name, label, status = pl.col("recording_id"), pl.col("valence_label"), pl.col("status")
    table = index(BALANCED).with_columns(
        pl.when(name == "s0_0").then(None).otherwise(label).alias("valence_label"),
        pl.when(name == "s0_1").then(pl.lit("excluded")).otherwise(status).alias("status"),
    )
    folds = make(table)
    assert not {"s0_0", "s0_1"} & set(folds["recording_id"])
    assert folds["recording_id"].n_unique() == 38


def test_leave_one_subject_out_tests_each_alone() -> None:
    tested = subjects(make(index(BALANCED), protocol="loso"), "test")
    assert tested == {i: {f"s{i}"} for i in range(10)}


def test_repeats_are_other_draws_of_which_the_first_is_the_papers() -> None:
    repeated = make(index(BALANCED), protocol="repeated")
    first = repeated.filter(pl.col("fold") < 5)
    assert first.equals(make(index(BALANCED)))
    tested = subjects(repeated, "test")
    draws = [frozenset(map(frozenset, list(tested.values())[i : i + 5])) for i in (0, 5, 10)]
    assert len(set(draws)) == 3
    assert all(set().union(*draw) == {f"s{i}" for i in range(10)} for draw in draws)


def test_a_block_has_new_subjects_and_new_stimuli_and_each_recording_is_tested_once() -> None:
    table = index(BALANCED)
    folds = make(table, protocol="stimulus").join(
        table.select("recording_id", "stimulus"), on="recording_id"
    )
    assert folds["fold"].n_unique() == 5 * 2
    tested = folds.filter(pl.col("role") == "test")
    assert sorted(tested["recording_id"]) == sorted(table["recording_id"])
    for (_,), fold in folds.group_by("fold"):
        is_test = fold["role"] == "test"
        for column in ("subject", "stimulus"):
            assert not set(fold.filter(is_test)[column]) & set(fold.filter(~is_test)[column])
        # 8 of 10 subjects saw 2 of 4 films: the rest has no role here.
        assert (fold.height, is_test.sum()) == (16 + 4, 4)


def test_a_block_that_nobody_recorded_is_no_fold() -> None:
    unseen = pl.col("subject").is_in(["s0", "s1", "s2"]) & pl.col("stimulus").is_in(["film0"])
    table = index([[0, 1]] * 3).filter(~unseen)
    with_film0 = pl.concat([table, index([[0, 1]] * 3, "t")])
    folds = make(with_film0, protocol="stimulus", folds=3)
    assert folds["fold"].unique().sort().to_list() == list(range(folds["fold"].n_unique()))
    assert (folds.group_by("fold").agg(pl.col("role").n_unique())["role"] == 3).all()


def test_the_trial_level_flaw_deals_out_recordings() -> None:
    folds = make(index(BALANCED), flaws=["trial_level"])
    tested = folds.filter(pl.col("role") == "test")["recording_id"]
    assert sorted(tested) == sorted(index(BALANCED)["recording_id"])
    trained, test = subjects(folds, "train"), subjects(folds, "test")
    assert all(trained[fold] & test[fold] for fold in range(5))


@pytest.mark.parametrize(
    ("n_subjects", "changes", "message"),
    [
        (4, {}, r"4 subjects with labels, fewer than splits\.folds = 5"),
        (2, {"protocol": "loso"}, "fold 0 has 1 subject to fit on .* two are needed"),
        (
            6,
            {"protocol": "stimulus", "stimulus_folds": 5},
            r"4 stimuli, .*splits\.stimulus_folds = 5",
        ),
    ],
)
def test_too_few_to_split_is_an_error(
    n_subjects: int, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(index(BALANCED[:n_subjects]), **changes)


def test_recordings_without_a_stimulus_have_no_stimulus_folds() -> None:
    with pytest.raises(ValueError, match="40 recordings without one"):
        make(index(BALANCED).with_columns(stimulus=pl.lit(None, pl.String)), protocol="stimulus")


@pytest.mark.parametrize("protocol", ["grouped", "loso", "repeated", "stimulus"])
def test_the_owners_split_is_the_one_fold_whatever_is_asked(protocol: str) -> None:
    roles = ["train", "validation", "test", "train"] * 10
    table = index(BALANCED).with_columns(split=pl.Series(roles))
    folds = make(table, rated=table["recording_id"].to_list(), protocol=protocol)
    assert folds["fold"].unique().to_list() == [0]
    ordered = (t.sort("recording_id") for t in (folds, table))
    assert next(ordered)["role"].to_list() == next(ordered)["split"].to_list()
    flawed = protocols.rules(table, splits=PAPER, flaws=["trial_level"])
    assert (flawed.protocol, flawed.flaws, flawed.times_tested) == ("owners", (), None)


def challenge(n: int = 40) -> tuple[pl.DataFrame, list[str]]:
    """A set whose owners split it and withhold the labels of their test; nobody is twice in it."""
    parts = [*["train"] * (n // 2), *["validation"] * (n // 4), *["test"] * (n // 4)]
    table = index([[0]] * n).with_columns(
        split=pl.Series(parts),
        valence_label=pl.lit(None, pl.Int8),
        arousal_label=pl.lit(None, pl.Int8),
    )
    rated = table.filter(pl.col("split") != "test")["recording_id"].to_list()
    return table, rated


def test_where_the_owners_withhold_labels_their_validation_part_is_tested() -> None:
    table, rated = challenge()
    roles = make(table, rated=rated).join(table.select("recording_id", "split"), on="recording_id")
    counts = dict(
        roles.group_by("split", "role")
        .len()
        .select(pl.concat_list("split", "role").list.join("-"), "len")
        .rows()
    )
    assert counts == {
        "train-train": 16,
        "train-validation": 4,
        "validation-test": 10,
        "test-withheld": 10,
    }
    rules = protocols.rules(table, splits=PAPER, flaws=())
    assert (rules.protocol, rules.times_tested) == ("owners", None)


def test_the_audit_takes_withheld_recordings_for_no_flaw_and_refuses_copies() -> None:
    table, rated = challenge()
    folds = {"a": make(table, rated=rated)}
    rules = {"a": protocols.rules(table, splits=PAPER, flaws=())}
    asked: Any = {"folds": folds, "rules": rules, "corpora": {"a": {"viper": []}}}
    report = splits.audit_all(indices={"a": table}, **asked)["a"]["viper"][0]
    assert report["fitted_on_subjects"] == {"train": 16, "validation": 4}
    assert report["shared"] == 0
    copied = pl.when(pl.col("split") == "test").then("video_sha256").otherwise(pl.lit("same"))
    with pytest.raises(splits.LeakageError, match="with the content of a test recording"):
        splits.audit_all(indices={"a": table.with_columns(video_sha256=copied)}, **asked)


def test_held_out_subjects_are_held_out_whole_and_drawn_by_the_seed() -> None:
    table, rated = challenge()
    pairs = table.with_columns(subject=pl.Series([f"p{i // 2}" for i in range(table.height)]))
    folds = [make(pairs, rated=rated, seed=seed) for seed in (0, 0, 1)]
    held_out = [set(fold.filter(role="validation")["subject"]) for fold in folds]
    assert held_out[0] == held_out[1] != held_out[2]
    assert not held_out[0] & set(folds[0].filter(role="train")["subject"])


def test_of_the_owners_parts_what_is_not_rated_or_excluded_has_no_role() -> None:
    table, rated = challenge()
    unusable = pl.when(pl.col("recording_id") == rated[1]).then(pl.lit("excluded"))
    table = table.with_columns(status=unusable.otherwise("status"))
    without = {rated[0], rated[1]}
    assert set(table["recording_id"]) - set(make(table, rated=rated[1:])["recording_id"]) == without


def test_an_owners_training_part_of_one_subject_is_an_error() -> None:
    table, rated = challenge()
    with pytest.raises(ValueError, match="1 subjects with ratings in the owners' training part"):
        make(table.with_columns(subject=pl.lit("one")), rated=rated)


def test_rules_say_how_often_a_recording_is_tested() -> None:
    asked = PAPER.model_copy(update={"protocol": "repeated"})
    found = protocols.rules(index(BALANCED), splits=asked, flaws=["trial_level"])
    assert (found.protocol, found.flaws, found.times_tested) == ("repeated", ("trial_level",), 3)
