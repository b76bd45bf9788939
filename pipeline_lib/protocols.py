"""Who is tested on what: the folds of each protocol, and the inner validation split.

docs/evaluation.md says what each protocol asks of a system.
"""

import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core import seeds
from pipeline_lib.core.schema import FOLDS, targets_of, validate
from pipeline_lib.learning.splits import OWNERS, TRIALS, WITHHELD, Rules
from pipeline_lib.params import Flaw, Splits

Ints = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]
Cut = tuple[Ints, Ints]  # rows that are fitted on, rows that are tested


def usable(index: pl.DataFrame) -> pl.DataFrame:
    """The recordings that can be trained or tested on: not excluded, with every label."""
    return _taken(index).filter(
        *(pl.col(f"{target}_label").is_not_null() for target in targets_of(index)),
    )


def rules(index: pl.DataFrame, *, splits: Splits, flaws: Sequence[Flaw]) -> Rules:
    """What the folds of this data set follow: the owners' own split, if there is one."""
    if _split_by_owners(index):
        return Rules(OWNERS, tuple(flaws), times_tested=None).without(TRIALS)
    times = splits.repeats if splits.protocol == "repeated" else 1
    return Rules(splits.protocol, tuple(flaws), times_tested=times)


def make_folds(
    index: pl.DataFrame,
    *,
    rated: Collection[str] = (),
    splits: Splits,
    flaws: Sequence[Flaw],
    seed: int,
) -> pl.DataFrame:
    """Give every usable recording a role in each fold that uses it; schema.FOLDS.

    Folds are stratified by the pair of labels as far as subjects allow. The validation subjects, a
    share `splits.validation` of those fitted on, are drawn alike and serve to choose the epoch.
    Where the owners split the set themselves, that is the one fold: without subject ids it is the
    only one known not to share people. There `rated` names the recordings that have ratings, of
    whatever; see `_of_owners`.
    Raises ValueError if there are fewer subjects, or stimuli, than folds of them.
    """
    if _split_by_owners(index):
        table = _taken(index).sort("recording_id")
        owned = _of_owners(table, rated, held_out=splits.validation, seed=seed)
        return validate(_fold(table, 0, owned), FOLDS, "folds")
    table = usable(index).sort("recording_id")
    # Flaw, on request: who is tested may be trained on, in another recording.
    group = "recording_id" if TRIALS in flaws else "subject"
    cut = partial(_cut, strata=_strata(table))
    parts: list[pl.DataFrame] = []
    for fitted, test in _cuts(table, group, splits=splits, seed=seed, cut=cut):
        groups = table[group].to_numpy()
        n_groups = len(set(groups[fitted]))
        if n_groups < 2:
            raise ValueError(
                f"fold {len(parts)} has {n_groups} {group} to fit on and to choose the epoch by, "
                "two are needed: take more splits.folds"
            )
        n_inner = min(max(2, round(1 / splits.validation)), n_groups)
        _, held_out = next(cut(fitted, groups, n_inner, seed=seed))
        roles = np.full(table.height, "", dtype="U10")
        roles[fitted], roles[test], roles[fitted[held_out]] = "train", "test", "validation"
        parts.append(_fold(table, len(parts), pl.Series(roles)))
    return validate(pl.concat(parts), FOLDS, "folds")


def _taken(index: pl.DataFrame) -> pl.DataFrame:
    return index.filter(~pl.col("status").is_in(["excluded", "failed"]))


def _split_by_owners(index: pl.DataFrame) -> bool:
    table = _taken(index)
    return table.height > 0 and not table["split"].null_count()


def _of_owners(
    table: pl.DataFrame, rated: Collection[str], *, held_out: float, seed: int
) -> pl.Series:
    """Roles by the owners' split; "" for what is neither rated nor withheld.

    If their test has ratings, it is tested and their validation part chooses the epoch. If they
    withhold them, as challenges do, their validation part is what can be reported: it is tested,
    and of the subjects of their training part a share `held_out` chooses the epoch in its place.
    """
    known = pl.Series(table["recording_id"].is_in(list(rated)))
    part = table["split"]
    frame = pl.DataFrame({"part": part, "known": known, "subject": table["subject"]})
    if (known & (part == "test")).any():
        return frame.select(pl.when("known").then("part").otherwise(pl.lit("")))["part"]
    chosen = _some_subjects(frame.filter(pl.col("known"), part="train"), held_out, seed=seed)
    trained = pl.when(pl.col("subject").is_in(chosen)).then(pl.lit("validation"))
    roles = {
        "train": pl.when("known").then(trained.otherwise(pl.lit("train"))),
        "validation": pl.when("known").then(pl.lit("test")),
        "test": pl.lit(WITHHELD),
    }
    role = pl.coalesce(*(pl.when(part=name).then(of) for name, of in roles.items()), pl.lit(""))
    return frame.select(role=role)["role"]


def _some_subjects(table: pl.DataFrame, share: float, *, seed: int) -> list[str]:
    """A share of them, at least one, drawn at random."""
    subjects = table["subject"].unique().sort()
    if len(subjects) < 2:
        raise ValueError(
            f"{len(subjects)} subjects with ratings in the owners' training part, two are needed: "
            "one to train on and one to choose the epoch by"
        )
    n_chosen = min(max(1, round(share * len(subjects))), len(subjects) - 1)
    drawn = np.random.default_rng(seed).permutation(len(subjects))[:n_chosen]
    return subjects.gather(drawn).to_list()


def _fold(table: pl.DataFrame, number: int, roles: pl.Series) -> pl.DataFrame:
    """Rows of schema.FOLDS: the recordings that have a role."""
    fold = pl.lit(number, pl.Int32).alias("fold")
    rows = table.select(fold, "recording_id", "subject", roles.alias("role"))
    return rows.filter(pl.col("role") != "")


def _strata(table: pl.DataFrame) -> list[Names]:
    """The finest first: with few recordings no pair of labels, or no label, fills all folds."""
    labels = table.select(pl.col(f"{t}_label").cast(pl.String) for t in targets_of(table))
    all_of_them = labels.select(pl.concat_str(pl.all())).to_series().to_numpy()
    return [all_of_them, labels.to_series().to_numpy(), np.full(table.height, "")]


def _cut(
    rows: Ints, groups: Names, n_folds: int, *, strata: Sequence[Names], seed: int
) -> Iterator[Cut]:
    """Split rows so that no group is on both sides; positions in `rows`."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    finest = next(s[rows] for s in strata if max(Counter(s[rows]).values()) >= n_folds)
    with warnings.catch_warnings():
        # A rare pair of labels cannot be in every fold: "as far as subjects allow".
        warnings.filterwarnings("ignore", "The least populated class")
        yield from splitter.split(rows, finest, groups[rows])


def _cuts(
    table: pl.DataFrame, group: str, *, splits: Splits, seed: int, cut: "partial[Iterator[Cut]]"
) -> Iterator[Cut]:
    """What each fold fits on and tests, by protocol; rows of the table."""
    rows = np.arange(table.height)
    groups = table[group].to_numpy()
    if splits.protocol != "loso" and len(set(groups)) < splits.folds:
        raise ValueError(
            f"{len(set(groups))} {group}s with labels, fewer than splits.folds = {splits.folds}"
        )
    if splits.protocol == "loso":
        for subject in sorted(set(groups)):
            yield np.flatnonzero(groups != subject), np.flatnonzero(groups == subject)
    elif splits.protocol == "stimulus":
        yield from _blocks(table, splits=splits, seed=seed, cut=cut)
    else:
        for repeat in range(splits.repeats if splits.protocol == "repeated" else 1):
            drawn = seeds.derive(seed, repeat) if repeat else seed  # the first is `grouped`
            yield from cut(rows, groups, splits.folds, seed=drawn)


def _blocks(
    table: pl.DataFrame, *, splits: Splits, seed: int, cut: "partial[Iterator[Cut]]"
) -> Iterator[Cut]:
    """A fold for each block of subjects x stimuli: what it tests was neither seen nor shown.

    The test subjects' other recordings and the other subjects' recordings of the test stimuli
    have no role in that fold. A block that nobody recorded is left out.
    """
    stimuli = table["stimulus"]
    if stimuli.null_count() or stimuli.n_unique() < splits.stimulus_folds:
        raise ValueError(
            f"{stimuli.n_unique()} stimuli, {stimuli.null_count()} recordings without one: "
            f"protocol stimulus needs splits.stimulus_folds = {splits.stimulus_folds} or more, "
            "and each recording's"
        )
    rows = np.arange(table.height)
    by_stimulus = list(cut(rows, stimuli.to_numpy(), splits.stimulus_folds, seed=seed))
    for others, subjects in cut(rows, table["subject"].to_numpy(), splits.folds, seed=seed):
        for unlike, alike in by_stimulus:
            test = np.intersect1d(subjects, alike)
            if test.size:
                yield np.intersect1d(others, unlike), test
