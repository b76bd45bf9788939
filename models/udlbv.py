"""UDLBV: image features and hand-crafted ones, joined early, through PCA and LSTM to an ELM.

Siddharth et al., IEEE Transactions on Affective Computing 2019, of which MVP 2.1 says: features
of a CNN pre-trained on ImageNet (VGG-16) and hand-crafted ones are concatenated, then PCA, then an
LSTM (on DEAP only), then an extreme learning machine. What is ours:
- the CNN: transformers has no VGG, so params name another, and where they name none (scale tiny)
  it is a small residual network with random weights, never trained
- every frame carries the hand-crafted features of its whole recording, physiology and video
- the LSTM learns both labels through a linear head, which is then dropped: its state after the
  last frame is what the ELM reads; it runs on every data set (`lstm: false`: mean over frames)
Imputer, scalers, PCA and LSTM are fitted on the role train; validation chooses the epoch; the ELM
is fitted on both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor, nn
from transformers import AutoModel, ResNetConfig, ResNetModel
from transformers.utils import logging as transformers_logging

import pipeline_lib.core.privacy  # noqa: F401  before transformers, which reads what it sets
from models import tabular
from models.tabular import HANDCRAFTED, Bools, Floats, Fold
from pipeline_lib import params
from pipeline_lib.core import seeds
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.learning.training import (
    Batch,
    Items,
    NothingToTest,
    TrainingError,
    by_role,
    fit,
    label_loss,
)
from pipeline_lib.video import frames

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB
STD = (0.229, 0.224, 0.225)
RANDOM = ResNetConfig(
    embedding_size=16, hidden_sizes=[16, 32, 64], depths=[1, 1, 1], layer_type="basic"
)
BATCH = 64  # frames that the encoder sees at once

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """What all folds share: nothing in it is fitted."""

    handcraft: pl.DataFrame
    images: dict[str, Floats32]  # recording_id -> (n_frames, n_channels)


def prepare(
    crops: pl.DataFrame,
    physio: pl.DataFrame,
    handcraft: pl.DataFrame,
    *,
    config: params.UDLBV,
    seed: int,
) -> Prepared:
    """Send every frame with a face through the frozen encoder.

    crops     : schema.CROPS, of one margin
    physio    : schema.PHYSIO, not needed: its features are among the hand-crafted
    handcraft : recording_id and hand-crafted features
    """
    encoder = _encoder(config.encoder, seed=seed)
    images = {
        name: _encode(encoder, pixels)
        for name, pixels in frames.by_recording(crops, size=config.image_size, mode="RGB")
    }
    return Prepared(handcraft, images)


def lacking(prepared: Prepared, labels: pl.DataFrame) -> dict[str, str]:
    """What the recordings lack that cannot be used: a label, a modality, or a face."""
    found = tabular.lacking(prepared.handcraft, labels, [*HANDCRAFTED], families=HANDCRAFTED)
    faceless = [name for name in labels["recording_id"] if name not in prepared.images]
    return {**dict.fromkeys(faceless, "no clip with a face"), **found}


def fit_predict(
    prepared: Prepared,
    labels: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.UDLBV,
    seed: int,
) -> pl.DataFrame:
    """Fit on the fold's roles train and validation; recording_id, target, score of its test."""
    data = Fold.of(prepared.handcraft, labels, fold, families=HANDCRAFTED)
    absent = lacking(prepared, labels)
    usable = ~np.isin(data.recording_ids, [*absent])
    try:
        by_role(labels.filter(~pl.col("recording_id").is_in([*absent])), fold, absent)
    except NothingToTest:
        nobody = np.zeros_like(usable)
        return data.scores(nobody, dict.fromkeys(TARGETS, np.empty(0)))
    for target in TARGETS:
        data.check(usable, target=target, system="udlbv")
    seed = seeds.derive(seed, data.number)
    sequences = _components(prepared.images, data, usable, n=config.components, seed=seed)
    y = np.column_stack([data.labels[target] for target in TARGETS])[usable]
    role = data.role[usable]
    if config.lstm:
        chooses = data.chooses[usable]
        states = _learnt_states(sequences, y, role == "train", chooses, config=config, seed=seed)
    else:
        states = np.stack([sequence.mean(axis=0) for sequence in sequences])
    elm = ExtremeLearningMachine(config.elm_units, ridge=config.elm_ridge, seed=seed)
    elm.fit(states[role != "test"], y[role != "test"])
    scores = elm.predict(states[role == "test"])
    by_target = {target: scores[:, i] for i, target in enumerate(TARGETS)}
    return data.scores(usable & (data.role == "test"), by_target)


class ExtremeLearningMachine:
    """Random hidden units, never trained, under output weights in closed form (Huang et al. 2006).

    Inputs are standardised by those that it is fitted on; the weights are ridge regression's.
    """

    def __init__(self, units: int, *, ridge: float, seed: int) -> None:
        from sklearn.linear_model import Ridge
        from sklearn.preprocessing import StandardScaler

        self.units = units
        self.scaler = StandardScaler()
        self.output = Ridge(alpha=ridge)
        self.random = np.random.default_rng(seed)

    def fit(self, x: Floats, y: npt.NDArray[np.integer]) -> None:
        """x (n_items, n_features), y (n_items, n_outputs) of 0 and 1."""
        n_features = x.shape[1]
        # Each unit's input then has the variance of one feature, whatever their number.
        self.weights = self.random.normal(size=(n_features, self.units)) / np.sqrt(n_features)
        self.biases = self.random.normal(size=self.units)
        self.scaler.fit(x)
        self.output.fit(self.hidden(x), y)

    def hidden(self, x: Floats) -> Floats:
        """(n_items, n_features) -> (n_items, units)."""
        units: Floats = np.tanh(self.scaler.transform(x) @ self.weights + self.biases)
        return units

    def predict(self, x: Floats) -> Floats:
        """Scores (n_items, n_outputs) in [0, 1]: the regression, cut off at both ends."""
        regression = self.output.predict(self.hidden(x)).reshape(len(x), -1)
        scores: Floats = np.clip(regression, 0, 1)
        return scores


class LastState(nn.Module):
    """An LSTM whose state after the last frame tells both labels: logits (B, 2)."""

    def __init__(self, n_components: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_components, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(TARGETS))

    def forward(self, frames: Tensor, n_frames: Tensor) -> Tensor:
        """frames (B, T, n_components), padded behind; n_frames (B,) before padding."""
        logits: Tensor = self.head(self.state(frames, n_frames))
        return logits

    def state(self, frames: Tensor, n_frames: Tensor) -> Tensor:
        """(B, hidden)."""
        states, _ = self.lstm(frames)  # (B, T, hidden)
        last: Tensor = states[torch.arange(len(states), device=states.device), n_frames - 1]
        return last


class Sequences(Items):
    """An item: frames (T, n_components), n_frames before padding, labels (2,)."""

    def __init__(self, sequences: Sequence[Floats], labels: npt.NDArray[np.integer]) -> None:
        tensors = [torch.tensor(sequence, dtype=torch.float32) for sequence in sequences]
        self.frames = nn.utils.rnn.pad_sequence(tensors, batch_first=True)
        self.n_frames = torch.tensor([len(tensor) for tensor in tensors])
        self.labels = torch.tensor(labels, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, i: int) -> Batch:
        return {"frames": self.frames[i], "n_frames": self.n_frames[i], "labels": self.labels[i]}


def _components(
    images: Mapping[str, Floats32], data: Fold, usable: Bools, *, n: int, seed: int
) -> list[Floats]:
    """Principal components (n_frames, n) of each usable recording's frames.

    A frame is its image features and its recording's hand-crafted ones, all standardised, by the
    usable recordings of role train.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    fit_on = usable & data.scaled_by(data.role == "train")
    filled = np.hstack([*data.fill(fit_on).values()])
    train_images = np.concatenate([images[name] for name in data.recording_ids[fit_on]])
    scaler = StandardScaler().fit(train_images)
    frames = [
        np.hstack([scaler.transform(images[name]), np.tile(filled[i], (len(images[name]), 1))])
        for i, name in enumerate(data.recording_ids)
        if usable[i]
    ]
    train = np.concatenate([x for x, fitted in zip(frames, fit_on[usable], strict=True) if fitted])
    pca = PCA(min(n, *train.shape), random_state=seed).fit(train)
    return [pca.transform(x) for x in frames]


def _learnt_states(
    sequences: Sequence[Floats],
    y: npt.NDArray[np.integer],
    train: Bools,
    chooses: Bools,
    *,
    config: params.UDLBV,
    seed: int,
) -> Floats:
    """The state (n_recordings, hidden) in which an LSTM ends; `chooses` the epoch."""
    data = {
        name: Sequences([x for x, is_in in zip(sequences, rows, strict=True) if is_in], y[rows])
        for name, rows in (("train", train), ("validation", chooses))
    }
    torch.manual_seed(seed)
    model = LastState(sequences[0].shape[1], config.hidden)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    for _ in fit(
        model,
        label_loss,
        data["train"],
        data["validation"],
        optimiser=optimiser,
        epochs=config.epochs,
        batch_size=config.batch_size,
        patience=config.patience,
        seed=seed,
        checkpoint=None,
    ):
        pass  # `fit` logs its epochs
    device = next(model.parameters()).device
    with torch.inference_mode():
        everybody = Sequences(sequences, y)
        states = model.state(everybody.frames.to(device), everybody.n_frames.to(device))
    return states.double().cpu().numpy()


def _encoder(source: str | None, *, seed: int) -> nn.Module:
    """The network of params on the fastest device, or the small random one; frozen."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.manual_seed(seed)
    model: nn.Module = ResNetModel(RANDOM) if source is None else AutoModel.from_pretrained(source)
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def _encode(encoder: nn.Module, pixels: npt.NDArray[np.uint8]) -> Floats32:
    """RGB (n_frames, size, size, 3) -> (n_frames, n_channels), pooled over the picture."""
    device = next(encoder.parameters()).device
    mean, std = (torch.tensor(x, device=device).view(3, 1, 1) for x in (MEAN, STD))
    pooled = []
    with torch.inference_mode():
        for batch in torch.split(torch.from_numpy(pixels), BATCH):
            channels = batch.to(device).permute(0, 3, 1, 2) / 255  # N H W C -> N C H W
            found = getattr(encoder((channels - mean) / std), "pooler_output", None)
            if found is None:
                raise TrainingError(
                    f"models.<scale>.udlbv.encoder is a {type(encoder).__name__}, which has no "
                    f"pooled output; name a network that has, as microsoft/resnet-50"
                )
            pooled.append(found.flatten(1).cpu().numpy())
    return np.concatenate(pooled)
