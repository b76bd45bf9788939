"""VideoMAE: pre-training on face clips, self-supervised and then, if asked for, supervised; then
fine-tuning to valence and arousal.

Tong et al., NeurIPS 2022, in transformers' implementation, as MVP 3.1 uses it. What differs from
an image MAE: a token is a tubelet of several frames, and the mask is a tube, the same patches in
all frames, else a still face is copied from the frame before. Recipes are those of VideoMAE's
authors, without their augmentations and without drop path, which transformers' model lacks.
"""

import re
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.utils.data import Dataset
from transformers import (
    AutoConfig,
    PreTrainedModel,
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
)
from transformers.utils import logging as transformers_logging

import pipeline_lib.core.privacy  # noqa: F401  before transformers, which reads what it sets
from pipeline_lib import params
from pipeline_lib.clips import (
    Clips,
    LabelledClips,
    lacking as lacking,  # a system says what it cannot do without
    usable,
)
from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.learning.training import (
    Batch,
    Epoch,
    FoldResult,
    TrainingError,
    by_role,
    fit,
    fit_fold,
    warmup_cosine,
)

Model = TypeVar("Model", VideoMAEForPreTraining, VideoMAEForVideoClassification)

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB, as VideoMAE's own processor has it
STD = (0.229, 0.224, 0.225)
PRETRAIN_BETAS = (0.9, 0.95)  # of AdamW
FINETUNE_BETAS = (0.9, 0.999)
RATED_BATCH = 256  # the clips a step for which the authors state learning rates


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (B, T, C, H, W) -> the float32 that the model was made for."""
    mean, std = (torch.tensor(x, device=pixels.device).view(3, 1, 1) for x in (MEAN, STD))
    return torch.addcmul(-mean / std, pixels.float(), 1 / (255 * std))


# ---- Self-supervised pre-training ---------------------------------------------------------------


def tube_masks(n_clips: int, *, n_tubes: int, n_patches: int, ratio: float) -> Tensor:
    """Random masks (n_clips, n_tubes * n_patches), True where a token is hidden.

    Each clip hides int(ratio * n_patches) patches of the picture, the same ones in every tube.
    """
    n_masked = int(ratio * n_patches)
    ranks = torch.rand(n_clips, n_patches).argsort(dim=1).argsort(dim=1)
    return (ranks < n_masked).repeat(1, n_tubes)  # (B, P) -> (B, N * P): tubes are the slow axis


def pretrain(
    clips: Dataset[Batch],
    *,
    config: params.VideoMAE,
    seed: int,
    checkpoint: Path | None,
    out: Path,
) -> list[Epoch]:
    """Learn to fill in masked clips; write the model to the folder `out`, Hugging Face format.

    Starts from config.pretrained, a hub id or local folder, or else from random weights.
    """
    recipe = config.pretrain
    torch.manual_seed(seed)
    model = _to_pretrain(config, clips)
    n_tubes = model.config.num_frames // model.config.tubelet_size
    n_patches = model.videomae.embeddings.num_patches // n_tubes

    def reconstruction_loss(model: nn.Module, batch: Batch) -> Tensor:
        pixels = batch["pixels"]
        mask = tube_masks(
            len(pixels), n_tubes=n_tubes, n_patches=n_patches, ratio=recipe.mask_ratio
        )
        loss: Tensor = model(normalise(pixels), bool_masked_pos=mask.to(pixels.device)).loss
        return loss

    groups = layer_groups(model, recipe, layer_decay=1.0)
    history = list(
        fit(
            model,
            reconstruction_loss,
            clips,
            None,
            optimiser=torch.optim.AdamW(groups, betas=PRETRAIN_BETAS),
            schedule=warmup_cosine(warmup=recipe.warmup, epochs=recipe.epochs),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            patience=recipe.epochs,
            seed=seed,
            checkpoint=checkpoint,
        )
    )
    _quieten()
    model.save_pretrained(out)
    return history


def keep(clips: Dataset[Batch], *, config: params.VideoMAE, out: Path) -> list[Epoch]:
    """Write config.pretrained as it is to the folder `out`, with its source: no epoch is trained.

    Raises TrainingError if it does not fit the clips.
    """
    assert config.pretrained is not None  # as long as config names what it was made on
    model = _load(VideoMAEForPreTraining, config.pretrained, clips)
    model.save_pretrained(out)
    commit = getattr(model.config, "_commit_hash", None)  # of the hub; a folder has none
    tables.write_json({"pretrained": config.pretrained, "commit": commit}, out / "source.json")
    return []


def _to_pretrain(config: params.VideoMAE, clips: Dataset[Batch]) -> VideoMAEForPreTraining:
    if config.pretrained is not None:
        return _load(VideoMAEForPreTraining, config.pretrained, clips)
    n_frames, _, size, _ = clips[0]["pixels"].shape
    if n_frames % config.tubelet or size % config.patch_size:
        raise TrainingError(
            f"clips of {n_frames} frames of {size} px are not whole tubelets of "
            f"models.<scale>.videomae.tubelet = {config.tubelet} frames of {config.patch_size} px"
        )
    return VideoMAEForPreTraining(
        VideoMAEConfig(
            image_size=size,
            patch_size=config.patch_size,
            num_frames=n_frames,
            tubelet_size=config.tubelet,
            hidden_size=config.dim,
            num_hidden_layers=config.depth,
            num_attention_heads=config.heads,
            intermediate_size=4 * config.dim,
            decoder_hidden_size=config.decoder_dim,
            decoder_num_hidden_layers=config.decoder_depth,
            decoder_num_attention_heads=config.heads // 2,
            decoder_intermediate_size=4 * config.decoder_dim,
            norm_pix_loss=True,
            use_mean_pooling=False,  # the authors' pre-training ends the encoder in a LayerNorm
        )
    )


# ---- Supervised pre-training --------------------------------------------------------------------


class Taught(nn.Module):
    """One encoder under two heads: valence and arousal, and the classes of actions."""

    def __init__(self, videomae: VideoMAEForVideoClassification, n_classes: int) -> None:
        super().__init__()
        self.videomae = videomae
        self.actions = nn.Linear(videomae.config.hidden_size, max(n_classes, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """pixels (B, T, C, H, W) uint8 -> logits (B, 2) of labels and (B, n_classes)."""
        tokens = self.videomae.videomae(normalise(pixels)).last_hidden_state  # (B, N, D)
        assert self.videomae.fc_norm is not None  # as long as the tokens are averaged
        read = self.videomae.fc_norm(tokens.mean(dim=1))  # as transformers' own head reads them
        return self.videomae.classifier(read), self.actions(read)


def lesson_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean over the batch of what each clip's lesson (B, 3) says, as pipeline_lib.corpus has it.

    Binary cross-entropy of valence and arousal, or cross-entropy of the class.
    """
    labels, actions = model(batch["pixels"])
    lesson = batch["lesson"]
    rated, shown = lesson[:, 0].isfinite(), lesson[:, 2].isfinite()
    total = binary_cross_entropy_with_logits(
        labels[rated], lesson[rated, :2], reduction="sum"
    ) / len(TARGETS) + cross_entropy(actions[shown], lesson[shown, 2].long(), reduction="sum")
    return total / len(lesson)


def supervise(
    clips: Dataset[Batch],
    *,
    n_classes: int,
    config: params.VideoMAE,
    start: Path,
    seed: int,
    checkpoint: Path | None,
    out: Path,
) -> list[Epoch]:
    """Learn from labelled clips; write the model, its affective head included, to `out`.

    clips     : with "lesson", see `lesson_loss`
    n_classes : of actions; 0 if no data set teaches any
    start     : folder of the model to start from

    The last epoch's weights are kept: MVP says nothing of a choice, and there is nothing to
    choose by [?].
    """
    recipe = config.supervise
    torch.manual_seed(seed)
    videomae = _load(
        VideoMAEForVideoClassification,
        start,
        clips,
        num_labels=len(TARGETS),
        use_mean_pooling=True,
    )
    model = Taught(videomae, n_classes)
    history = list(
        fit(
            model,
            lesson_loss,
            clips,
            None,
            optimiser=torch.optim.AdamW(
                layer_groups(model, recipe, layer_decay=recipe.layer_decay), betas=FINETUNE_BETAS
            ),
            schedule=warmup_cosine(warmup=recipe.warmup, epochs=recipe.epochs),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            patience=recipe.epochs,
            seed=seed,
            checkpoint=checkpoint,
        )
    )
    videomae.save_pretrained(out)
    return history


# ---- Fine-tuning --------------------------------------------------------------------------------


class Finetuned(nn.Module):
    """The encoder, the mean over its tokens, and logits (B, 2) of valence and arousal."""

    def __init__(self, videomae: VideoMAEForVideoClassification) -> None:
        super().__init__()
        self.videomae = videomae

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (B, T, C, H, W) uint8."""
        logits: Tensor = self.videomae(normalise(pixels)).logits
        return logits


def finetune_fold(
    clips: Clips,
    labels: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    recipe: params.Finetune,
    start: Path,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Fine-tune on the clips of the fold's recordings with role `train`, predict `test`.

    labels : recording_id, valence_label, arousal_label
    fold   : schema.FOLDS, the rows of one fold
    start  : folder with a model for each fold, or one for all, as pre-training leaves it

    In the model of the result, `videomae` is transformers' own; its inputs are `normalise`d
    pixels.
    """
    roles = by_role(usable(labels, clips), fold, lacking(labels, clips))
    data = {role: LabelledClips(clips, rows) for role, rows in roles.items()}
    torch.manual_seed(seed)
    # Mean pooling is the authors' head; the default of some checkpoints is to read token 0.
    model = Finetuned(
        _load(
            VideoMAEForVideoClassification,
            paths.start(start, fold["fold"][0]),
            data["train"],
            num_labels=len(TARGETS),
            use_mean_pooling=True,
        )
    )
    groups = layer_groups(model.videomae, recipe, layer_decay=recipe.layer_decay)
    return fit_fold(
        model,
        data,
        optimiser=torch.optim.AdamW(groups, betas=FINETUNE_BETAS),
        recipe=recipe,
        schedule=warmup_cosine(warmup=recipe.warmup, epochs=recipe.epochs),
        seed=seed,
        checkpoint=checkpoint,
    )


# ---- Both ---------------------------------------------------------------------------------------


def layer_groups(
    model: PreTrainedModel | Taught,
    recipe: params.Pretrain | params.Supervise | params.Finetune,
    *,
    layer_decay: float,
) -> list[dict[str, Any]]:
    """AdamW's parameter groups, from the embeddings to the head.

    The learning rate is the recipe's per RATED_BATCH clips, and shrinks by `layer_decay` with
    each layer below the head. Biases and norms do not decay.
    """
    of_model = model.videomae if isinstance(model, Taught) else model
    n_layers = of_model.config.num_hidden_layers
    rate = recipe.learning_rate * recipe.batch_size / RATED_BATCH
    groups: dict[tuple[int, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        weight_decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((_layer(name, n_layers), weight_decay), []).append(parameter)
    return [
        {
            "params": groups[layer, weight_decay],
            "lr": rate * layer_decay ** (n_layers + 1 - layer),
            "weight_decay": weight_decay,
        }
        for layer, weight_decay in sorted(groups)
    ]


def _layer(name: str, n_layers: int) -> int:
    """0: embeddings, 1 to n_layers: the encoder's layers, n_layers + 1: what comes after."""
    if ".embeddings." in name:
        return 0
    found = re.search(r"\.encoder\.layer\.(\d+)\.", name)
    return int(found[1]) + 1 if found else n_layers + 1


def _load(kind: type[Model], source: str | Path, clips: Dataset[Batch], **overrides: Any) -> Model:
    """Load a model and check that it is a VideoMAE and fits the clips."""
    _quieten()
    family = AutoConfig.from_pretrained(source).model_type
    if family != VideoMAEConfig.model_type:
        raise TrainingError(f"{source} holds a {family}, not a {VideoMAEConfig.model_type}")
    model: Model = kind.from_pretrained(source, **overrides)
    n_frames, _, height, width = clips[0]["pixels"].shape
    size = model.config.image_size
    if (n_frames, height, width) != (model.config.num_frames, size, size):
        raise TrainingError(
            f"clips of {n_frames} frames of {width}x{height} px, but {source} takes "
            f"{model.config.num_frames} of {size}x{size}; set models.<scale>.videomae.image_size "
            f"and crop.clip_frames to these"
        )
    return model


def _quieten() -> None:
    """Else the console lists, each time, the decoder that goes and the head that is new."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
