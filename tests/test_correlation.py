"""Results of systems that estimate intensities: content of the files, and the stage."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from scipy.stats import pearsonr

from pipeline_lib.core import tables
from pipeline_lib.core.schema import RECORDINGS
from pipeline_lib.correlation import comparison, deciles, partition, results
from pipeline_lib.datasets.hume_reaction.tables import CLASSES
from pipeline_lib.evaluation import EvaluationError
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation
from stages import correlate
from tests.estimates import estimates

EVALUATION = Evaluation(bootstrap=500, permutations=999, confidence=0.95, margin=0.05)
SETTINGS = {
    "evaluation": EVALUATION,
    "seed": 0,
    "synthetic": True,
    "rules": Rules("owners", (), times_tested=None),
}


def summary(table, **changes):
    return results.summarise(table, system="viper", **SETTINGS | changes)


def test_scores_are_those_of_the_whole_partition_and_their_mean():
    table = estimates(0.5)
    found = summary(table)
    assert (found["n_recordings"], found["n_subjects"], found["n_folds"]) == (60, 60, 1)
    for selection in partition.SELECTIONS:
        scored = found[selection]["pearson"]
        assert [*scored] == ["mean", *CLASSES]
        rows = {
            name: table.filter(role="test", selection=selection, target=name) for name in CLASSES
        }
        expected = {
            name: pearsonr(of["value"].to_numpy(), of["score"].to_numpy()).statistic
            for name, of in rows.items()
        }
        for name, value in expected.items():
            assert scored[name]["value"] == pytest.approx(value, abs=1e-6)
        assert scored["mean"]["value"] == pytest.approx(np.mean([*expected.values()]), abs=1e-6)
        assert all(entry["low"] < entry["value"] < entry["high"] for entry in scored.values())


def test_the_order_of_estimates_does_not_matter():
    table = estimates(0.5)
    shuffled = table.sample(fraction=1, shuffle=True, seed=1)
    assert json.dumps(summary(table)) == json.dumps(summary(shuffled))


def test_a_class_of_one_score_counts_as_0_and_is_named():
    table = estimates(0.5).with_columns(
        score=pl.when(target="Fear", selection="held_out").then(0.3).otherwise("score")
    )
    with pytest.warns(results.ConstantWarning, match="viper, held_out: all scores of Fear"):
        found = summary(table)
    assert found["held_out"]["constant"] == ["Fear"]
    assert found["reported"]["constant"] == []
    assert found["held_out"]["pearson"]["Fear"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    others = [found["held_out"]["pearson"][name]["value"] for name in CLASSES if name != "Fear"]
    assert found["held_out"]["pearson"]["mean"]["value"] == pytest.approx(sum(others) / 7, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[1:], "419 estimates with the epoch chosen as `held_out`, of 60 recordings"),
        (lambda t: pl.concat([t, t[:1]]), "421 estimates"),
        (lambda t: t.filter(selection="held_out"), "0 estimates .* `reported`"),
        (
            lambda t: t.with_columns(score=pl.lit(float("nan"))),
            "840 estimates are no numbers|420 estimates are no numbers",
        ),
        (lambda t: t.with_columns(role=pl.lit("test")), "labelled None"),
    ],
)
def test_what_is_not_one_number_for_each_class_is_an_error(change, message):
    with pytest.raises(EvaluationError, match=message):
        summary(change(estimates(0.5)))


def test_systems_are_told_from_the_full_one_or_not():
    found = comparison.compare(
        {"viper": estimates(0.3), "early": estimates(0.3, seed=1), "mult": estimates(1.5, seed=2)},
        **SETTINGS,
    )
    for selection in partition.SELECTIONS:
        tests = found[selection]["tests"]
        assert [*tests] == ["early", "mult"]
        assert tests["early"]["verdict"] == "not distinguishable"
        worse = tests["mult"]
        assert (worse["verdict"], worse["p"], worse["p_holm"]) == ("worse", 0.001, 0.002)
        assert worse["low"] < worse["difference"] < worse["high"] < 0


def test_scale_and_origin_of_a_systems_estimates_do_not_matter():
    """A sigmoid's estimates lie in a part of what a line's take, and correlate as well."""
    rival = estimates(0.5, seed=1)
    moved = rival.with_columns(score=pl.col("score") * 0.2 + 1)
    either, other = (
        comparison.compare({"viper": estimates(0.3), "early": table}, **SETTINGS)
        for table in (rival, moved)
    )
    assert either["held_out"]["tests"] == other["held_out"]["tests"]


def test_a_system_that_lacks_recordings_is_tested_on_what_both_have():
    part = estimates(0.5, seed=1).filter(pl.col("recording_id") > "00009")
    found = comparison.compare({"viper": estimates(0.5), "early": part}, **SETTINGS)
    assert found["held_out"]["tests"]["early"]["n_recordings"] == 50


@pytest.mark.parametrize(
    ("rivals", "message"),
    [
        ({"early": estimates(0.5)}, r"systems.fuse names \['early'\], not viper"),
        (
            {
                "viper": estimates(0.5),
                "early": estimates(0.5).with_columns(value=1 - pl.col("value")),
            },
            "know other labels",
        ),
        ({"viper": estimates(0.5), "early": estimates(0.5, classes=["Fear"])}, "early estimates"),
    ],
)
def test_systems_that_cannot_be_compared_are_an_error(rivals, message):
    with pytest.raises(EvaluationError, match=message):
        comparison.compare(rivals, **SETTINGS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 0), (0.0999, 0), (0.1, 1), (0.3, 3), (0.7, 7), (0.9, 9), (1.0, 9), (-0.2, 0), (1.4, 9)],
)
def test_deciles_are_half_open_but_for_the_last(value, expected):
    assert deciles.decile(np.array([value])) == expected


def test_confusion_counts_labels_by_row_and_what_is_outside():
    labels, scores = np.array([0.05, 0.05, 0.95]), np.array([0.15, -0.1, 1.2])
    counts = deciles.confusion(labels, scores)
    assert counts.sum() == 3
    assert (counts[0, 0], counts[0, 1], counts[9, 9]) == (1, 1, 1)
    assert deciles.n_outside(scores) == 2


def test_decile_tables_hold_what_the_counts_hold():
    part = partition.of(estimates(0.8), "held_out")
    (table, *_) = deciles.tables(part).values()
    counts = deciles.confusion(part.labels[:, 0], part.scores[:, 0])
    assert table.filter(actual="[0.9, 1.0]").height == counts[9].sum()
    assert table.filter(predicted="[0.2, 0.3)").height == counts[:, 2].sum()


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder with runs of three systems and the verdict on their folds."""
    folder = tmp_path_factory.mktemp("correlate")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["systems"]["fuse"] = ["viper", "viper_face", "early"]
    params["evaluation"] |= {"bootstrap": 200, "permutations": 199}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for i, system in enumerate(params["systems"]["fuse"]):
        table = estimates(0.3 + i / 2, seed=i, n=20)
        tables.write_table(table, folder / f"runs/hume_reaction-{system}/estimates.parquet")
    row = dict.fromkeys(RECORDINGS) | {"recording_id": "00000", "synthetic": True}
    index = pl.DataFrame([row], schema=dict(RECORDINGS))
    tables.write_table(index, folder / "data/hume_reaction/recordings.parquet")
    rules = {"protocol": "owners", "flaws": [], "times_tested": None}
    verdict = {"folds": {}, "clips": {}, "rules": {"hume_reaction": rules}}
    tables.write_json(verdict, folder / "data/audit/hume_reaction.json")
    return folder


def test_the_stage_writes_results_tests_and_plots(project, monkeypatch, unsent):
    monkeypatch.chdir(project)
    correlate.main("hume_reaction")
    done = project / "results"
    found = json.loads((done / "hume_reaction-viper.json").read_text())
    assert (found["synthetic"], found["protocol"], found["n_recordings"]) == (True, "owners", 20)
    tests = json.loads((done / "hume_reaction-correlations.json").read_text())["reported"]["tests"]
    assert [*tests] == ["viper_face", "early"]
    plots = sorted(path.name for path in (done / "plots/hume_reaction-deciles").iterdir())
    assert len(plots) == 14
    assert plots[0] == "viper-held_out-Adoration.csv"
    plot = pl.read_csv(done / "plots/hume_reaction-deciles" / plots[0])
    assert (plot.columns, plot.height) == (["actual", "predicted"], 20)
