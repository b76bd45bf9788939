"""Published features: what knows the length stays out, and folds, audit and tests are the DAG's."""

import ast
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline_lib.core.imports import imported_modules
from pipeline_lib.core.schema import targets_of
from pipeline_lib.learning.splits import LeakageError
from pipeline_lib.params import load_params
from pipeline_lib.recordings import DatasetError
from pipeline_lib.stressid_features import columns, reading, study
from pipeline_lib.stressid_features.columns import GROWS, KEPT, PHYSIO, VERDICT, of_view
from stages import published as stage
from tests.dag import files_of, modules_of
from tests.published_features import SUBJECTS, TABLES, WITHOUT_VIDEO, draw, write

SYSTEMS = ("majority", "svm", "svm_physio", "svm_video")
STAGE_SYSTEMS = ("majority", "svm_physio", "svm_video")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Index and features of the small tables."""
    return reading.read(write(tmp_path_factory.mktemp("published"), draw()))


@pytest.fixture(scope="module")
def solved(published) -> dict[tuple[str, str, bool], dict]:
    """Question, view, flawed -> what the results file says."""
    index, features = published
    params = load_params()
    execution = params.execution.model_copy(update={"jobs": 1})
    settings = params.evaluation.model_copy(update={"bootstrap": 20})
    wanted = [("task", KEPT), ("task", "grows"), ("length", KEPT), ("length", "grows")]
    plan = [run for run in study.plan(SYSTEMS) if (run.question, run.view) in wanted]
    asked = study.ask(plan, index, of=params.splits, seed=0)
    predictions = study.predict(
        asked, features, settings=params.baselines, seed=0, execution=execution
    )
    of = {"settings": settings, "seed": 0, "synthetic": True}
    results = [study.summarise(a, p, **of) for a, p in zip(asked, predictions, strict=True)]
    return {(r["question"], r["view"], bool(r["flaws"])): r for r in results}


def f1(result: dict, system: str) -> float:
    return result["systems"][system][result["target"]]["folds"]["mean"]


# ---- Which features -----------------------------------------------------------------------------


def test_every_published_feature_is_judged_once():
    by_channel = [sum(name.startswith(c) for name in VERDICT) for c in ("ECG_", "RSP_", "EDA_")]
    assert by_channel == [46, 62, 24]
    assert set(VERDICT.values()) == {KEPT, *columns.WHY}
    both = [*of_view("steady"), *of_view("grows")]
    assert sorted(both) == sorted(of_view("all")) == sorted(VERDICT)
    assert set(of_view(KEPT)) < set(of_view("steady"))


@pytest.mark.parametrize(
    "name", ["nNN", "nBB", "nSCR", "sumAmpSCR", "sumRespSCR", "aucSCR", "maxBW", "VLF", "pNN50"]
)
def test_counts_sums_areas_and_places_are_left_out(name):
    assert VERDICT[PHYSIO[name]] in GROWS


def measured(name: str, minutes: float, *, wave: float) -> float:
    """Mean of what a formula makes of 30 hearts, steady but for a wave of 5 minutes; ms."""
    n = round(75 * minutes)
    slow = wave * np.sin(2 * np.pi * np.arange(n) / 375)
    noise = 40 * np.random.default_rng(0).normal(size=(30, n))
    return float(np.mean([FORMULAS[name](800 + slow + of_one) for of_one in noise]))


FORMULAS = {  # of intervals, as the authors' code has them; of minNN, how far it lies below
    "meanNN": lambda nn: nn.mean(),
    "RMSSD": lambda nn: np.sqrt(np.mean(np.diff(nn) ** 2)),
    "pNN20": lambda nn: 100 * np.sum(np.abs(np.diff(nn)) > 20) / (nn.size / (nn.sum() / 60_000)),
    "meanBW": lambda nn: np.cumsum(nn).mean(),
    "minNN": lambda nn: nn.mean() - nn.min(),
    "SDNN": lambda nn: nn.std(),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_verdicts_are_what_a_minute_and_three_of_the_same_heart_ask_for(name):
    verdict = VERDICT[PHYSIO[name]]
    steady, drifting = (
        measured(name, 3, wave=wave) / measured(name, 1, wave=wave) for wave in (0, 80)
    )
    assert (steady > 1.05) == (verdict in GROWS)
    assert (abs(drifting - 1) > 0.07) == (verdict != KEPT)


# ---- Reading ------------------------------------------------------------------------------------


def test_who_has_what(published):
    index, features = published
    by_id = {row["recording_id"]: row for row in index.iter_rows(named=True)}
    assert len(by_id) == 12 * len(SUBJECTS)
    assert by_id["s00_Video2"]["status"] == "excluded"
    assert by_id["s02_Video2"]["status"] == "ok"
    partial = by_id[f"{WITHOUT_VIDEO[1]}_Math"]
    assert (partial["status"], partial["video_sha256"]) == ("partial", None)
    assert partial["reason"] == "no video among the published features"
    math = features.row(by_predicate=pl.col("recording_id") == "s01_Math", named=True)
    assert math["visual_AU12_r_mean"] is None
    assert math["ECG_meanHR"] == float(draw()["physio"]["s01_Math"]["meanHR"])


@pytest.mark.parametrize("cell", ["", "nan", "inf"])
def test_what_is_not_known_is_null(tmp_path, cell):
    tables = draw()
    tables["physio"]["s03_Math"]["sampEn"] = cell
    _, features = reading.read(write(tmp_path, tables))
    row = features.row(by_predicate=pl.col("recording_id") == "s03_Math", named=True)
    assert row["ECG_sampEn"] is None
    assert features["ECG_sampEn"].null_count() == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id,mean_AU01_r", "id,mean_AU99_r", r"lacks \['mean_AU01_r'\]"),
        ("id,", "id,length,", r"unknown columns \['length'\]"),
        ("s03_Math,", "s03_Maths,", r"\['s03_Maths'\] in column 'id' are no <subject>_<task>"),
        ("s03_Math,", "s03_Stroop,", r"\['s03_Stroop'\] occur twice"),
        ("s03_Math,", "s03_Math,x", "not a number"),
    ],
)
def test_another_table_than_the_published_one_is_refused(tmp_path, old, new, said):
    path = write(tmp_path, draw()) / TABLES["video"]
    text = path.read_text().replace(old, new, 1)
    if "length" in new:
        head, *rows = text.splitlines()
        text = "\n".join([head, *(row.replace(",", ",60,", 1) for row in rows)])
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        reading.read(tmp_path)


def test_a_missing_table_is_named(tmp_path):
    (write(tmp_path, draw()) / TABLES["physio"]).unlink()
    with pytest.raises(DatasetError, match=r"no all_physiological_features\.csv"):
        reading.read(tmp_path)


# ---- What is asked ------------------------------------------------------------------------------


def test_without_the_length_baseline_is_rest_with_it_a_task(solved):
    kept, grows = (solved["task", view, False] for view in (KEPT, "grows"))
    assert kept["systems"]["svm_physio"]["called"]["Baseline"] < 0.5
    assert grows["systems"]["svm_physio"]["called"]["Baseline"] > 0.5


def test_only_what_grows_tells_the_length_at_rest(solved):
    auc = {
        view: solved["length", view, False]["systems"]["svm_physio"]["long"]["pooled"]["auc"]
        for view in (KEPT, "grows")
    }
    assert auc["grows"]["value"] == 1.0
    assert 0.25 < auc[KEPT]["value"] < 0.75


def test_late_fusion_is_the_mean_of_both_and_each_uses_whom_it_can(solved):
    systems = solved["task", KEPT, False]["systems"]
    counts = {name: of["n_recordings"] for name, of in systems.items()}
    both = 11 * (len(SUBJECTS) - len(WITHOUT_VIDEO))
    expected = {"majority": 119, "svm_physio": 119, "svm_video": both, "svm": both}
    assert counts == expected | {"svm_late": both}
    assert f1(solved["task", KEPT, False], "svm_late") > 0.85
    assert systems["svm_video"]["majority"] == systems["svm"]["majority"]


def test_the_flawed_folds_share_subjects_and_say_so(solved):
    honest, flawed = (solved["task", KEPT, flaw] for flaw in (False, True))
    assert {fold["shared"] for fold in honest["audit"]} == {0}
    assert min(fold["shared"] for fold in flawed["audit"]) > 0
    assert flawed["systems"]["svm"]["flaws"] == flawed["flaws"] == ["trial_level"]
    assert honest["systems"]["svm"]["flaws"] == []


@pytest.mark.parametrize("modality", ["physio", "video"])
def test_the_audit_finds_a_row_that_was_copied_to_another_subject(tmp_path, modality):
    tables = draw()
    tables[modality]["s03_Math"] = tables[modality]["s08_Math"]
    index, _ = reading.read(write(tmp_path, tables))
    honest = [run for run in study.plan(SYSTEMS) if not run.flaws][:1]
    splits = load_params().splits.model_copy(update={"protocol": "loso"})
    with pytest.raises(LeakageError, match="files with the content of a test recording"):
        study.ask(honest, index, of=splits, seed=0)


def test_one_target_is_enough(published):
    index, _ = published
    asked = study.ask(study.plan(SYSTEMS)[:1], index, of=load_params().splits, seed=0)
    assert targets_of(asked[0].index) == asked[0].targets == ("task",)


# ---- The stage ----------------------------------------------------------------------------------


def test_deps_and_params_of_the_stage_that_is_off_are_exact():
    entry = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]["published"]["do"]
    deps = {path for dep in entry["deps"] for path in modules_of(dep)}
    assert deps == files_of(imported_modules("stages.published"))
    attributes = ast.walk(ast.parse(Path("stages/published.py").read_text()))
    chains = [
        ast.unparse(node).split(".") for node in attributes if isinstance(node, ast.Attribute)
    ]
    read = {chain[1].split("[")[0] for chain in chains if chain[0] == "params"}
    assert read - {"execution"} == {key.split(".")[0] for key in entry["params"]}


def test_stage_writes_results_page_and_tables(tmp_path, monkeypatch, capsys, unsent):
    (tmp_path / "dvc.yaml").symlink_to(Path("dvc.yaml").resolve())
    root = write(tmp_path / "theirs", draw())
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["published"] = {"stressid_features": {"root": str(root)}}
    params["systems"]["baseline"] = list(STAGE_SYSTEMS)
    params["evaluation"] |= {"bootstrap": 20, "permutations": 50}
    params["execution"]["jobs"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    stage.main("stressid_features")
    assert "| SVM (HC feat), physiology | 119 of 10 |" in capsys.readouterr().out
    written = json.loads((tmp_path / "results/stressid_features.json").read_text())
    assert len(written["runs"]) == len(study.plan(STAGE_SYSTEMS))
    assert written["comparisons"]["task"]["weighted_f1"]["n_pairs"] == 3
    page = (tmp_path / "results/stressid_features.html").read_text()
    assert "SYNTHETIC: rest against task" in page
    assert "FLAWED: by trial" in page
    assert str(tmp_path) not in page
