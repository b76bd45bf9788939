"""What the leakage audit has cleared: a system is fitted on folds only while they are those.

A verdict names the folds that were audited together, by content. It stands for one data set, or
for a corpus of pre-training, so that new folds of one set leave the other's systems alone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict

import polars as pl

from pipeline_lib import paths, tables
from pipeline_lib.files import sha256
from pipeline_lib.schema import FOLDS
from pipeline_lib.splits import LeakageError, Rules


def clear(name: str, rules: Mapping[str, Rules]) -> None:
    """Write that the audit found no leak in the folds of these data sets, seen together.

    rules : data set -> what its folds follow; a flaw in them is let pass and stands in the verdict
    """
    cleared = {dataset: sha256(paths.folds(dataset)) for dataset in sorted(rules)}
    followed = {dataset: asdict(rules[dataset]) for dataset in sorted(rules)}
    tables.write_json({"folds": cleared, "rules": followed}, paths.verdict(name))


def followed_rules(dataset: str) -> Rules:
    """What the folds of a data set follow, as the audit found."""
    found = json.loads(paths.verdict(dataset).read_text())["rules"][dataset]
    return Rules(found["protocol"], tuple(found["flaws"]), found["times_tested"])


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
