"""The rivals on hand-crafted features, and two that look at nothing.

SVM and MLP are StressID's (Chaptoukaev et al. 2023): impute, standardise, classify, all fitted on
the training fold; two modalities are joined before the classifier. `boosting` takes gaps as they
are: its trees learn to which side of a split a missing value goes. `majority` and `stratified`
know the labels' frequencies in the training fold and no more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from models import tabular
from models.tabular import HANDCRAFTED, Fold
from pipeline_lib import params
from pipeline_lib.core import seeds
from pipeline_lib.params import Baseline

TRIVIAL = ("majority", "stratified")
BATCH = 200  # rows, scikit-learn's for an MLP
BINS = 255  # scikit-learn's for boosting


def kind_and_modalities(system: Baseline) -> tuple[str, tuple[str, ...]]:
    """`svm` is an SVM on both modalities, `svm_video` one on video; a trivial one needs none."""
    kind, _, modality = system.partition("_")
    if kind in TRIVIAL:
        return kind, ()
    return kind, (modality,) if modality else tuple(HANDCRAFTED)


def lacking(system: Baseline, table: pl.DataFrame, labels: pl.DataFrame) -> dict[str, str]:
    """What the recordings lack that the system cannot use, by recording_id."""
    _, modalities = kind_and_modalities(system)
    return tabular.lacking(table, labels, modalities, families=HANDCRAFTED)


def fit_predict(
    table: pl.DataFrame,
    labels: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    systems: Sequence[Baseline],
    baselines: params.Baselines,
    seed: int,
) -> dict[Baseline, pl.DataFrame]:
    """Fit each system on the fold's training subjects and score its test recordings.

    table  : recording_id and hand-crafted features; what is missing is NaN or null
    labels : recording_id, and <target>_label of each target; one without a label is left out
    fold   : schema.FOLDS, the rows of one fold; roles train and validation are both fitted on

    Returns rows recording_id, target, score; score > 0.5 is the class that the system decides on.
    Raises ValueError if a system has no training recordings, or all of them have the same label.
    """
    data = Fold.of(table, labels, fold, families=HANDCRAFTED)
    return {s: _of_system(s, data, baselines=baselines, seed=seed) for s in systems}


def late_fusion(predictions: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The mean score of systems, for the recordings that every one of them predicted.

    predictions : schema.PREDICTIONS of each, on the same folds
    """
    names = [name for name in predictions[0].columns if name != "score"]
    scores = pl.concat(predictions).group_by(names).agg(pl.col("score").mean(), pl.len())
    everybody = scores.filter(pl.col("len") == len(predictions))
    return everybody.select(predictions[0].columns).sort("target", "recording_id", "fold")


def _of_system(
    system: Baseline, data: Fold, *, baselines: params.Baselines, seed: int
) -> pl.DataFrame:
    kind, modalities = kind_and_modalities(system)
    has, x = data.has(modalities), np.zeros((len(data.train), 1))
    train = has & data.train
    if modalities:
        by_modality = data.raw if kind == "boosting" else data.filled
        x = np.hstack([by_modality[modality] for modality in modalities])
        # Gaps may stay for `boosting`, but it fails on a feature that is one single gap.
        x[:, np.isnan(x[train]).all(axis=0)] = 0
    scores = {}
    for i, target in enumerate(data.labels):
        data.check(has, target=target, system=system)
        # By fold and target, else the draws of `stratified` would err alike in all of them.
        seed_here = seeds.derive(seed, data.number, i)
        model = make(kind, baselines=baselines, n_rows=int(train.sum()), seed=seed_here)
        model.fit(x[train], data.labels[target][train])
        scores[target] = tabular.score(model, x[has & ~data.train])
    return data.scores(has & ~data.train, scores)


def make(kind: str, *, baselines: params.Baselines, n_rows: int, seed: int) -> Any:
    """An unfitted classifier for `n_rows` training rows, which change how fast it is, not what."""
    match kind:
        case "majority":
            from sklearn.dummy import DummyClassifier

            return DummyClassifier(strategy="prior")
        case "stratified":
            from sklearn.dummy import DummyClassifier

            return DummyClassifier(strategy="stratified", random_state=seed)
        case "svm":
            from sklearn.svm import SVC

            svm = baselines.svm
            return SVC(kernel=svm.kernel, gamma=svm.gamma, C=svm.C)
        case "mlp" | "mlp64":
            from sklearn.neural_network import MLPClassifier

            mlp = getattr(baselines, kind)
            return MLPClassifier(
                mlp.hidden,
                max_iter=mlp.max_iterations,
                shuffle=n_rows > BATCH,  # the order within an only batch has no effect
                random_state=seed,
            )
        case "boosting":
            from sklearn.ensemble import HistGradientBoostingClassifier

            trees = baselines.boosting
            return HistGradientBoostingClassifier(
                max_iter=trees.iterations,
                learning_rate=trees.learning_rate,
                max_leaf_nodes=trees.leaves,
                min_samples_leaf=trees.smallest_leaf,
                l2_regularization=trees.l2,
                max_bins=min(max(n_rows, 2), BINS),  # a feature has no more values than rows
                early_stopping=False,  # else it holds out rows of subjects that it trains on
                random_state=seed,
            )
    raise ValueError(f"{kind} is no kind of baseline")
