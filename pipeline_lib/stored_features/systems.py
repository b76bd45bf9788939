"""How a system on stored features is trained: all of them alike, but for what they declare.

`models/NAME.py` says in SYSTEM which modalities it reads and how its model is built; its config
says whether recordings are cut. The rest is here: who takes part, what is estimated on whom, the
optimiser.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl
import torch
from torch import nn

from pipeline_lib import params
from pipeline_lib.core import seeds
from pipeline_lib.learning.splits import SCALE, WINDOWS, flaws_of
from pipeline_lib.learning.training import FoldResult, by_role, fit_fold, recording_scores
from pipeline_lib.stored_features import degradation, trials
from pipeline_lib.stored_features.segments import Segments
from pipeline_lib.stored_features.trials import (
    BOTH,
    Lengths,
    Modality,
    TensorItems,
    Trials,
    VisualScale,
    usable,
)


@dataclass(frozen=True)
class System:
    """What a system on stored features declares, as SYSTEM in its module."""

    build: Callable[..., nn.Module]  # (config, lengths) -> model, inputs -> logits (B, 2)
    modalities: tuple[Modality, ...] = BOTH
    # Before training, in place: (model, unlabelled features of training subjects, *, config,
    # lengths, sampling_rate, seed, checkpoint)
    pretrain: Callable[..., None] | None = None


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    system: System,
    config: params.Trained,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on the fold's recordings with role `train`, stop by `validation`, predict `test`.

    features           : schema.FEATURES; what is not `usable` takes no part
    fold               : schema.FOLDS, the rows of one fold
    fps, sampling_rate : Hz, of video and physiology
    checkpoint         : see training.fit

    The result also holds what the model says of test recordings with a part missing.
    Raises TrainingError if a role has no usable recording or one is too long.
    """
    known = usable(features, system.modalities, any_of_them=_one_is_enough(config))
    roles = by_role(known, fold, lacking(features, system=system, config=config))
    flaws = flaws_of(fold)
    scale = visual_scale(known, fold) if "visual" in system.modalities else None
    items = items_of(config, system.modalities, fps=fps, sampling_rate=sampling_rate)
    data = {role: items.of(rows, scale) for role, rows in roles.items()}
    if WINDOWS in flaws and items.between:  # flaw, on request: trained on what overlaps the tested
        leaking = known.join(fold.filter(role=WINDOWS), on="recording_id", how="semi")
        data["train"] = data["train"].and_of(items.between(leaking, scale))
    torch.manual_seed(seed)
    model = system.build(config, items.lengths)
    if system.pretrain:
        training = features.join(fold.filter(role="train"), on="recording_id", how="semi")
        system.pretrain(
            model,
            training,
            config=config,
            lengths=items.lengths,
            sampling_rate=sampling_rate,
            seed=seeds.derive(seed, 0),
            checkpoint=checkpoint and checkpoint.with_name(f"pretrain-{checkpoint.name}"),
        )
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    result = fit_fold(
        model, data, optimiser=optimiser, recipe=config, seed=seed, checkpoint=checkpoint
    )

    def predict(rows: pl.DataFrame) -> pl.DataFrame:
        return recording_scores(result.model, items.of(rows, scale), batch_size=config.batch_size)

    degraded = degradation.scores(roles["test"], system.modalities, predict, seed=seed)
    return replace(result, degraded=degraded)


def lacking(features: pl.DataFrame, *, system: System, config: params.Trained) -> dict[str, str]:
    """What the recordings lack that the system cannot use, by recording_id."""
    return trials.lacking(features, system.modalities, any_of_them=_one_is_enough(config))


def _one_is_enough(config: params.Trained) -> bool:
    """Recordings of one modality take part: the attention is masked by quality."""
    return isinstance(config, params.CrossModal) and config.quality == "mask"


@dataclass(frozen=True)
class Items:
    """How recordings become items: (schema.FEATURES, scale) -> items of such lengths."""

    of: Callable[[pl.DataFrame, VisualScale | None], TensorItems]
    lengths: Lengths
    # For a flaw: segments that overlap those of `of`. Of whole trials there are none.
    between: Callable[[pl.DataFrame, VisualScale | None], TensorItems] | None = None


def items_of(
    config: params.Trained, modalities: tuple[Modality, ...], *, fps: float, sampling_rate: float
) -> Items:
    """Whole recordings, padded, or segments of them, as the config says; rates in Hz."""
    quality = _one_is_enough(config)
    if isinstance(config, params.Cut):
        seconds = config.segment_seconds
        of = partial(Segments, seconds=seconds, fps=fps, sampling_rate=sampling_rate,
                     modalities=modalities, quality=quality)  # fmt: skip
        lengths = Lengths.of(seconds, fps=fps, sampling_rate=sampling_rate)
        return Items(of, lengths, between=partial(of, between=True))
    if not isinstance(config, params.Whole):
        raise TypeError(f"{type(config).__name__} has neither max_seconds nor segment_seconds")
    lengths = Lengths.of(config.max_seconds, fps=fps, sampling_rate=sampling_rate)
    whole = partial(Trials, lengths=lengths, modalities=modalities, quality=quality)
    return Items(whole, lengths)


def visual_scale(known: pl.DataFrame, fold: pl.DataFrame) -> VisualScale:
    """Estimated on the fold's training subjects.

    known : schema.FEATURES of the recordings that the system can use
    """
    # Flaw, on request: the scale knows all recordings, the tested ones too.
    fitted_on = fold if SCALE in flaws_of(fold) else fold.filter(role="train")
    return VisualScale.of(known.join(fitted_on, on="recording_id", how="semi"))
