"""The rivals on hand-made feature tables."""

import math
from typing import get_args

import numpy as np
import polars as pl
import pytest
from scipy.special import logit

from models import tabular
from models.baselines import fit_predict, kind_and_modalities, lacking, make
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.params import MLP, Baseline, Baselines, load_params
from pipeline_lib.report.published import SYSTEMS as SHOWN
from tests.dag import stages

SYSTEMS: tuple[Baseline, ...] = get_args(Baseline)
ONE_OF_EACH: tuple[Baseline, ...] = (
    *("majority", "stratified", "svm_physio", "svm_video", "svm"),
    *("mlp_video", "mlp64", "boosting_physio", "boosting"),
)
LEARNERS = [s for s in SYSTEMS if s not in ("majority", "stratified")]
N = 60


@pytest.fixture(scope="module")
def baselines() -> Baselines:
    """Those of params.yaml, with a hidden layer, for without one the MLP learns slowly."""
    quick = MLP(hidden=(16,), max_iterations=5000)
    return load_params().baselines.model_copy(update={"mlp": quick, "mlp64": quick})


def tables(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Features, of which one is valence and one arousal in noise, labels, and a fold."""
    rng = np.random.default_rng(seed)
    valence, arousal = np.arange(N) % 3 > 0, np.arange(N) % 2 > 0
    names = [f"r{i:02}" for i in range(N)]
    noise = 0.2 * rng.normal(size=(3, N))
    columns = {
        "visual_a": valence + noise[0],
        "EDA_b": noise[1],
        "heart_c": arousal + noise[2],
    }
    features = pl.DataFrame({"recording_id": names, "has_video": True, **columns})
    classes = {"valence_label": valence.astype(np.int8), "arousal_label": arousal.astype(np.int8)}
    labels = pl.DataFrame({"recording_id": names, **classes})
    role = np.repeat(["train", "validation", "test"], N // 3)
    return features, labels, pl.DataFrame({"fold": 2, "recording_id": names, "role": role})


def fit_one(system: Baseline, *of: pl.DataFrame, baselines: Baselines) -> pl.DataFrame:
    return fit_predict(*of, systems=[system], baselines=baselines, seed=0)[system]


def accuracy(scores: pl.DataFrame, labels: pl.DataFrame, target: str) -> float:
    rows = scores.filter(target=target).join(labels, on="recording_id")
    return float(np.mean(rows["score"].to_numpy().round() == rows[f"{target}_label"].to_numpy()))


def spoil(features: pl.DataFrame, rows: pl.Expr, **values: float | None) -> pl.DataFrame:
    return features.with_columns(
        pl.when(rows).then(value).otherwise(name).alias(name) for name, value in values.items()
    )


ROW = pl.int_range(pl.len())


def test_every_system_of_params_is_tried_here_and_has_its_place_in_the_report() -> None:
    assert set(load_params().systems.baseline) <= set(SYSTEMS) <= set(SHOWN)
    column = {(): 3, ("physio",): 1, ("video",): 1, ("physio", "video"): 1}
    for system in SYSTEMS:
        assert len(SHOWN[system].modalities) == column[kind_and_modalities(system)[1]]


def test_the_dag_has_the_systems_of_params() -> None:
    outs = stages()["baseline@deap"]["outs"]
    assert outs == {f"runs/deap-{system}" for system in load_params().systems.baseline}
    assert outs <= stages()["evaluate@deap"]["deps"]


@pytest.mark.parametrize("system", LEARNERS)
def test_learns_what_its_modalities_show_and_no_more(
    system: Baseline, baselines: Baselines
) -> None:
    """Valence is planted in the video alone, arousal in the physiology alone."""
    features, labels, fold = tables()
    scores = fit_one(system, features, labels, fold, baselines=baselines)
    assert scores.columns == ["recording_id", "target", "score"]
    assert scores["recording_id"].unique().sort().to_list() == [f"r{i}" for i in range(40, 60)]
    _, modalities = kind_and_modalities(system)
    for target, modality in (("valence", "video"), ("arousal", "physio")):
        found = accuracy(scores, labels, target)
        assert found > 0.9 if modality in modalities else found < 0.8


def test_majority_is_the_frequency_in_the_training_fold(baselines: Baselines) -> None:
    scores = fit_one("majority", *tables(), baselines=baselines)
    assert scores.filter(target="valence")["score"].unique().item() == pytest.approx(26 / 40)
    assert scores.filter(target="arousal")["score"].unique().item() == pytest.approx(0.5)


def test_stratified_draws_classes_by_frequency(baselines: Baselines) -> None:
    features, labels, fold = tables()
    draws = [
        fit_predict(features, labels, fold, systems=["stratified"], baselines=baselines, seed=seed)[
            "stratified"
        ]
        for seed in (*range(40), 3)
    ]
    scores = pl.concat(draws[:40])
    assert sorted(scores["score"].unique()) == [0.0, 1.0]
    mean = scores.group_by("target").agg(pl.col("score").mean()).sort("target")["score"]
    np.testing.assert_allclose(mean, [0.5, 26 / 40], atol=0.05)
    assert draws[-1].equals(draws[3])
    by_target = draws[3].partition_by("target")
    assert by_target[0]["score"].to_list() != by_target[1]["score"].to_list()


def test_stressids_mlp_is_a_linear_model() -> None:
    """Without a hidden layer the log-odds are a plane over the features."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    plain = load_params().baselines
    assert plain.mlp.hidden == ()
    mlp = make("mlp", baselines=plain, n_rows=50, seed=0).fit(x, y)
    log_odds = logit(tabular.score(mlp, x))
    _, (residual,), *_ = np.linalg.lstsq(np.column_stack([x, np.ones(50)]), log_odds)
    assert residual < 1e-12
    assert np.ptp(log_odds) > 0.1


def test_mlp64_has_two_hidden_layers() -> None:
    assert load_params().baselines.mlp64.hidden == (64, 64)
    model = make("mlp64", baselines=load_params().baselines, n_rows=50, seed=0)
    assert model.fit(np.eye(4), [0, 1, 0, 1]).n_layers_ == 4


@pytest.mark.parametrize("kind", sorted({kind_and_modalities(s)[0] for s in SYSTEMS}))
def test_score_above_half_is_the_decision(kind: str, baselines: Baselines) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.integers(0, 2, 50)
    model = make(kind, baselines=baselines, n_rows=50, seed=0).fit(x, y)
    scores = tabular.score(model, x)
    assert scores.min() >= 0
    assert scores.max() <= 1
    np.testing.assert_array_equal(scores > 0.5, model.predict(x) == 1)


@pytest.mark.parametrize("kind", ["mlp", "mlp64", "boosting"])
def test_what_few_rows_speed_up_changes_nothing(kind: str, baselines: Baselines) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.integers(0, 2, 50)
    quick, plain = (
        tabular.score(make(kind, baselines=baselines, n_rows=n, seed=0).fit(x, y), x)
        for n in (50, 1000)
    )
    np.testing.assert_allclose(quick, plain, atol=1e-6)


@pytest.mark.parametrize("system", ["svm", "mlp", "boosting"])
def test_missing_features_are_no_obstacle(system: Baseline, baselines: Baselines) -> None:
    """A gap here and there, and a feature that the whole training fold lacks."""
    features, labels, fold = tables()
    gappy = spoil(spoil(features, ROW < 40, EDA_b=math.nan), ROW % 9 == 0, heart_c=None)
    scores = fit_one(system, gappy, labels, fold, baselines=baselines)
    assert scores["score"].is_finite().all()
    assert accuracy(scores, labels, "valence") > 0.9


def test_test_rows_touch_nothing_that_is_fitted(baselines: Baselines) -> None:
    features, labels, fold = tables()
    other = spoil(features, ROW == N - 1, visual_a=1e6, EDA_b=math.nan, heart_c=-1e6)
    before, after = (
        fit_predict(table, labels, fold, systems=ONE_OF_EACH, baselines=baselines, seed=0)
        for table in (features, other)
    )
    for system in ONE_OF_EACH:
        known = pl.col("recording_id") != "r59"
        assert before[system].filter(known).equals(after[system].filter(known)), system
    assert not before["svm"].equals(after["svm"])


@pytest.mark.parametrize(
    ("system", "n_scored"), [("svm_physio", 20), ("svm_video", 19), ("svm", 19), ("majority", 20)]
)
def test_a_recording_without_video_serves_those_that_need_none(
    system: Baseline, n_scored: int, baselines: Baselines
) -> None:
    features, labels, fold = tables()
    unseen = spoil(features, ROW % 20 == 19, visual_a=math.nan)
    scores = fit_one(system, unseen, labels, fold, baselines=baselines)
    assert [scores.filter(target=target).height for target in TARGETS] == [n_scored] * 2
    reason = {} if n_scored == 20 else dict.fromkeys(["r19", "r39", "r59"], "no feature of video")
    assert lacking(system, unseen, labels) == reason


def test_a_fold_without_a_video_to_test_has_no_scores_and_stops_nothing(
    baselines: Baselines,
) -> None:
    features, labels, fold = tables()
    blind = spoil(features, ROW >= 40, visual_a=None)
    systems: list[Baseline] = ["svm_video", "boosting", "svm_physio"]
    scores = fit_predict(blind, labels, fold, systems=systems, baselines=baselines, seed=0)
    assert [scores[system].height for system in systems] == [0, 0, 40]
    assert scores["svm_video"].schema == scores["svm_physio"].schema


def test_recordings_without_a_label_take_no_part(baselines: Baselines) -> None:
    features, labels, fold = tables()
    unrated = spoil(labels, ROW % 20 == 0, valence_label=None)
    scores = fit_one("svm", features, unrated, fold, baselines=baselines)
    assert [scores.filter(target=target).height for target in TARGETS] == [19, 19]
    assert lacking("majority", features, unrated)["r40"] == "no valence label"


def test_one_class_alone_names_the_threshold(baselines: Baselines) -> None:
    features, labels, fold = tables()
    flat = labels.with_columns(arousal_label=pl.lit(1, pl.Int8))
    with pytest.raises(ValueError, match=r"fold 2: every arousal.*40.*of svm.*threshold"):
        fit_one("svm", features, flat, fold, baselines=baselines)


def test_a_set_without_video_names_the_system_to_leave_out(baselines: Baselines) -> None:
    features, labels, fold = tables()
    blind = spoil(features, ROW >= 0, visual_a=None)
    with pytest.raises(ValueError, match=r"fold 2: none of its 40 .* mlp_video needs; leave it"):
        fit_one("mlp_video", blind, labels, fold, baselines=baselines)
