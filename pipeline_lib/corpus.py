"""Self-supervised pre-training on a corpus of data sets, one model a test fold."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline_lib import params, paths, splits

if TYPE_CHECKING:
    from pipeline_lib.training import Epoch


def pretrain_fold(
    fold: pl.DataFrame,
    *,
    crops: Mapping[str, pl.DataFrame],
    folds: Mapping[str, pl.DataFrame],
    config: params.VideoMAE,
    seed: int,
    checkpoint: Path,
    out: Path,
) -> "list[Epoch]":
    """Pre-train on all but the test subjects of one fold; write the model to out/fold-<n>.

    fold         : schema.FOLDS, rows of one fold, that says which
    crops, folds : data set -> schema.CROPS, schema.FOLDS
    """
    from torch.utils.data import ConcatDataset

    from models import videomae
    from pipeline_lib.clips import Clips
    from pipeline_lib.training import Batch

    number = fold["fold"][0]
    seen = splits.pretraining_list(folds, list(folds), fold=number)
    clips: ConcatDataset[Batch] = ConcatDataset(
        [
            Clips(crops[dataset], crop=config.crop, size=config.image_size).of(
                set(rows["recording_id"])
            )
            for (dataset,), rows in seen.group_by("dataset", maintain_order=True)
        ]
    )
    return videomae.pretrain(
        clips, config=config, seed=seed, checkpoint=checkpoint, out=paths.fold(out, number)
    )
