"""The rivals on hand-crafted features, and two that look at nothing.

SVM and MLP are StressID's (Chaptoukaev et al. 2023): impute, standardise, classify, all fitted on
the training fold. `majority` and `stratified` know the labels' frequencies there and no more.
"""

import warnings
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  makes the next import work
from sklearn.impute import IterativeImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from pipeline_lib import params, seeds
from pipeline_lib.schema import TARGETS

Floats = npt.NDArray[np.float64]
System = Literal["majority", "stratified", "svm", "mlp"]


def fit_predict(
    system: System,
    table: pl.DataFrame,
    labels: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    baselines: params.Baselines,
    seed: int,
) -> pl.DataFrame:
    """Fit one pipeline a target on the fold's training subjects and score its test recordings.

    table  : recording_id and hand-crafted features; what is missing is NaN or null
    labels : recording_id, valence_label, arousal_label; a recording without a label is left out
    fold   : schema.FOLDS, the rows of one fold; roles train and validation are both fitted on

    Returns rows recording_id, target, score; score > 0.5 is the class that the system decides on.
    Raises ValueError if all training recordings have the same label.
    """
    rows = table.join(labels, on="recording_id").join(fold, on="recording_id").sort("recording_id")
    features = [name for name in table.columns if name != "recording_id"]
    scores = []
    for i, target in enumerate(TARGETS):
        rated = rows.filter(pl.col(f"{target}_label").is_not_null())
        train = rated.filter(pl.col("role") != "test")
        test = rated.filter(pl.col("role") == "test")
        _check_classes(train, target)
        # By fold and target, else the draws of `stratified` would err alike in all of them.
        model = make(system, baselines=baselines, seed=seeds.derive(seed, train["fold"][0], i))
        fit(model, _matrix(train, features), train[f"{target}_label"].to_numpy())
        scores.append(
            pl.DataFrame(
                {
                    "recording_id": test["recording_id"],
                    "target": [target] * test.height,
                    "score": score(model, _matrix(test, features)),
                }
            )
        )
    return pl.concat(scores)


def make(system: System, *, baselines: params.Baselines, seed: int) -> Pipeline:
    """An unfitted pipeline from features, NaN included, to classes."""
    match system:
        case "majority":
            return make_pipeline(DummyClassifier(strategy="prior"))
        case "stratified":
            return make_pipeline(DummyClassifier(strategy="stratified", random_state=seed))
        case "svm":
            svm = baselines.svm
            classifier: Any = SVC(kernel=svm.kernel, gamma=svm.gamma, C=svm.C)
        case "mlp":
            mlp = baselines.mlp
            classifier = MLPClassifier(mlp.hidden, max_iter=mlp.max_iterations, random_state=seed)
    # A feature that no training recording has is kept, as 0, lest columns shift; only features
    # with gaps are modelled, for a model of each of the others would be fitted and never used.
    imputer = IterativeImputer(random_state=seed, keep_empty_features=True, skip_complete=True)
    return make_pipeline(imputer, StandardScaler(), classifier)


def fit(model: Pipeline, x: Floats, y: npt.NDArray[np.int8]) -> None:
    """Fit in place; imputing may stop at its round limit, which is good enough for guesses."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*IterativeImputer.*", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".*Early stopping criterion.*", ConvergenceWarning)
        model.fit(x, y)


def score(model: Pipeline, x: Floats) -> Floats:
    """Scores (n_recordings,) in [0, 1], above 0.5 where the model decides for class 1.

    An SVM has no probabilities: its distance from the boundary goes through the logistic curve.
    """
    if hasattr(model, "predict_proba"):
        probabilities: Floats = model.predict_proba(x)[:, 1]
        return probabilities
    squashed: Floats = expit(model.decision_function(x))
    return squashed


def _matrix(rows: pl.DataFrame, features: list[str]) -> Floats:
    return rows.select(pl.col(features).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def _check_classes(train: pl.DataFrame, target: str) -> None:
    classes = train[f"{target}_label"].unique().to_list()
    if len(classes) < 2:
        raise ValueError(
            f"fold {train['fold'].unique().to_list()}: every {target} label of the training "
            f"recordings is in {classes}; change datasets.<name>.threshold"
        )
