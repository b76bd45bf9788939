"""What folds let a system see, and the audit that proves it.

No subject, and no copy of a recording's video or signals, may stand on both sides of a test; no
stimulus either, where the protocol says so. A flaw that was asked for passes, and is marked.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

OWNERS = "owners"  # in the place of a protocol: the owners of the data split them

SUBJECTS, STIMULI = "test subjects", "test stimuli"

ROLES = ("train", "validation", "test")
WITHHELD = "withheld"  # a role too: of recordings whose labels only the owners know
# Flaws of params. One of training is also a role: that in which test recordings serve beside
# their own, so that folds tell of it and the audit sees it as a step.
TRIALS, LEAKY = "trial_level", "leaky_pretraining"
WINDOWS, EPOCH, SCALE = "overlapping_windows", "epoch_on_test", "global_normalisation"
OF_TRAINING = (WINDOWS, EPOCH, SCALE)


class LeakageError(RuntimeError):
    """Something that a system is fitted on belongs to its test subjects."""


class ProtocolError(ValueError):
    """Folds are not what their protocol says."""


@dataclass(frozen=True)
class Rules:
    """What the folds of a data set follow."""

    protocol: str  # of params.Splits, or OWNERS
    flaws: tuple[str, ...]  # asked for in params and at work in this data set
    times_tested: int | None  # each recording; None: not all of them are tested

    @property
    def allowed(self) -> set[str]:
        """What training and test may have in common."""
        found = set() if self.protocol == "stimulus" else {STIMULI}
        return found | {SUBJECTS} if TRIALS in self.flaws else found

    def lets_pass(self, step: str) -> bool:
        """Whether this step is itself a flaw that was asked for: it sees the test."""
        return step in self.flaws or (step == "pretrain" and LEAKY in self.flaws)

    def without(self, *flaws: str) -> "Rules":
        """Those of something that these flaws do not touch."""
        return replace(self, flaws=tuple(flaw for flaw in self.flaws if flaw not in flaws))

    def with_pretraining(self, corpus: Iterable[str], dataset: str) -> "Rules":
        """Those of a system of this data set: a leaky corpus has that very set in it."""
        return self if dataset in corpus else self.without(LEAKY)


def together(rules: Iterable[Rules]) -> Rules:
    """Those of several systems of one data set, side by side: the flaws of any of them."""
    first, *others = rules
    flaws = dict.fromkeys(flaw for each in (first, *others) for flaw in each.flaws)
    return replace(first, flaws=tuple(flaws))


def with_flaws(folds: pl.DataFrame, flaws: Iterable[str]) -> pl.DataFrame:
    """The folds (schema.FOLDS), in which test recordings have a role for each flaw of training.

    Windows are dealt out to all sides, so there the recordings that choose the epoch have it too.
    """
    leaking = {flaw: ["test"] for flaw in OF_TRAINING} | {WINDOWS: ["validation", "test"]}
    roles = [
        folds.filter(pl.col("role").is_in(leaking[flaw])).with_columns(role=pl.lit(flaw))
        for flaw in flaws
        if flaw in OF_TRAINING
    ]
    return pl.concat([folds, *roles])


def flaws_of(folds: pl.DataFrame) -> set[str]:
    """The flaws of training in the folds: none but what `with_flaws` put there."""
    return set(folds["role"].unique()) - {*ROLES, WITHHELD}


def pretraining_list(
    folds: Mapping[str, pl.DataFrame], corpus: Sequence[str], *, fold: int
) -> pl.DataFrame:
    """Recordings that pre-training sees before a test fold is predicted, of sets with folds.

    A corpus leaves out the test subjects of that fold in each of these data sets, even where it
    reads no labels. A set that has fewer folds has no test subjects in those beyond, and gives the
    others all that it has. Columns dataset, recording_id, subject.
    """
    seen = [pl.DataFrame(schema=dict.fromkeys(("dataset", "recording_id", "subject"), pl.String))]
    for dataset in corpus:
        table = folds[dataset]
        own = table.filter(pl.col("fold") == fold)
        trained = own.filter(pl.col("role").is_in(["train", "validation"]))
        everything = table.unique("recording_id").sort("recording_id")
        seen.append(_of(dataset, everything if own.is_empty() else trained))
    return pl.concat(seen)


def before(
    start: str, corpora: Mapping[str, Sequence[str]], supervised: Mapping[str, str]
) -> list[str]:
    """The data sets that all steps of pre-training see up to the weights `start`.

    start      : pretrain-CORPUS | supervise-CORPUS
    supervised : corpus of a supervised step -> that of the self-supervised one before it
    """
    return list(dict.fromkeys(d for corpus in steps(start, supervised) for d in corpora[corpus]))


def steps(start: str, supervised: Mapping[str, str]) -> list[str]:
    """The corpora of all steps of pre-training up to the weights `start`, the last one first."""
    step, corpus = start.split("-", 1)
    return [corpus, supervised[corpus]] if step == "supervise" else [corpus]


def taught_by(
    start: str,
    corpora: Mapping[str, Sequence[str]],
    supervised: Mapping[str, str],
    *,
    made_on: str | None,
) -> list[str]:
    """As `before`, but for the clips of a corpus whose self-supervised model is a checkpoint.

    made_on : that corpus, if any: nothing is trained on our files of it
    """
    found = steps(start, supervised)
    if found[-1] == made_on:
        found = found[:-1]
    return list(dict.fromkeys(d for corpus in found for d in corpora[corpus]))


def tested_after(
    starts: Iterable[tuple[str, str]],
    corpora: Mapping[str, Sequence[str]],
    supervised: Mapping[str, str],
) -> dict[str, list[str]]:
    """Corpus -> those of its data sets that some system which starts from it is tested on.

    starts : data set that a system is tested on, and the weights that it starts from
    """
    tested = {(corpus, d) for d, start in starts for corpus in steps(start, supervised)}
    return {name: [d for d in of if (name, d) in tested] for name, of in corpora.items()}


def seen_whole(
    start: str,
    corpora: Mapping[str, Sequence[str]],
    supervised: Mapping[str, str],
    tested: Mapping[str, Sequence[str]],
) -> list[str]:
    """Of `before`, the data sets that a step sees whole, as no system after it is tested on them.

    tested : as `tested_after` tells
    """
    found = (d for c in steps(start, supervised) for d in corpora[c] if d not in tested[c])
    return list(dict.fromkeys(found))


def twins_seen(
    dataset: str, before: Iterable[str], synthetic: Collection[str], *, allowed: bool, key: str
) -> list[str]:
    """The twins that a system of a data set is trained on: itself, and of its pre-training.

    before    : data sets of its pre-training
    synthetic : all twins
    key       : of the system in params
    Raises ProtocolError where twins teach a system of a real data set, unless that is allowed.
    """
    twins = [d for d in dict.fromkeys([dataset, *before]) if d in synthetic]
    if twins and dataset not in twins and not allowed:
        roots = ", ".join(f"datasets.{d}.root" for d in twins)
        raise ProtocolError(
            f"{key}: {dataset} is real, but its pre-training sees synthetic twins: {twins}. Point "
            f"{roots} at real data; or start it from a checkpoint, pretrain-CORPUS with "
            f"models.<scale>.videomae.pretrained and pretrained_on: CORPUS; or set "
            f"synthetic_corpora: allow, and its results are marked as synthetic"
        )
    return twins


def fitted_on(
    dataset: str,
    folds: Mapping[str, pl.DataFrame],
    *,
    fold: int,
    corpus: Sequence[str] = (),
    whole: Collection[str] = (),
    indices: Mapping[str, pl.DataFrame],
    flaws: Sequence[str] = (),
) -> dict[str, pl.DataFrame]:
    """Step -> recordings that it sees before a system predicts this test fold.

    corpus : data sets of the system's pre-training, if it has any
    whole  : those of them that are seen whole, as `indices` (schema.RECORDINGS) has them, like
             those without folds
    flaws  : of training are steps too; if pre-training is leaky, it sees every set whole
    Columns dataset, recording_id, subject.
    """
    own = with_flaws(folds[dataset], flaws)
    found = {
        role: _of(dataset, with_role(own, fold, role))
        for role in ("train", "validation", *sorted(flaws_of(own)))
    }
    if corpus:
        split = [d for d in corpus if d in folds and d not in whole and LEAKY not in flaws]
        rest = [_of(d, indices[d]) for d in corpus if d not in split]
        found["pretrain"] = pl.concat([pretraining_list(folds, split, fold=fold), *rest])
    return found


def audit_all(
    *,
    indices: Mapping[str, pl.DataFrame],
    folds: Mapping[str, pl.DataFrame],
    rules: Mapping[str, Rules],
    corpora: Mapping[str, Mapping[str, Sequence[str]]],
    whole: Mapping[str, Mapping[str, Collection[str]]] | None = None,
) -> dict[str, Any]:
    """Audit every system on every data set and fold.

    indices, folds, rules : by data set; indices also of those without folds
    corpora               : data set -> system -> data sets of its pre-training, () for none
    whole                 : data set -> system -> those of them that it sees whole; default: none
    """
    found: dict[str, Any] = {}
    for dataset, table in folds.items():
        check_protocol(dataset, table, rules[dataset])
        numbers = sorted(table["fold"].unique())
        tests = {fold: _of(dataset, with_role(table, fold, "test")) for fold in numbers}
        seen = {
            system: (tuple(corpus), tuple((whole or {}).get(dataset, {}).get(system, ())))
            for system, corpus in corpora[dataset].items()
        }
        by_corpus = {  # most systems see the same
            (corpus, entire): [
                audit(
                    indices=indices,
                    test=tests[fold],
                    steps=fitted_on(
                        dataset,
                        folds,
                        fold=fold,
                        corpus=corpus,
                        whole=entire,
                        indices=indices,
                        flaws=followed.flaws,
                    ),
                    rules=followed,
                    fold=fold,
                )
                for fold in numbers
            ]
            for corpus, entire in dict.fromkeys(seen.values())
            for followed in (rules[dataset].with_pretraining(corpus, dataset),)
        }
        found[dataset] = {system: by_corpus[of] for system, of in seen.items()}
    return found


def with_role(folds: pl.DataFrame, fold: int, role: str) -> pl.DataFrame:
    return folds.filter(pl.col("fold") == fold, pl.col("role") == role)


def check_protocol(dataset: str, folds: pl.DataFrame, rules: Rules) -> None:
    """Raise ProtocolError unless each recording is tested as often, and as alone, as it should."""
    tested = folds.filter(pl.col("role") == "test")
    if rules.times_tested is not None:
        times = tested.group_by("recording_id").len()
        never = set(folds["recording_id"]) - set(times["recording_id"])
        odd = times.filter(pl.col("len") != rules.times_tested)["recording_id"].to_list()
        if never or odd:
            raise ProtocolError(
                f"{dataset}: {sorted([*never, *odd])[:5]} are not tested {rules.times_tested} "
                f"times, as protocol {rules.protocol} says; run `dvc repro split`"
            )
    if rules.protocol == "loso":
        of_fold = tested.group_by("fold").agg(pl.col("subject").n_unique())
        if crowded := sorted(of_fold.filter(pl.col("subject") > 1)["fold"]):
            raise ProtocolError(f"{dataset}, folds {crowded[:5]}: several subjects are tested")


def audit(
    *,
    indices: Mapping[str, pl.DataFrame],
    test: pl.DataFrame,
    steps: Mapping[str, pl.DataFrame],
    rules: Rules,
    fold: int,
) -> dict[str, Any]:
    """Check all that a system is fitted on against the test of one fold.

    test  : dataset, recording_id, subject
    steps : step -> the same of what it sees, as `fitted_on` tells
    Raises LeakageError that names the step and what leaks; returns the counts otherwise.
    """
    dataset = str(test["dataset"][0])
    shared: dict[str, set[tuple[str, ...]]] = {}
    for step, seen in steps.items():
        leaks = _shared(indices, seen, test, rules)
        refused = {
            what: found
            for what, found in leaks.items()
            if found and what not in rules.allowed and not rules.lets_pass(step)
        }
        if refused:
            told = " and ".join(
                f"{len(refused[what])} {what} {sorted(refused[what])[:5]}" for what in refused
            )
            raise LeakageError(
                f"{dataset}, fold {fold}: {step} sees {told}; nothing is trained on such folds"
            )
        shared = {what: shared.get(what, set()) | found for what, found in leaks.items()}
    return {
        "fold": fold,
        "test_subjects": test["subject"].n_unique(),
        "fitted_on_subjects": {step: steps[step]["subject"].n_unique() for step in sorted(steps)},
        "shared": len(shared[SUBJECTS]),
        "shared_stimuli": len(shared[STIMULI]),
        "protocol": rules.protocol,
        "flaws": list(rules.flaws),
    }


def _shared(
    indices: Mapping[str, pl.DataFrame], seen: pl.DataFrame, test: pl.DataFrame, rules: Rules
) -> dict[str, set[tuple[str, ...]]]:
    """What training and test have in common, by what it is."""
    # All recordings of a subject count, also those in no fold: a copy says that it is one person.
    unit = "recording_id" if SUBJECTS in rules.allowed else "subject"
    seen_rows, test_rows = (_rows(indices, of, "recording_id") for of in (seen, test))
    return {
        SUBJECTS: _both(seen, test, "dataset", "subject"),
        STIMULI: _both(seen_rows, test_rows, "dataset", "stimulus"),
        "test recordings": _both(seen, test, "dataset", "recording_id"),
        "files with the content of a test recording": _contents(_rows(indices, seen, unit))
        & _contents(_rows(indices, test, unit)),
    }


def _both(seen: pl.DataFrame, test: pl.DataFrame, *columns: str) -> set[tuple[str, ...]]:
    seen_values, test_values = (
        set(of.select(columns).drop_nulls().iter_rows()) for of in (seen, test)
    )
    return seen_values & test_values


def _rows(indices: Mapping[str, pl.DataFrame], of: pl.DataFrame, unit: str) -> pl.DataFrame:
    """Stimuli and contents of these recordings, or of all recordings of their subjects."""
    columns = ("stimulus", "video_sha256", "signals_sha256")
    found = [
        index.join(of.filter(dataset=dataset), on=unit, how="semi").select(
            pl.lit(dataset).alias("dataset"), *columns
        )
        for dataset, index in indices.items()
    ]
    return pl.concat(found)


def _contents(rows: pl.DataFrame) -> set[tuple[str, ...]]:
    """Hashes of videos and signals."""
    hashes = pl.concat([rows["video_sha256"], rows["signals_sha256"]])
    return {(name,) for name in hashes.drop_nulls()}


def _of(dataset: str, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.lit(dataset).alias("dataset"), "recording_id", "subject")
