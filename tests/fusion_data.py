"""Recordings for tests of fusion: embeddings of three encoders, of which each shows something."""

from typing import Any

import numpy as np
import polars as pl

from pipeline_lib.core.schema import FOLDS
from pipeline_lib.fusion.tokens import Floats, Tokens
from pipeline_lib.params import load_params

WIDTHS = {"image": 5, "audio": 3, "fau": 3}
N_TOKENS = 4
N_TARGETS = 7
SMALL = {
    "latents": 4,
    "dim": 16,
    "depth": 1,
    "heads": 2,
    "cross_heads": 2,
    "dropout": 0.0,
    "head_dropout": 0.0,
    "rank": 2,
    "tokens": N_TOKENS,
    "batch_size": 8,
    "epochs": 4,
    "patience": 4,
    "learning_rate": 3e-3,
    "halve_every": None,
}
SYSTEMS = ("viper", "fau_lstm", "early", "tensor", "mult", "bbmf", "tbje")  # one a model


def small(system: str, **changes: Any) -> Any:
    """A system's section of params, made small."""
    section = load_params().fusion["tiny"][system]
    known = section.model_dump()
    sizes = {k: v for k, v in {**SMALL, "inputs": list(WIDTHS), **changes}.items() if k in known}
    return type(section).model_validate(known | sizes)


def recordings(n: int = 40, *, seed: int = 0) -> tuple[Tokens, Floats]:
    """Tokens, and labels 0-1: the first five targets show in image, the others in audio and fau."""
    draw = np.random.default_rng(seed)
    seen, heard = draw.uniform(0, 1, (2, n, 1))
    labels = np.repeat([seen, heard], [5, 2], axis=0).squeeze(2).T  # (n, 7)
    shown = np.concatenate([labels, np.repeat(heard, 4, axis=1)], axis=1)  # (n, 11)
    noise = 0.1 * draw.normal(size=(n, N_TOKENS, 11))
    values = (shown[:, None] + noise).astype(np.float32)
    names = [f"{i:05d}" for i in range(n)]
    return Tokens(names, WIDTHS, values), labels


def fold_of(tokens: Tokens, *, train: int = 24, validation: int = 6, test: int = 6) -> pl.DataFrame:
    """The rest is withheld."""
    names = tokens.recording_ids
    given = [*["train"] * train, *["validation"] * validation, *["test"] * test]
    roles = given + ["withheld"] * (len(names) - len(given))
    rows = {"fold": 0, "recording_id": names, "subject": names, "role": roles}
    return pl.DataFrame(rows, schema=dict(FOLDS))


def withheld(labels: Floats, fold: pl.DataFrame) -> Floats:
    """The labels without those that only the owners know."""
    known = (fold.unique("recording_id").sort("recording_id")["role"] != "withheld").to_numpy()
    return np.where(known[:, None], labels, np.nan)
