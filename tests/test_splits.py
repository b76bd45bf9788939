"""What leaks is refused; what leaks on request is marked."""

from typing import Any

import polars as pl
import pytest

from pipeline_lib import protocols
from pipeline_lib.learning import splits
from tests.test_protocols import BALANCED, PAPER, index, make

Two = tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]


def audit(
    indices: dict[str, pl.DataFrame],
    folds: dict[str, pl.DataFrame],
    *,
    flaws: Any = (),
    **changes: Any,
) -> dict[str, Any]:
    asked = PAPER.model_copy(update=changes)
    systems = {"mvp": (), "videomae": tuple(indices)}
    return splits.audit_all(
        indices=indices,
        folds=folds,
        rules={d: protocols.rules(indices[d], splits=asked, flaws=flaws) for d in folds},
        corpora=dict.fromkeys(folds, systems),
    )


def made(**asked: Any) -> Two:
    indices = {"a": index(BALANCED, "a"), "b": index(BALANCED, "b")}
    return indices, {d: make(table, **asked) for d, table in indices.items()}


@pytest.fixture
def two() -> Two:
    return made()


def swapped(folds: pl.DataFrame, recording: str, fold: int, role: str) -> pl.DataFrame:
    """The folds with another role for one recording."""
    here = (pl.col("fold") == fold) & (pl.col("recording_id") == recording)
    return folds.with_columns(pl.when(here).then(pl.lit(role)).otherwise("role").alias("role"))


def test_honest_folds_pass_and_are_counted(two: Two) -> None:
    assert audit(*two)["b"]["videomae"][4] == {
        "fold": 4,
        "test_subjects": 2,
        "fitted_on_subjects": {"pretrain": 16, "train": 6, "validation": 2},
        "shared": 0,
        "shared_stimuli": 4,
        "protocol": "grouped",
        "flaws": [],
    }


@pytest.mark.parametrize("protocol", ["loso", "repeated", "stimulus"])
def test_every_protocol_passes_its_own_audit(protocol: str) -> None:
    report = audit(*made(protocol=protocol), protocol=protocol)
    reports = [fold for of_set in report.values() for each in of_set.values() for fold in each]
    assert all(fold["shared"] == 0 for fold in reports)
    stimuli = {fold["shared_stimuli"] for fold in reports}
    assert stimuli == ({0} if protocol == "stimulus" else {4})


def test_a_subject_on_both_sides_is_refused(two: Two) -> None:
    indices, folds = two
    a = folds["a"].filter(pl.col("fold") == 2)
    seen, tested = (a.filter(pl.col("role") == role)["subject"][0] for role in ("train", "test"))
    subject = pl.col("subject").replace(tested, seen)
    leaky = {**folds, "a": folds["a"].with_columns(subject)}
    with pytest.raises(splits.LeakageError, match=rf"train sees 1 test subjects \[\('a', '{seen}"):
        audit(indices, leaky)


def test_a_copied_video_is_refused(two: Two) -> None:
    indices, folds = two
    tested = {d: set(splits.with_role(folds[d], 0, "test")["subject"]) for d in folds}
    other = next(s for s in indices["b"]["subject"] if s not in tested["b"]).removeprefix("b")
    mine = min(tested["a"]).removeprefix("a")
    copied = pl.col("video_sha256").replace(f"b-video-{other}-0", f"a-video-{mine}-0")
    with pytest.raises(splits.LeakageError, match="1 files with the content of a test recording"):
        audit({**indices, "b": indices["b"].with_columns(copied)}, folds)


def test_a_set_without_folds_is_seen_whole_and_audited(two: Two) -> None:
    indices, folds = two
    open_set = {**indices, "k": index(BALANCED, "k")}
    steps = audit(open_set, folds)["b"]["videomae"][4]["fitted_on_subjects"]
    assert steps["pretrain"] == 16 + open_set["k"]["subject"].n_unique()
    mine = min(splits.with_role(folds["a"], 0, "test")["subject"]).removeprefix("a")
    copied = pl.col("video_sha256").replace("k-video-0-0", f"a-video-{mine}-0")
    with pytest.raises(splits.LeakageError, match=r"pretrain sees 1 files with the content"):
        audit({**open_set, "k": open_set["k"].with_columns(copied)}, folds)


def test_a_set_that_is_seen_whole_must_not_be_the_one_that_is_tested(two: Two) -> None:
    indices, folds = two
    asked = {
        "indices": indices,
        "folds": folds,
        "rules": {d: protocols.rules(indices[d], splits=PAPER, flaws=()) for d in folds},
        "corpora": {"a": {"other": ["b"]}, "b": {}},
    }
    (first, *_) = splits.audit_all(**asked, whole={"a": {"other": ["b"]}})["a"]["other"]
    assert first["fitted_on_subjects"]["pretrain"] == indices["b"]["subject"].n_unique() == 10
    asked["corpora"]["a"]["other"] = ["a"]
    with pytest.raises(splits.LeakageError, match="pretrain sees 2 test subjects"):
        splits.audit_all(**asked, whole={"a": {"other": ["a"]}})


def test_twins_teach_a_system_of_a_real_set_on_request_alone() -> None:
    asked = {"allowed": False, "key": "finetune.a-x"}
    assert splits.twins_seen("a", ["k", "b"], (), **asked) == []  # all real
    assert splits.twins_seen("a", ["k"], {"a", "k"}, **asked) == ["a", "k"]  # all twins
    assert splits.twins_seen("a", ["k"], {"a"}, **asked) == ["a"]
    with pytest.raises(
        splits.ProtocolError, match=r"finetune.a-x: a is real.*datasets.k.root.*pret"
    ):
        splits.twins_seen("a", ["k", "b"], {"k"}, **asked)
    assert splits.twins_seen("a", ["k", "b"], {"k"}, **asked | {"allowed": True}) == ["k"]
    corpora, supervised = {"k400": ["k"], "k_d": ["k", "d"]}, {"k_d": "k400"}
    starts = {"pretrain-k400": [], "supervise-k_d": ["k", "d"]}
    for start, seen in starts.items():
        assert splits.taught_by(start, corpora, supervised, made_on="k400") == seen
    assert splits.taught_by("pretrain-k400", corpora, supervised, made_on=None) == ["k"]


def test_all_steps_before_a_start_count() -> None:
    corpora = {"k400": ["k"], "kad": ["k", "a", "d"], "k_d": ["k", "d"]}
    supervised = {"k_d": "kad"}
    assert splits.before("pretrain-k400", corpora, supervised) == ["k"]
    assert splits.before("supervise-k_d", corpora, supervised) == ["k", "d", "a"]


def test_a_stimulus_on_both_sides_is_refused_where_stimuli_must_be_new(two: Two) -> None:
    """The paper's folds share no subject, but all films: not what protocol `stimulus` promises."""
    with pytest.raises(splits.LeakageError, match="a, fold 0: train sees 4 test stimuli"):
        audit(*two, protocol="stimulus")


def test_trial_level_folds_pass_only_on_request_and_are_marked() -> None:
    flawed = made(flaws=["trial_level"])
    with pytest.raises(splits.LeakageError, match=r"train sees \d test subjects"):
        audit(*flawed)
    (first, *_) = audit(*flawed, flaws=["trial_level"])["a"]["mvp"]
    assert first["shared"] > 0
    assert first["flaws"] == ["trial_level"]


def test_not_even_the_flaw_lets_a_copy_of_a_test_recording_pass() -> None:
    indices, folds = made(flaws=["trial_level"])
    fold = folds["a"].filter(pl.col("fold") == 0)
    seen, tested = (
        fold.filter(pl.col("role") == role)["recording_id"][0].removeprefix("a").replace("_", "-")
        for role in ("train", "test")
    )
    copied = pl.col("video_sha256").replace(f"a-video-{seen}", f"a-video-{tested}")
    with pytest.raises(splits.LeakageError, match="1 files with the content of a test recording"):
        audit({**indices, "a": indices["a"].with_columns(copied)}, folds, flaws=["trial_level"])


def test_a_recording_that_is_tested_too_often_is_an_error(two: Two) -> None:
    indices, folds = two
    trained = splits.with_role(folds["a"], 0, "train")["recording_id"][0]
    with pytest.raises(splits.ProtocolError, match=rf"a: \['{trained}'\] are not tested 1 times"):
        audit(indices, {**folds, "a": swapped(folds["a"], trained, 0, "test")})


def test_a_recording_that_is_never_tested_is_an_error(two: Two) -> None:
    indices, folds = two
    tested = splits.with_role(folds["a"], 0, "test")["recording_id"][0]
    with pytest.raises(splits.ProtocolError, match=rf"a: \['{tested}'\] are not tested 1 times"):
        audit(indices, {**folds, "a": swapped(folds["a"], tested, 0, "train")})


def test_several_subjects_in_a_fold_are_not_leave_one_out(two: Two) -> None:
    with pytest.raises(splits.ProtocolError, match=r"a, folds \[0, 1, 2, 3, 4\]: several"):
        audit(*two, protocol="loso")


def test_a_set_with_fewer_folds_gives_the_others_all_that_it_has() -> None:
    """Leaving one of 10 and one of 6 subjects out: folds 6 to 9 test nobody of the second set."""
    indices = {"a": index(BALANCED, "a"), "b": index(BALANCED[:6], "b")}
    folds = {d: make(table, protocol="loso") for d, table in indices.items()}
    seen = splits.pretraining_list(folds, ["a", "b"], fold=8)
    assert seen["dataset"].value_counts().sort("dataset")["count"].to_list() == [36, 24]
    assert audit(indices, folds, protocol="loso")["a"]["videomae"][8]["shared"] == 0
