"""What a trained MVP attends to in given trials, by the model of the fold that tested each."""

from pathlib import Path

import numpy as np
import polars as pl
from safetensors.torch import load_model

from models.layers import MVP
from pipeline_lib import attention, params
from pipeline_lib.core import paths
from pipeline_lib.core.schema import ATTENTION, validate
from pipeline_lib.stored_features.systems import items_of, visual_scale
from pipeline_lib.stored_features.trials import BOTH, Lengths, Modality, usable

RATE = 4.0  # Hz, of attention over time
TOLERANCE = 0.02  # of a probability, between two machines or precisions


def of_cases(
    chosen: pl.DataFrame,
    features: pl.DataFrame,
    folds: pl.DataFrame,
    index: pl.DataFrame,
    physio: pl.DataFrame,
    *,
    run: Path,
    config: params.MVP,
    fps: float,
    sampling_rate: float,
    window_start: float,
) -> pl.DataFrame:
    """Attention over time in each case; schema.ATTENTION.

    chosen : schema.CASES
    index  : schema.RECORDINGS
    physio : schema.PHYSIO of the cases
    run    : folder of the trained system
    Raises ValueError if a model does not give the score that its run predicted.
    """
    rows: list[dict[str, object]] = []
    video_starts = dict(index.select("recording_id", "video_start").iter_rows())
    physio_starts = dict(physio.select("recording_id", "start").iter_rows())
    lengths = Lengths.of(config.max_seconds, fps=fps, sampling_rate=sampling_rate)
    for case in chosen.to_dicts():
        name, fold = case["recording_id"], folds.filter(pl.col("fold") == case["fold"])
        model = model_of(run, case["fold"], config, lengths)
        explained = of_trial(
            name, features, fold, model, config=config, fps=fps, sampling_rate=sampling_rate
        )
        _check(explained.scores[case["target"]], case, run)
        # Of a modality that a trial lacks nothing is shown, whatever its start.
        onsets: dict[Modality, tuple[float, float]] = {
            "visual": (max(window_start, video_starts[name] or window_start), fps),
            "physio": (physio_starts.get(name, window_start), sampling_rate),
        }
        rows += [
            {key: case[key] for key in ("recording_id", "fold", "target")}
            | {"modality": modality, "start": onsets[modality][0], "rate": RATE}
            | {"weight": averaged(weights, onsets[modality][1])}
            for modality, weights in explained.over_time[case["target"]].items()
        ]
    return validate(pl.DataFrame(rows, schema=dict(ATTENTION)), ATTENTION, "attention")


def model_of(run: Path, fold: int, config: params.MVP, lengths: Lengths) -> MVP:
    """The trained model of a fold."""
    model = MVP(config, lengths)
    load_model(model, str(paths.fold(run, fold).with_suffix(".safetensors")))
    return model


def of_trial(
    recording_id: str,
    features: pl.DataFrame,
    fold: pl.DataFrame,
    model: MVP,
    *,
    config: params.MVP,
    fps: float,
    sampling_rate: float,
) -> attention.Explained:
    """As the system saw the trial in training: on the scale of the fold's training subjects.

    features : schema.FEATURES
    fold     : schema.FOLDS, the rows of one fold
    """
    items = items_of(config, BOTH, fps=fps, sampling_rate=sampling_rate)
    known = usable(features, any_of_them=config.quality == "mask")
    tested = known.filter(recording_id=recording_id)
    trial = items.of(tested, visual_scale(known, fold))[0]
    inputs = {name: x[None] for name, x in trial.items() if name != "labels"}
    return attention.explain(model, inputs)


def averaged(weights: attention.Floats, rate: float) -> list[float]:
    """Means of weights (n,) at `rate` Hz over steps of 1 / RATE."""
    if not weights.size:
        return []
    step = np.floor(np.arange(weights.size) * RATE / rate).astype(int)
    means: list[float] = (np.bincount(step, weights) / np.bincount(step)).tolist()
    return means


def _check(score: float, case: dict[str, object], run: Path) -> None:
    predicted = float(str(case["score"]))
    if abs(score - predicted) > TOLERANCE:
        raise ValueError(
            f"{case['recording_id']}: the model of fold {case['fold']} in {run} gives "
            f"{case['target']} {score:.3f}, but predictions.parquet has {predicted:.3f}; train it "
            "again with the same params"
        )
