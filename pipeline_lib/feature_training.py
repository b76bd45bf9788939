"""What training has in common for the systems that read stored features.

Each system says which modalities it reads, whether whole or cut, and how its model is built; the
rest is here: who takes part, what is estimated on whom, the optimiser.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl
import torch
from torch import nn

from pipeline_lib import degradation, params
from pipeline_lib.segments import Segments
from pipeline_lib.splits import SCALE, WINDOWS, flaws_of
from pipeline_lib.training import FoldResult, by_role, fit_fold, recording_scores
from pipeline_lib.trials import (
    BOTH,
    Lengths,
    Modality,
    TensorItems,
    Trials,
    VisualScale,
    lacking,
    usable,
)


@dataclass(frozen=True)
class ToItems:
    """How recordings become items: (schema.FEATURES, scale) -> items."""

    of: Callable[[pl.DataFrame, VisualScale | None], TensorItems]
    # For a flaw: segments that overlap those of `of`. Of whole trials there are none.
    between: Callable[[pl.DataFrame, VisualScale | None], TensorItems] | None = None


def whole_trials(
    seconds: float,
    *,
    fps: float,
    sampling_rate: float,
    modalities: tuple[Modality, ...] = BOTH,
    quality: bool = False,
) -> tuple[ToItems, Lengths]:
    """Recordings padded to `seconds`, and what that is in frames and samples."""
    lengths = Lengths.of(seconds, fps=fps, sampling_rate=sampling_rate)
    of = partial(Trials, lengths=lengths, modalities=modalities, quality=quality)
    return ToItems(of), lengths


def segments(
    seconds: float,
    *,
    fps: float,
    sampling_rate: float,
    modalities: tuple[Modality, ...] = BOTH,
    quality: bool = False,
) -> tuple[ToItems, Lengths]:
    """Recordings cut into segments of `seconds`, and what that is in frames and samples."""
    of = partial(Segments, seconds=seconds, fps=fps, sampling_rate=sampling_rate,
                 modalities=modalities, quality=quality)  # fmt: skip
    items = ToItems(of, between=partial(of, between=True))
    return items, Lengths.of(seconds, fps=fps, sampling_rate=sampling_rate)


def lacking_of_mvp(features: pl.DataFrame, config: params.CrossModal) -> dict[str, str]:
    """What the recordings lack that MVP and its kin cannot use, by recording_id."""
    return lacking(features, any_of_them=config.quality == "mask")


def train(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    items: ToItems,
    build: Callable[[], nn.Module],
    config: params.Trained,
    seed: int,
    checkpoint: Path | None,
    modalities: tuple[Modality, ...] = BOTH,
    any_of_them: bool = False,
) -> FoldResult:
    """Train on the fold's recordings with role `train`, stop by `validation`, predict `test`.

    features   : schema.FEATURES; what is not `usable` takes no part
    fold       : schema.FOLDS, the rows of one fold
    build      : called after torch is seeded
    checkpoint : see training.fit
    any_of_them: recordings of one modality take part, see trials.lacking

    The result also holds what the model says of test recordings with a part missing.
    Raises TrainingError if a role has no usable recording or one is too long.
    """
    known = usable(features, modalities, any_of_them=any_of_them)
    roles = by_role(known, fold, lacking(features, modalities, any_of_them=any_of_them))
    flaws = flaws_of(fold)
    scale = visual_scale(known, fold) if "visual" in modalities else None
    data = {role: items.of(rows, scale) for role, rows in roles.items()}
    if WINDOWS in flaws and items.between:  # flaw, on request: trained on what overlaps the tested
        leaking = known.join(fold.filter(role=WINDOWS), on="recording_id", how="semi")
        data["train"] = data["train"].and_of(items.between(leaking, scale))
    torch.manual_seed(seed)
    model = build()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    result = fit_fold(
        model, data, optimiser=optimiser, recipe=config, seed=seed, checkpoint=checkpoint
    )

    def predict(rows: pl.DataFrame) -> pl.DataFrame:
        return recording_scores(result.model, items.of(rows, scale), batch_size=config.batch_size)

    degraded = degradation.scores(roles["test"], modalities, predict, seed=seed)
    return replace(result, degraded=degraded)


def visual_scale(known: pl.DataFrame, fold: pl.DataFrame) -> VisualScale:
    """Estimated on the fold's training subjects.

    known : schema.FEATURES of the recordings that the system can use
    """
    # Flaw, on request: the scale knows all recordings, the tested ones too.
    fitted_on = fold if SCALE in flaws_of(fold) else fold.filter(role="train")
    return VisualScale.of(known.join(fitted_on, on="recording_id", how="semi"))
