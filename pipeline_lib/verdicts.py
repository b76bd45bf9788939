"""What the leakage audit has cleared: a system is fitted on folds only while they are those.

A verdict names the folds that were audited together, by content. It stands for one data set, or
for a corpus of pre-training, so that new folds of one set leave the other's systems alone.
"""

import json
from collections.abc import Iterable

import polars as pl

from pipeline_lib import paths, tables
from pipeline_lib.files import sha256
from pipeline_lib.schema import FOLDS
from pipeline_lib.splits import LeakageError


def clear(name: str, datasets: Iterable[str]) -> None:
    """Write that the audit found no leak in the folds of these data sets, seen together."""
    cleared = {dataset: sha256(paths.folds(dataset)) for dataset in sorted(datasets)}
    tables.write_json({"folds": cleared}, paths.verdict(name))


def cleared_folds(dataset: str, *, verdict: str) -> pl.DataFrame:
    """The folds of a data set; schema.FOLDS.

    verdict : a data set or `pretrain-CORPUS`
    Raises LeakageError unless the verdict is there and was given on the very same folds.
    """
    path = paths.verdict(verdict)
    cleared = json.loads(path.read_text())["folds"] if path.exists() else {}
    if cleared.get(dataset) != sha256(paths.folds(dataset)):
        raise LeakageError(
            f"{paths.folds(dataset)} is not what {path} cleared of leaks; run `dvc repro audit`"
        )
    return tables.read_table(paths.folds(dataset), FOLDS)
