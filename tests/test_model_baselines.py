"""The rivals on hand-made feature tables."""

import math

import numpy as np
import polars as pl
import pytest

from models.baselines import System, fit_predict, make, score
from pipeline_lib.params import MLP, Baselines, load_params

SYSTEMS: tuple[System, ...] = ("majority", "stratified", "svm", "mlp")
N = 60


@pytest.fixture
def baselines() -> Baselines:
    """Those of params.yaml, with a hidden layer, for without one the MLP learns slowly."""
    quick = MLP(hidden=(16,), max_iterations=5000)
    return load_params().baselines.model_copy(update={"mlp": quick})


def tables(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Features, of which one is valence and one arousal in noise, labels, and a fold."""
    rng = np.random.default_rng(seed)
    valence, arousal = np.arange(N) % 3 > 0, np.arange(N) % 2 > 0
    names = [f"r{i:02}" for i in range(N)]
    noise = 0.2 * rng.normal(size=(3, N))
    columns = {"a": valence + noise[0], "b": noise[1], "c": arousal + noise[2]}
    features = pl.DataFrame({"recording_id": names, **columns})
    classes = {"valence_label": valence.astype(np.int8), "arousal_label": arousal.astype(np.int8)}
    labels = pl.DataFrame({"recording_id": names, **classes})
    role = np.repeat(["train", "validation", "test"], N // 3)
    return features, labels, pl.DataFrame({"fold": 2, "recording_id": names, "role": role})


def accuracy(scores: pl.DataFrame, labels: pl.DataFrame, target: str) -> float:
    rows = scores.filter(target=target).join(labels, on="recording_id")
    return float(np.mean(rows["score"].to_numpy().round() == rows[f"{target}_label"].to_numpy()))


@pytest.mark.parametrize("system", ["svm", "mlp"])
def test_learns_from_features(system: System, baselines: Baselines) -> None:
    features, labels, fold = tables()
    scores = fit_predict(system, features, labels, fold, baselines=baselines, seed=0)
    assert scores.columns == ["recording_id", "target", "score"]
    assert scores["recording_id"].unique().sort().to_list() == [f"r{i}" for i in range(40, 60)]
    assert all(accuracy(scores, labels, target) > 0.9 for target in ("valence", "arousal"))


def test_majority_is_the_frequency_in_the_training_fold(baselines: Baselines) -> None:
    features, labels, fold = tables()
    scores = fit_predict("majority", features, labels, fold, baselines=baselines, seed=0)
    assert scores.filter(target="valence")["score"].unique().item() == pytest.approx(26 / 40)
    assert scores.filter(target="arousal")["score"].unique().item() == pytest.approx(0.5)


def test_stratified_draws_classes_by_frequency(baselines: Baselines) -> None:
    features, labels, fold = tables()
    draws = [
        fit_predict("stratified", features, labels, fold, baselines=baselines, seed=seed)
        for seed in range(40)
    ]
    scores = pl.concat(draws)
    assert sorted(scores["score"].unique()) == [0.0, 1.0]
    mean = scores.group_by("target").agg(pl.col("score").mean()).sort("target")["score"]
    np.testing.assert_allclose(mean, [0.5, 26 / 40], atol=0.05)
    again = fit_predict("stratified", features, labels, fold, baselines=baselines, seed=3)
    assert again.equals(draws[3])
    assert draws[3].filter(target="arousal")["score"].to_list() != (
        draws[3].filter(target="valence")["score"].to_list()
    )


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_mlp_takes_any_hidden_layers(hidden: tuple[int, ...], baselines: Baselines) -> None:
    """StressID's own, none, is a logistic regression."""
    features, labels, fold = tables()
    mlp = MLP(hidden=hidden, max_iterations=5000)
    chosen = baselines.model_copy(update={"mlp": mlp})
    scores = fit_predict("mlp", features, labels, fold, baselines=chosen, seed=0)
    assert accuracy(scores, labels, "arousal") > 0.9


@pytest.mark.parametrize("system", SYSTEMS)
def test_score_above_half_is_the_decision(system: System, baselines: Baselines) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.integers(0, 2, 50)
    model = make(system, baselines=baselines, seed=0).fit(x, y)
    scores = score(model, x)
    assert scores.min() >= 0
    assert scores.max() <= 1
    np.testing.assert_array_equal(scores > 0.5, model.predict(x) == 1)


@pytest.mark.parametrize("system", ["svm", "mlp"])
def test_missing_features_are_imputed(system: System, baselines: Baselines) -> None:
    """A gap here and there, and a feature that the whole training fold lacks."""
    features, labels, fold = tables()
    row = pl.int_range(pl.len())
    gappy = features.with_columns(
        b=pl.when(row < 40).then(math.nan).otherwise("b"),
        c=pl.when(row % 9 == 0).then(None).otherwise("c"),
    )
    scores = fit_predict(system, gappy, labels, fold, baselines=baselines, seed=0)
    assert scores["score"].is_finite().all()
    assert accuracy(scores, labels, "valence") > 0.9


@pytest.mark.parametrize("system", SYSTEMS)
def test_test_rows_touch_nothing_that_is_fitted(system: System, baselines: Baselines) -> None:
    features, labels, fold = tables()
    last = pl.int_range(pl.len()) == N - 1

    other = features.with_columns(
        pl.when(last).then(x).otherwise(name).alias(name)
        for name, x in {"a": 1e6, "b": math.nan, "c": -1e6}.items()
    )
    before, after = (
        fit_predict(system, table, labels, fold, baselines=baselines, seed=0).filter(
            pl.col("recording_id") != "r59"
        )
        for table in (features, other)
    )
    assert before.equals(after)


def test_recordings_without_a_label_take_no_part(baselines: Baselines) -> None:
    features, labels, fold = tables()
    row = pl.int_range(pl.len())
    unrated = labels.with_columns(
        valence_label=pl.when(row % 20 == 0).then(None).otherwise("valence_label")
    )
    scores = fit_predict("svm", features, unrated, fold, baselines=baselines, seed=0)
    assert scores.filter(target="valence").height == 19
    assert scores.filter(target="arousal").height == 20


def test_one_class_alone_names_the_threshold(baselines: Baselines) -> None:
    features, labels, fold = tables()
    flat = labels.with_columns(arousal_label=pl.lit(1, pl.Int8))
    with pytest.raises(ValueError, match=r"fold \[2\]: every arousal.*threshold"):
        fit_predict("svm", features, flat, fold, baselines=baselines, seed=0)
