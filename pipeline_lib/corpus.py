"""What pre-training sees: the clips of a corpus of data sets, less a fold's test subjects.

Of a data set that a system which starts from here is tested on, the audit hands out the folds,
and the test subjects of each are left out. The others, as Kinetics or the target of other systems,
are seen whole; a corpus of such sets alone needs one model for all folds. So does a leaky one, the
flaw, which sees every set whole.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline_lib import params
from pipeline_lib.core import paths
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.learning import splits

if TYPE_CHECKING:
    from pipeline_lib.clips import Clips
    from pipeline_lib.learning.training import Batch, Epoch

Folds = Mapping[str, pl.DataFrame]  # data set -> schema.FOLDS, of those not seen whole
Tables = Mapping[str, pl.DataFrame]  # data set -> schema.RECORDINGS, of all of the corpus

NO_CLASS = "n/a"  # the stimulus of a clip whose class nobody tells


def fold_numbers(folds: Folds, *, leaky: bool, start: Path | None = None) -> list[int | None]:
    """One model for each of these; None: one for all folds, which leaves nobody out.

    start : folder of the models of the step before; if they are of folds, so are these
    """
    numbers = {number for table in folds.values() for number in table["fold"]}
    if leaky:
        return [None]
    if start is not None and not numbers:
        numbers = paths.fold_numbers(start)
    return [*sorted(numbers)] or [None]


def visible(
    clips: Mapping[str, Collection[str]], folds: Folds, *, fold: int | None
) -> dict[str, set[str]]:
    """Data set -> recordings that the model of a fold may see, of those that have clips."""
    seen = {dataset: set(names) for dataset, names in clips.items()}
    if fold is not None:
        listed = splits.pretraining_list(folds, list(folds), fold=fold)
        for dataset in folds:
            seen[dataset] &= set(listed.filter(dataset=dataset)["recording_id"])
    return seen


def lessons(indices: Tables) -> tuple[dict[str, dict[str, list[float]]], int]:
    """Data set -> recording -> what its clips teach, and how many classes of actions there are.

    Valence and arousal (0 or 1) where a data set has labels, elsewhere the stimulus as a class; a
    lesson is [valence, arousal, class], NaN for what a recording does not teach.
    """
    labels = {
        dataset: table.select("recording_id", *(f"{t}_label" for t in TARGETS)).drop_nulls()
        for dataset, table in indices.items()
    }
    stimuli = {
        name
        for dataset, table in indices.items()
        if labels[dataset].is_empty()
        for name in table["stimulus"]
    }
    places = {name: float(i) for i, name in enumerate(sorted(stimuli - {NO_CLASS}))}
    nan = float("nan")
    taught: dict[str, dict[str, list[float]]] = {}
    for dataset, table in indices.items():
        rated = {name: [*values, nan] for name, *values in labels[dataset].iter_rows()}
        if rated:
            taught[dataset] = rated
        else:
            shown = table.select("recording_id", "stimulus").iter_rows()
            taught[dataset] = {n: [nan, nan, places[s]] for n, s in shown if s in places}
    return taught, len(places)


def pretrain_fold(
    fold: int | None,
    *,
    clips: "Mapping[str, Clips]",
    folds: Folds,
    config: params.VideoMAE,
    seed: int,
    done: bool = False,
    checkpoint: Path,
    out: Path,
) -> "list[Epoch]":
    """Pre-train one model, self-supervised; write it below `out`, see paths.fold.

    done : config.pretrained was trained on this very corpus, and is the model as it is
    """
    from torch.utils.data import ConcatDataset

    from models import videomae

    seen = visible({d: of.recording_ids for d, of in clips.items()}, folds, fold=fold)
    data: ConcatDataset[Batch] = ConcatDataset(
        clips[dataset].of(names) for dataset, names in seen.items()
    )
    if done:
        return videomae.keep(data, config=config, out=paths.fold(out, fold))
    return videomae.pretrain(
        data,
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        out=paths.fold(out, fold),
    )


def supervise_fold(
    fold: int | None,
    *,
    clips: "Mapping[str, Clips]",
    indices: Tables,
    folds: Folds,
    config: params.VideoMAE,
    start: Path,
    seed: int,
    checkpoint: Path,
    out: Path,
) -> "list[Epoch]":
    """Train one model on `lessons`, from the one of the same fold below `start`."""
    from torch.utils.data import ConcatDataset

    from models import videomae
    from pipeline_lib.clips import TaughtClips

    taught, n_classes = lessons(indices)
    seen = visible({d: of.recording_ids for d, of in clips.items()}, folds, fold=fold)
    return videomae.supervise(
        ConcatDataset(
            TaughtClips(
                clips[dataset],
                {name: taught[dataset][name] for name in sorted(names & taught[dataset].keys())},
            )
            for dataset, names in seen.items()
        ),
        n_classes=n_classes,
        config=config,
        start=paths.start(start, fold),
        seed=seed,
        checkpoint=checkpoint,
        out=paths.fold(out, fold),
    )
