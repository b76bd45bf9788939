"""The estimates that are scored: those of the partition that is reported, as matrices.

Everything is over the whole partition (role `test`), not by fold, and is there twice: with the
epoch chosen on a part of training that is held out, and, as ViPER does, on the very partition that
is reported.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import ESTIMATES, validate
from pipeline_lib.evaluation import EvaluationError

Floats = npt.NDArray[np.float64]

SELECTIONS = ("held_out", "reported")


class Partition(NamedTuple):
    """Labels and scores of one system with one selection, by recording and class."""

    targets: list[str]
    recordings: list[str]
    subjects: npt.NDArray[np.str_]
    labels: Floats  # (n, n_targets)
    scores: Floats


def of(estimates: pl.DataFrame, selection: str) -> Partition:
    """The recordings that are reported, by name, and their classes in alphabetical order.

    Raises EvaluationError unless each has one finite label and score for each class.
    """
    validate(estimates, ESTIMATES, "estimates")
    rows = estimates.filter(role="test", selection=selection).sort("recording_id", "target")
    targets = rows["target"].unique().sort().to_list()
    recordings = rows.unique("recording_id", maintain_order=True)
    bad = rows.filter(~(pl.col("value").is_finite() & pl.col("score").is_finite()).fill_null(False))
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise EvaluationError(
            f"{bad.height} estimates are no numbers for a labelled recording, as {row['score']} "
            f"for the {row['target']} of {row['recording_id']}, labelled {row['value']}"
        )
    n = recordings.height
    single = rows.unique(["recording_id", "target"]).height
    if not n or not (rows.height == single == n * len(targets)):
        raise EvaluationError(
            f"{rows.height} estimates with the epoch chosen as `{selection}`, of {n} recordings "
            f"and classes {targets}: expected one of each; with splits.protocol: repeated there "
            "are several"
        )
    return Partition(
        targets,
        recordings["recording_id"].to_list(),
        recordings["subject"].to_numpy().astype(np.str_),
        rows["value"].to_numpy().reshape(n, -1),
        rows["score"].to_numpy().reshape(n, -1),
    )
