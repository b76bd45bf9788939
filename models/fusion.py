"""The systems on tokens, by the `model` that their section of params.yaml names."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl
from torch import nn

from pipeline_lib import params
from pipeline_lib.fusion import training
from pipeline_lib.fusion.tokens import Floats, Tokens
from pipeline_lib.fusion.training import Fused


def build(
    config: params.Fusion, widths: Mapping[str, int], n_tokens: int, n_outputs: int
) -> nn.Module:
    """The network of a system, with random weights; only its own module is imported.

    widths    : input -> values of a token
    n_tokens  : of a recording
    n_outputs : targets
    """
    sizes = (widths, n_tokens, n_outputs)
    match config:
        case params.ViPER():
            from models.viper import ViPER

            return ViPER(config, *sizes)
        case params.LSTM():
            from models.lstm import LSTM

            return LSTM(config, *sizes)
        case params.BBFN():
            from models.bbmf import BBFN

            return BBFN(config, *sizes)
        case params.TBJE():
            from models.tbje import TBJE

            return TBJE(config, *sizes)
        case params.Early():
            from models.early import Early

            return Early(config, *sizes)
        case params.LowRank():
            from models.tensor import LowRank

            return LowRank(config, *sizes)
        case params.MulT():
            from models.mult import MulT

            return MulT(config, *sizes)
    raise ValueError(f"{type(config).__name__} has no network; see models/fusion.py")


def train_fold(
    tokens: Tokens,
    labels: Floats,
    fold: pl.DataFrame,
    *,
    layout: str,
    config: params.Fusion,
    seed: int,
    checkpoint: Path | None,
) -> Fused:
    """Train on one fold, see pipeline_lib.fusion.training.train."""
    return training.train(
        tokens,
        labels,
        fold,
        layout=layout,
        build=partial(build, config, tokens.widths, tokens.n_tokens, labels.shape[1]),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
    )
