"""What systems on tables of features share: who has what, and what is fitted on training rows.

A column belongs to the family that its prefix names, so a feature more needs no change here. A
recording has a family if at least one of its features is known; the others are imputed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import targets_of
from pipeline_lib.learning.splits import EPOCH, ROLES, SCALE, flaws_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Families = Mapping[str, tuple[str, ...]]  # family -> prefixes of its columns, in lower case
HANDCRAFTED: Families = {
    "physio": ("heart_", "ecg_", "ppg_", "rsp_", "eda_"),
    "video": ("visual_",),
}


@dataclass(frozen=True)
class Fold:
    """The labelled recordings of one fold in the order of their ids, as matrices.

    raw    : family -> (n_recordings, n_features), NaN where a feature is missing
    role   : (n_recordings,) train | validation | test
    labels : target -> (n_recordings,) 0 or 1
    flaws  : of training, that were asked for
    """

    number: int
    recording_ids: npt.NDArray[np.str_]
    raw: Mapping[str, Floats]
    role: npt.NDArray[np.str_]
    labels: Mapping[str, npt.NDArray[np.int8]]
    flaws: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, table: pl.DataFrame, labels: pl.DataFrame, fold: pl.DataFrame, *, families: Families
    ) -> "Fold":
        """Join features, labels and roles; a recording without one of the labels is left out.

        table  : recording_id and features; what is missing is NaN or null
        labels : recording_id, and <target>_label of each target
        fold   : schema.FOLDS, the rows of one fold
        """
        rows = (
            fold.filter(pl.col("role").is_in(ROLES))
            .join(table, on="recording_id")
            .join(labels.drop_nulls(), on="recording_id")
            .sort("recording_id")
        )
        return cls(
            number=fold["fold"][0],
            recording_ids=rows["recording_id"].to_numpy().astype(np.str_),
            raw={family: matrix(rows, columns(table, family, families)) for family in families},
            role=rows["role"].to_numpy().astype(np.str_),
            labels={t: rows[f"{t}_label"].to_numpy() for t in targets_of(labels)},
            flaws=frozenset(flaws_of(fold)),
        )

    @property
    def train(self) -> Bools:
        """(n_recordings,) True for train and validation: who chooses no epoch fits on both."""
        trains: Bools = self.role != "test"
        return trains

    @property
    def chooses(self) -> Bools:
        """(n_recordings,) True for those that choose the epoch, where there is one to choose."""
        # Flaw, on request: what is tested chooses.
        chooses: Bools = self.role == ("test" if EPOCH in self.flaws else "validation")
        return chooses

    def scaled_by(self, fit_on: Bools) -> Bools:
        """(n_recordings,) Those whose statistics impute and standardise the others."""
        # Flaw, on request: all recordings, those of the test among them.
        return np.ones_like(fit_on) if SCALE in self.flaws else fit_on

    def has(self, families: Sequence[str]) -> Bools:
        """(n_recordings,) True where every one of the families is known."""
        known = np.ones(len(self.role), np.bool_)
        for family in families:
            known &= _known(self.raw[family])
        return known

    @cached_property
    def filled(self) -> Mapping[str, Floats]:
        """`fill` by the roles train and validation, once for all systems."""
        return self.fill(self.train)

    def fill(self, fit_on: Bools) -> Mapping[str, Floats]:
        """family -> raw, imputed and standardised by those recordings at `fit_on` that have it.

        Each family by itself: what is missing in one is never guessed from another.
        """
        by = self.scaled_by(fit_on)
        return {family: _filled(x, fit_on=by & _known(x)) for family, x in self.raw.items()}

    def check(self, rows: Bools, *, target: str, system: str) -> None:
        """Raise ValueError unless the training rows among `rows` hold both classes."""
        y = self.labels[target][rows & self.train]
        if not y.size:
            raise ValueError(
                f"fold {self.number}: none of its {self.train.sum()} training recordings has what "
                f"{system} needs; leave it out of `systems` in params.yaml"
            )
        if len(classes := sorted(set(y.tolist()))) < 2:
            raise ValueError(
                f"fold {self.number}: every {target} label of the {y.size} training recordings of "
                f"{system} is in {classes}; change datasets.<name>.threshold"
            )

    def scores(self, rows: Bools, scores: Mapping[str, Floats]) -> pl.DataFrame:
        """Rows recording_id, target, score from the scores of the recordings at `rows`."""
        names = pl.Series("recording_id", self.recording_ids[rows].tolist(), pl.String)
        return pl.concat(
            pl.DataFrame([names, pl.Series("score", values, pl.Float64)]).select(
                "recording_id", pl.lit(target).alias("target"), "score"
            )
            for target, values in scores.items()
        )


def columns(table: pl.DataFrame, family: str, families: Families) -> list[str]:
    """The columns of a family; raises ValueError if it has none."""
    found = [name for name in table.columns if name.lower().startswith(families[family])]
    if not found:
        raise ValueError(
            f"no column of the features begins with {list(families[family])}, as those of "
            f"{family} do, among {table.columns[:5]} ..."
        )
    return found


def matrix(table: pl.DataFrame, names: Sequence[str]) -> Floats:
    """(n_rows, n_names), NaN for null."""
    known = table.select(pl.col(names).cast(pl.Float64).fill_null(float("nan")))
    return known.to_numpy(writable=True)  # scikit-learn writes into what it is given


def lacking(
    table: pl.DataFrame, labels: pl.DataFrame, needed: Sequence[str], *, families: Families
) -> dict[str, str]:
    """What the recordings in `labels` lack that a system on the `needed` families cannot use."""
    rows = labels.join(table, on="recording_id", how="left")
    missing = {f"no {t} label": rows[f"{t}_label"].is_null() for t in targets_of(labels)}
    for family in needed:
        known = _known(matrix(rows, columns(table, family, families)))
        missing[f"no feature of {family}"] = pl.Series(~known)
    reasons = {
        name: "; ".join(what for what, absent in missing.items() if absent[i])
        for i, name in enumerate(rows["recording_id"])
    }
    return {name: reason for name, reason in reasons.items() if reason}


def score(model: Any, x: Floats) -> Floats:
    """Scores (n_recordings,) in [0, 1] of a classifier, above 0.5 where it decides for class 1.

    An SVM has no probabilities: its distance from the boundary goes through the logistic curve.
    """
    from scipy.special import expit

    if not len(x):  # of scikit-learn's models, none takes an empty matrix
        return np.empty(0)
    if hasattr(model, "predict_proba"):
        probabilities: Floats = model.predict_proba(x)[:, 1]
        return probabilities
    squashed: Floats = expit(model.decision_function(x))
    return squashed


def _known(x: Floats) -> Bools:
    known: Bools = np.asarray((~np.isnan(x)).any(axis=1))
    return known


def _filled(x: Floats, *, fit_on: Bools) -> Floats:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401  makes the next work
    from sklearn.impute import IterativeImputer
    from sklearn.preprocessing import StandardScaler

    if not fit_on.any():
        return x  # no system of this family can be fitted, and `check` says so
    # A feature that no training recording has is kept, as 0, lest columns shift; only features
    # with gaps are modelled, for a model of each of the others would be fitted and never used.
    imputer = IterativeImputer(keep_empty_features=True, skip_complete=True, random_state=0)
    with warnings.catch_warnings():
        # It may stop at its round limit, which is good enough for guesses.
        warnings.filterwarnings("ignore", ".*IterativeImputer.*", ConvergenceWarning)
        imputer.fit(x[fit_on])
    complete = imputer.transform(x)
    filled: Floats = StandardScaler().fit(complete[fit_on]).transform(complete)
    return filled
