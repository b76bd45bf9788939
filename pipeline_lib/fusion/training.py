"""How a system is trained on tokens: who takes part, what is fitted on whom, which epoch counts.

One run gives two models. The honest one has the epoch that was best on the part of train that is
held out; the paper's has that which was best on the very recordings that it reports (ViPER 4). Both
are scored by the mean correlation over targets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import nn

from metrics.regression import mean_pearson
from pipeline_lib import params
from pipeline_lib.core.schema import ESTIMATES, SELECTIONS, validate
from pipeline_lib.fusion import targets
from pipeline_lib.fusion.tokens import Floats, Ints, Recordings, Scale, Tokens
from pipeline_lib.learning.splits import SCALE, WITHHELD, flaws_of
from pipeline_lib.learning.training import (
    Epoch,
    Weights,
    bests,
    by_role,
    constant,
    fit_by,
    halving,
    outputs,
    squared_loss,
)

HELD_OUT, REPORTED = "held_out", "reported"  # what chooses the epoch


@dataclass(frozen=True)
class Fused:
    """A system trained on one fold."""

    estimates: pl.DataFrame  # schema.ESTIMATES, sorted
    history: list[Epoch]
    weights: dict[str, Weights]  # selection -> of the model, and of the scale of its inputs


def lacking(tokens: Tokens, labels: Floats, names: Sequence[str]) -> dict[str, str]:
    """What the recordings lack without which they cannot be used, by recording_id.

    labels : (n_recordings, n_targets), NaN where there is none
    names  : of the targets
    """
    nothing = dict.fromkeys(
        np.array(tokens.recording_ids)[~tokens.known()].tolist(),
        f"no token of {', '.join(tokens.widths)}",
    )
    partly = {}
    for name, rated in zip(tokens.recording_ids, ~np.isnan(labels), strict=True):
        if rated.any() and not rated.all():
            absent = [of for of, known in zip(names, rated, strict=True) if not known]
            partly[name] = f"no rating of {', '.join(absent)}"
    return partly | nothing


def train(
    tokens: Tokens,
    labels: Floats,
    fold: pl.DataFrame,
    *,
    layout: str,
    build: Callable[[], nn.Module],
    config: params.Fusion,
    seed: int,
    checkpoint: Path | None,
) -> Fused:
    """Train on the fold's role `train`, choose epochs, estimate `test` and `withheld`.

    labels     : ratings (n_recordings, n_targets) as given, NaN: none
    fold       : schema.FOLDS, the rows of one fold
    layout     : of the data set; what is rated there, and on which scale
    build      : called after torch is seeded
    checkpoint : see training.fit

    Raises TrainingError if a role has no usable recording.
    """
    names = targets.names(layout)
    rows = _rows(tokens, fold, lacking(tokens, labels, names))
    # Flaw, on request: the scale knows all recordings, the tested ones too.
    fitted_on = np.concatenate(list(rows.values())) if SCALE in flaws_of(fold) else rows["train"]
    scale = Scale.of(tokens.values, fitted_on, standardise=config.standardise)
    values = targets.scaled(labels, labels[rows["train"]], layout=layout)
    data = {role: Recordings(tokens, of, scale, values[of]) for role, of in rows.items()}
    torch.manual_seed(seed)
    model = build()
    history, weights = fit_by(
        model,
        squared_loss,
        data["train"],
        data["validation"],
        criteria={
            HELD_OUT: partial(_pearson, data=data["validation"], batch_size=config.batch_size),
            REPORTED: partial(_pearson, data=data["test"], batch_size=config.batch_size),
        },
        optimiser=torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        ),
        schedule=halving(every=config.halve_every) if config.halve_every else constant,
        epochs=config.epochs,
        batch_size=config.batch_size,
        patience=config.patience,
        seed=seed,
        checkpoint=checkpoint,
    )
    scores = _scores(model, weights, data, names, batch_size=config.batch_size)
    mean_and_std = {"scale.mean": torch.from_numpy(scale.mean),
                    "scale.std": torch.from_numpy(scale.std),
                    "scale.fill": torch.from_numpy(scale.fill)}  # fmt: skip
    kept = {name: {**of, **mean_and_std} for name, of in weights.items()}
    return Fused(_estimates(scores, fold), history, kept)


def selections(epochs: Mapping[int, Sequence[Epoch]]) -> pl.DataFrame:
    """What each epoch scored and whether it was chosen; schema.SELECTIONS."""
    rows = [
        {"fold": fold, "epoch": epoch.number, "selection": name, "pearson": score,
         "best": epoch.number in bests(history, name)}
        for fold, history in epochs.items()
        for epoch in history
        for name, score in epoch.scores.items()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=dict(SELECTIONS))


def _rows(tokens: Tokens, fold: pl.DataFrame, missing: Mapping[str, str]) -> dict[str, Ints]:
    """Role -> rows of the tokens that have it and can be used."""
    table = pl.DataFrame({"recording_id": tokens.recording_ids}).with_row_index("row")
    usable = table.filter(~pl.col("recording_id").is_in(list(missing)))
    roles = by_role(usable, fold, missing)
    asked = usable.join(fold.filter(role=WITHHELD), on="recording_id", how="semi")
    roles |= {WITHHELD: asked} if asked.height else {}
    return {role: of["row"].cast(pl.Int64).to_numpy() for role, of in roles.items()}


def _pearson(model: nn.Module, *, data: Recordings, batch_size: int) -> float:
    return mean_pearson(data.labels, outputs(model, data, batch_size=batch_size).numpy())


def _scores(
    model: nn.Module,
    weights: Mapping[str, Weights],
    data: Mapping[str, Recordings],
    names: Sequence[str],
    *,
    batch_size: int,
) -> pl.DataFrame:
    """Of each selection and of the roles that are estimated, a row a recording and target."""
    parts = []
    for selection, state in weights.items():
        model.load_state_dict(state)
        for role in ("test", WITHHELD):
            if role in data:
                of = data[role]
                said = outputs(model, of, batch_size=batch_size).numpy()
                parts.append(_long(of, said, names).with_columns(
                    pl.lit(role).alias("role"), pl.lit(selection).alias("selection")
                ))  # fmt: skip
    model.load_state_dict(weights[HELD_OUT])
    return pl.concat(parts)


def _long(data: Recordings, scores: Floats, names: Sequence[str]) -> pl.DataFrame:
    """recording_id, target, value, score of scores (n_recordings, n_targets)."""
    n_targets = len(names)
    return pl.DataFrame(
        {
            "recording_id": np.repeat(data.recording_ids, n_targets),
            "target": list(names) * len(data),
            "value": data.labels.ravel(),
            "score": scores.ravel(),
        }
    ).with_columns(pl.col("value").fill_nan(None))


def _estimates(scores: pl.DataFrame, fold: pl.DataFrame) -> pl.DataFrame:
    people = fold.select("recording_id", "subject", "fold").unique()
    table = scores.join(people, on="recording_id", how="left", validate="m:1")
    order = pl.col("target").cast(pl.Enum(scores["target"].unique(maintain_order=True)))
    table = table.sort("selection", "role", order, "recording_id").select(list(ESTIMATES))
    return validate(table, ESTIMATES, "estimates")
