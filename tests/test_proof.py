"""Systems on planted twins: who reads a cue finds it, and what a table of that says."""

import json
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.params import Execution, load_params
from pipeline_lib.stored_features import systems as on_features
from pipeline_lib.studies import planted, proof
from pipeline_lib.studies.planted import Twin
from pipeline_lib.studies.planted_study import TWINS, prove

# Of a system on a twin, the targets whose cue it finds within so many epochs.
FINDS = [("mvp", "kind", TARGETS, 4), ("mvp", "order", TARGETS, 4), ("mvp_10s", "order", (), 2)]


@pytest.mark.parametrize(("system", "cue", "found", "epochs"), FINDS)
def test_one_fold_finds_the_cue_that_it_can_see_and_no_other(system, cue, found, epochs):
    """Beside the cue itself, lest the labels' own chance blur it."""
    params = load_params()
    features, cues = planted.draw(Twin(cue, 0.9), n_subjects=80, trials=4, seed=0)
    folds, _ = proof.audited_folds("t", features, [system], settings=params.splits, seed=0)
    config = proof.sized(getattr(params.models["tiny"], system)).model_copy(
        update={"epochs": epochs}
    )
    result = on_features.train_fold(
        features, folds.filter(fold=0), system=import_module(f"models.{system}").SYSTEM,
        config=config, fps=planted.FPS,
        sampling_rate=planted.SAMPLING_RATE, seed=0, checkpoint=None,
    )  # fmt: skip
    scores = result.scores.join(cues, on="recording_id")
    for target in TARGETS:
        rows = scores.filter(target=target)
        hits = ((rows["score"] > 0.5).cast(pl.Int64) == rows[target]).mean()
        assert hits > 0.9 if target in found else hits < 0.7


def test_the_command_scores_every_system_beside_its_bound(monkeypatch):
    """On few people, by three systems; the reader of the cue is right as often as labels agree."""
    systems = ["cue", "uni_au", "svm_video"]
    monkeypatch.setattr(proof, "SIZES", {**proof.SIZES, "epochs": 1})
    here = Execution(backend="loky", jobs=1, experiment="none")
    params = load_params().model_copy(update={"execution": here})
    rows = pl.DataFrame(prove("kind", TWINS["kind"], n_subjects=20, systems=systems, params=params))
    assert rows.height == 3 * len(TARGETS)
    assert rows.filter(target="valence")["bound"].to_list() == [0.95] * 3
    assert rows.filter(target="arousal")["bound"].to_list() == [0.95, 0.5, 0.5]
    features, cues = planted.draw(TWINS["kind"], n_subjects=20, trials=4, seed=params.seed)
    agree = features.join(cues, on="recording_id").select(
        pl.col("valence") == pl.col("valence_label")
    )
    read = rows.filter(system="cue", target="valence")["accuracy"].item()
    assert read == pytest.approx(agree.to_series().mean())


def test_folds_keep_people_apart():
    features, _ = planted.draw(TWINS["kind"], n_subjects=10, trials=2, seed=0)
    folds, rules = proof.audited_folds(
        "t", features, ["mvp"], settings=load_params().splits, seed=0
    )
    assert rules.times_tested == 1
    roles = folds.group_by("fold", "subject").agg(pl.col("role").n_unique())
    assert roles["role"].unique().to_list() == [1]


def test_sizes_change_what_a_section_has_and_nothing_else():
    before = load_params().models["tiny"].uni_au
    after = proof.sized(before).model_dump()
    changed = {k for k, v in before.model_dump().items() if after[k] != v}
    assert changed <= set(proof.SIZES)
    assert (after["max_seconds"], after["dim"]) == (30.0, 32)
    assert "physio_channels" not in after


@pytest.mark.parametrize(
    ("bound", "low", "high", "said"),
    [
        (0.95, 0.93, 0.96, "at its bound"),
        (0.95, 0.90, 0.94, "below"),
        (0.95, 0.96, 0.99, "above"),
        (0.5, 0.45, 0.55, "at chance"),
        (0.5, 0.51, 0.60, "above"),
        (0.5, 0.40, 0.49, "below"),
    ],
)
def test_verdict(bound, low, high, said):
    assert proof.verdict(bound, low=low, high=high) == said


def test_the_page_shows_what_the_command_found():
    rows = json.loads(Path("results/proof.json").read_text())["rows"]
    assert {(row["twin"], row["system"]) for row in rows} == {
        (t, s) for t in TWINS for s in proof.SIGHTS
    }
    assert proof.markdown(rows) in Path("docs/proof.md").read_text()
