"""Folds share no subject, and what leaks is refused."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib import splits
from pipeline_lib.schema import RECORDINGS


def index(labels: list[list[int]], name: str = "s") -> pl.DataFrame:
    """One subject per list, one recording per label; arousal is the opposite of valence."""
    rows = [
        {
            **dict.fromkeys(RECORDINGS),
            "recording_id": f"{name}{i}_{k}",
            "subject": f"{name}{i}",
            "video_sha256": f"{name}-video-{i}-{k}",
            "valence_label": label,
            "arousal_label": 1 - label,
            "status": "ok",
        }
        for i, subject in enumerate(labels)
        for k, label in enumerate(subject)
    ]
    return pl.DataFrame(rows, schema=dict(RECORDINGS))


BALANCED = [[0, 1, 0, 1]] * 10


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=6, max_size=12))
def test_no_subject_has_two_roles_in_a_fold_and_each_is_tested_once(
    labels: list[list[int]],
) -> None:
    folds = splits.make_folds(index(labels), folds=5, validation=0.2, seed=0)
    roles = folds.group_by("fold", "subject").agg(pl.col("role").n_unique())
    assert roles["role"].max() == 1
    tested = folds.filter(pl.col("role") == "test")["recording_id"].to_list()
    assert sorted(tested) == sorted(index(labels)["recording_id"])
    assert folds.group_by("fold").agg(pl.col("role").n_unique())["role"].to_list() == [3] * 5


def test_folds_are_deterministic_and_stratified() -> None:
    first, second = (
        splits.make_folds(index(BALANCED), folds=5, validation=0.2, seed=3) for _ in range(2)
    )
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
    folds = splits.make_folds(table, folds=5, validation=0.2, seed=0)
    assert not {"s0_0", "s0_1"} & set(folds["recording_id"])
    assert folds["recording_id"].n_unique() == 38


def test_fewer_subjects_than_folds_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"4 subjects with labels, fewer than splits\.folds = 5"):
        splits.make_folds(index(BALANCED[:4]), folds=5, validation=0.2, seed=0)


def audit(indices: dict[str, pl.DataFrame], folds: dict[str, pl.DataFrame]) -> dict[str, object]:
    systems = {"mvp": (), "videomae": tuple(indices)}
    return splits.audit_all(indices=indices, folds=folds, corpora=dict.fromkeys(folds, systems))


@pytest.fixture
def two() -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    indices = {"a": index(BALANCED, "a"), "b": index(BALANCED, "b")}
    make = splits.make_folds
    return indices, {d: make(t, folds=5, validation=0.2, seed=0) for d, t in indices.items()}


def test_honest_folds_pass_and_are_counted(two: tuple[dict[str, pl.DataFrame], ...]) -> None:
    report = audit(*two)
    assert report["b"]["videomae"][4] == {  # type: ignore[index]
        "fold": 4,
        "test_subjects": 2,
        "fitted_on_subjects": {"pretrain": 16, "train": 6, "validation": 2},
        "shared": 0,
    }


def test_a_subject_on_both_sides_is_refused(two: tuple[dict[str, pl.DataFrame], ...]) -> None:
    indices, folds = two
    tested = folds["a"].filter(pl.col("fold") == 2, pl.col("role") == "test")["recording_id"][0]
    here = (pl.col("fold") == 2) & (pl.col("recording_id") == tested)
    leaky = pl.when(here).then(pl.lit("train")).otherwise("role").alias("role")
    with pytest.raises(splits.LeakageError, match="a, fold 2: train sees 1 test subjects"):
        audit(indices, {**folds, "a": folds["a"].with_columns(leaky)})


def test_a_copied_video_is_refused(two: tuple[dict[str, pl.DataFrame], ...]) -> None:
    indices, folds = two
    tested = {d: set(splits.with_role(folds[d], 0, "test")["subject"]) for d in folds}
    other = next(s for s in indices["b"]["subject"] if s not in tested["b"]).removeprefix("b")
    mine = min(tested["a"]).removeprefix("a")
    copied = pl.col("video_sha256").replace(f"b-video-{other}-0", f"a-video-{mine}-0")
    with pytest.raises(splits.LeakageError, match="1 files with the content of a test recording"):
        audit({**indices, "b": indices["b"].with_columns(copied)}, folds)


def test_a_set_without_folds_is_seen_whole_and_audited(
    two: tuple[dict[str, pl.DataFrame], ...],
) -> None:
    indices, folds = two
    open_set = {**indices, "k": index(BALANCED, "k")}
    report = audit(open_set, folds)
    steps = report["b"]["videomae"][4]["fitted_on_subjects"]  # type: ignore[index]
    assert steps["pretrain"] == 16 + open_set["k"]["subject"].n_unique()
    mine = min(splits.with_role(folds["a"], 0, "test")["subject"]).removeprefix("a")
    copied = pl.col("video_sha256").replace("k-video-0-0", f"a-video-{mine}-0")
    with pytest.raises(splits.LeakageError, match=r"pretrain sees .* 1 files with the content"):
        audit({**open_set, "k": open_set["k"].with_columns(copied)}, folds)


def test_a_set_with_fewer_folds_has_no_test_subjects_beyond_them(
    two: tuple[dict[str, pl.DataFrame], ...],
) -> None:
    _, folds = two
    few = {**folds, "b": folds["b"].filter(pl.col("fold") < 2)}
    seen = splits.pretraining_list(few, ["a", "b"], fold=4).group_by("dataset").len()
    counts = dict(seen.iter_rows())
    assert counts["b"] == folds["b"]["recording_id"].n_unique() > counts["a"]


def test_all_steps_before_a_start_count() -> None:
    corpora = {"k400": ["k"], "kad": ["k", "a", "d"], "k_d": ["k", "d"]}
    supervised = {"k_d": "kad"}
    assert splits.before("pretrain-k400", corpora, supervised) == ["k"]
    assert splits.before("supervise-k_d", corpora, supervised) == ["k", "d", "a"]


def test_the_owners_split_is_the_one_fold() -> None:
    roles = ["train", "validation", "test", "train"] * 10
    table = index(BALANCED).with_columns(split=pl.Series(roles))
    folds = splits.make_folds(table, folds=5, validation=0.2, seed=0)
    assert folds["fold"].unique().to_list() == [0]
    assert (
        folds.sort("recording_id")["role"].to_list()
        == table.sort("recording_id")["split"].to_list()
    )
