"""Subject-independent folds, the inner validation split, and the audit that proves them.

No subject, and no copy of a recording's video or signals, may stand on both sides of a test.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.schema import FOLDS, TARGETS, validate

Ints = npt.NDArray[np.int64]


class LeakageError(RuntimeError):
    """Something that a system is fitted on belongs to its test subjects."""


def usable(index: pl.DataFrame) -> pl.DataFrame:
    """The recordings that can be trained or tested on: not excluded, with every label."""
    return index.filter(
        ~pl.col("status").is_in(["excluded", "failed"]),
        *(pl.col(f"{target}_label").is_not_null() for target in TARGETS),
    )


def make_folds(index: pl.DataFrame, *, folds: int, validation: float, seed: int) -> pl.DataFrame:
    """Give every usable recording a role in each fold; schema.FOLDS.

    Folds are grouped by subject and stratified by the pair of labels as far as subjects allow.
    The validation subjects, a share `validation` of the training subjects, are drawn alike and
    serve to choose the epoch. Where the owners split the set themselves, that is the one fold.
    Raises ValueError if there are fewer subjects than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    table = usable(index).sort("recording_id")
    if table.height and not table["split"].null_count():
        return _official_fold(table)
    n_subjects = table["subject"].n_unique()
    if n_subjects < folds:
        raise ValueError(f"{n_subjects} subjects with labels, fewer than splits.folds = {folds}")
    labels = [table[f"{target}_label"].cast(pl.String).to_numpy() for target in TARGETS]
    # The finest first: with few recordings no pair of labels, or no label, fills all folds.
    stratifications = (labels[0] + labels[1], labels[0], np.full(table.height, ""))
    subjects = table["subject"].to_numpy()

    def split(rows: Ints, n_splits: int) -> Iterator[tuple[Ints, Ints]]:
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        strata = next(
            s[rows] for s in stratifications if max(Counter(s[rows]).values()) >= n_splits
        )
        with warnings.catch_warnings():
            # A rare pair of labels cannot be in every fold: "as far as subjects allow".
            warnings.filterwarnings("ignore", "The least populated class")
            yield from splitter.split(rows, strata, subjects[rows])

    parts = []
    for fold, (rest, test) in enumerate(split(np.arange(table.height), folds)):
        n_inner = min(max(2, round(1 / validation)), len(set(subjects[rest])))
        _, held_out = next(split(rest, n_inner))
        roles = ["train"] * table.height
        for i in test:
            roles[i] = "test"
        for i in rest[held_out]:
            roles[i] = "validation"
        parts.append(
            table.select(
                pl.lit(fold, pl.Int32).alias("fold"),
                "recording_id",
                "subject",
                pl.Series("role", roles),
            )
        )
    return validate(pl.concat(parts), FOLDS, "folds")


def _official_fold(table: pl.DataFrame) -> pl.DataFrame:
    """The owners' own split: without subject ids it is the only one known not to share people."""
    fold = table.select(
        pl.lit(0, pl.Int32).alias("fold"), "recording_id", "subject", pl.col("split").alias("role")
    )
    return validate(fold, FOLDS, "folds")


def pretraining_list(
    folds: Mapping[str, pl.DataFrame], corpus: Sequence[str], *, fold: int
) -> pl.DataFrame:
    """Recordings that pre-training sees before a test fold is predicted, of sets with folds.

    A corpus leaves out the test subjects of that fold in each of its data sets, even where it
    reads no labels. A set that has fewer folds has no test subjects in those beyond, and is seen
    whole. Columns dataset, recording_id, subject.
    """
    names = ("dataset", "recording_id", "subject")
    parts = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))]
    for dataset in corpus:
        tested = with_role(folds[dataset], fold, "test")["recording_id"].to_list()
        seen = folds[dataset].filter(~pl.col("recording_id").is_in(tested))
        parts.append(seen.select(pl.lit(dataset).alias("dataset"), *names[1:]).unique())
    return pl.concat(parts)


def before(
    start: str, corpora: Mapping[str, Sequence[str]], supervised: Mapping[str, str]
) -> list[str]:
    """The data sets that all steps of pre-training see up to the weights `start`.

    start      : pretrain-CORPUS | supervise-CORPUS
    supervised : corpus of a supervised step -> that of the self-supervised one before it
    """
    step, corpus = start.split("-", 1)
    earlier = corpora[supervised[corpus]] if step == "supervise" else ()
    return list(dict.fromkeys([*corpora[corpus], *earlier]))


def fitted_on(
    dataset: str,
    folds: Mapping[str, pl.DataFrame],
    *,
    fold: int,
    corpus: Sequence[str] = (),
    indices: Mapping[str, pl.DataFrame],
) -> dict[str, set[tuple[str, str]]]:
    """Step -> (data set, subject) that it sees before a system predicts this test fold.

    corpus : data sets of the system's pre-training, if it has any; those without folds are
             seen whole, as `indices` (schema.RECORDINGS) has them
    """
    steps = {
        role: {(dataset, subject) for subject in with_role(folds[dataset], fold, role)["subject"]}
        for role in ("train", "validation")
    }
    if corpus:
        seen = pretraining_list(folds, [d for d in corpus if d in folds], fold=fold)
        whole = {(d, name) for d in corpus if d not in folds for name in indices[d]["subject"]}
        steps["pretrain"] = whole | set(seen.select("dataset", "subject").iter_rows())
    return steps


def audit_all(
    *,
    indices: Mapping[str, pl.DataFrame],
    folds: Mapping[str, pl.DataFrame],
    corpora: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Any]:
    """Audit every system on every data set and fold.

    corpora : data set -> system -> data sets of its pre-training, none for none
    """
    return {
        dataset: {
            system: [
                audit(
                    indices=indices,
                    folds=folds,
                    steps=fitted_on(dataset, folds, fold=fold, corpus=corpus, indices=indices),
                    dataset=dataset,
                    fold=fold,
                )
                for fold in sorted(table["fold"].unique())
            ]
            for system, corpus in corpora[dataset].items()
        }
        for dataset, table in folds.items()
    }


def with_role(folds: pl.DataFrame, fold: int, role: str) -> pl.DataFrame:
    return folds.filter(pl.col("fold") == fold, pl.col("role") == role)


def audit(
    *,
    indices: Mapping[str, pl.DataFrame],
    folds: Mapping[str, pl.DataFrame],
    steps: Mapping[str, set[tuple[str, str]]],
    dataset: str,
    fold: int,
) -> dict[str, Any]:
    """Check all that a system is fitted on against the test subjects of one fold.

    steps : step -> (data set, subject) that it sees, as `fitted_on` tells
    Raises LeakageError that names the step and what leaks; returns the counts otherwise.
    """
    test = {(dataset, name) for name in with_role(folds[dataset], fold, "test")["subject"]}
    test_content = _contents(indices, test)
    for step, subjects in steps.items():
        shared = subjects & test
        copies = _contents(indices, subjects) & test_content
        if shared or copies:
            raise LeakageError(
                f"{dataset}, fold {fold}: {step} sees {len(shared)} test subjects "
                f"{sorted(shared)[:5]} and {len(copies)} files with the content of a test "
                "recording; nothing is trained on such folds"
            )
    counts = {step: len(subjects) for step, subjects in sorted(steps.items())}
    return {"fold": fold, "test_subjects": len(test), "fitted_on_subjects": counts, "shared": 0}


def _contents(indices: Mapping[str, pl.DataFrame], subjects: set[tuple[str, str]]) -> set[str]:
    """Hashes of the videos and signals of these subjects."""
    found: set[str] = set()
    for dataset, index in indices.items():
        mine = [subject for name, subject in subjects if name == dataset]
        rows = index.filter(pl.col("subject").is_in(mine))
        found |= {*rows["video_sha256"].drop_nulls(), *rows["signals_sha256"].drop_nulls()}
    return found
