"""What the leakage audit has cleared: a system is fitted on folds only while they are those.

A verdict names the folds that were audited together, by content, and the clips of a corpus of
pre-training. It stands for one data set or one corpus and is all that pre-training depends on, so
that what happens to another set starts no long training again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib.core import paths, tables
from pipeline_lib.core.files import sha256
from pipeline_lib.core.schema import FOLDS, LEDGER, RECORDINGS, TARGETS
from pipeline_lib.learning import splits
from pipeline_lib.learning.splits import LeakageError, Rules


def clear(
    name: str,
    rules: Mapping[str, Rules],
    *,
    corpus: Iterable[str] = (),
    synthetic: Iterable[str] = (),
) -> None:
    """Write that the audit found no leak in the folds of these data sets, seen together.

    rules     : data set -> what its folds follow; a flaw in them is let pass and stands in the
                verdict
    corpus    : data sets whose clips are seen, with folds or without
    synthetic : twins among the data sets that a system is trained on, from its first step on
    """
    verdict = {
        "folds": {dataset: sha256(paths.folds(dataset)) for dataset in sorted(rules)},
        "rules": {dataset: asdict(rules[dataset]) for dataset in sorted(rules)},
        "clips": {dataset: _clips(dataset) for dataset in sorted(corpus)},
        "synthetic": sorted(synthetic),
    }
    tables.write_json(verdict, paths.verdict(name))


def note_lessons(name: str, corpus: Iterable[str]) -> None:
    """Write what supervised pre-training on a corpus reads besides its clips: the labels."""
    columns = ["recording_id", "stimulus", *(f"{target}_label" for target in TARGETS)]
    labels = {
        dataset: _digest(tables.read_table(paths.index(dataset), RECORDINGS).select(columns))
        for dataset in corpus
    }
    tables.write_json({"labels": labels}, paths.verdict(f"lessons-{name}"))


def synthetic(verdict: str) -> list[str]:
    """The twins among all that a system has seen.

    verdict : a data set or a key of `finetune`
    """
    twins: list[str] = json.loads(paths.verdict(verdict).read_text())["synthetic"]
    return twins


def followed_rules(dataset: str, *, verdict: str) -> Rules:
    """What the folds of a data set follow, and who is fitted on them, as the audit found.

    verdict : a data set, a key of `finetune` or `corpus-CORPUS`
    """
    found = _read(verdict)["rules"][dataset]
    return Rules(found["protocol"], tuple(found["flaws"]), found["times_tested"])


def cleared_folds(dataset: str, *, verdict: str) -> pl.DataFrame:
    """The folds of a data set; schema.FOLDS, with the roles of the flaws that were asked for.

    verdict : a data set, a key of `finetune` or `corpus-CORPUS`
    Raises LeakageError unless the verdict is there and was given on the very same folds.
    """
    cleared = _read(verdict)
    if cleared["folds"].get(dataset) != sha256(paths.folds(dataset)):
        raise _not_cleared(paths.folds(dataset), verdict)
    folds = tables.read_table(paths.folds(dataset), FOLDS)
    return splits.with_flaws(folds, cleared["rules"][dataset]["flaws"])


def cleared_corpus(
    name: str, datasets: Iterable[str]
) -> tuple[dict[str, pl.DataFrame], dict[str, Path]]:
    """Folds (FOLDS) of those data sets of a corpus that are not seen whole; folders of all clips.

    Raises LeakageError unless the verdict was given on the very same ones.
    """
    verdict = f"corpus-{name}"
    cleared = _read(verdict)
    for dataset in datasets:
        if cleared["clips"].get(dataset) != _clips(dataset):
            raise _not_cleared(paths.crops(dataset), verdict)
    folds = {d: cleared_folds(d, verdict=verdict) for d in datasets if d in cleared["folds"]}
    return folds, {d: paths.crops(d) for d in datasets}


def is_leaky(corpus: str) -> bool:
    """Whether pre-training on a corpus was asked to see the test subjects of all folds."""
    rules = _read(f"corpus-{corpus}")["rules"].values()
    return any(splits.LEAKY in of_set["flaws"] for of_set in rules)


def _clips(dataset: str) -> str:
    """What the clips of a data set were made from, whenever and however fast that was."""
    ledger = tables.read_table(paths.ledger(paths.crops(dataset)), LEDGER)
    return _digest(ledger.select("recording_id", "key"))


def _digest(table: pl.DataFrame) -> str:
    rows = table.sort("recording_id").rows()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _read(verdict: str) -> dict[str, dict[str, Any]]:
    """Of what was cleared; nothing if there is no verdict."""
    path = paths.verdict(verdict)
    cleared: dict[str, dict[str, Any]] = {"folds": {}, "rules": {}, "clips": {}}
    return json.loads(path.read_text()) if path.exists() else cleared


def _not_cleared(what: Path, verdict: str) -> LeakageError:
    return LeakageError(
        f"{what} is not what {paths.verdict(verdict)} cleared of leaks; run `dvc repro audit`"
    )
