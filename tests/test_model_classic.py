"""EHCI and UDLBV on planted crops and signals: what holds for both."""

import io
from importlib import import_module
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from PIL import Image

from pipeline_lib.core.schema import CROPS, FOLDS, PHYSIO, TARGETS
from pipeline_lib.learning import crossval
from pipeline_lib.params import Systems, load_params
from pipeline_lib.report.published import SYSTEMS as SHOWN

SYSTEMS = ("ehci", "udlbv")
N, SIZE = 45, 32
NAMES = [f"r{i:02}" for i in range(N)]
LABELS = pl.DataFrame(
    {
        "recording_id": NAMES,
        "valence_label": pl.Series([i % 3 > 0 for i in range(N)]).cast(pl.Int8),
        "arousal_label": pl.Series([i % 2 for i in range(N)]).cast(pl.Int8),
    }
)
FOLD = pl.DataFrame(
    [(1, name, name, role) for name, role in zip(
        NAMES, np.repeat(["train", "validation", "test"], [24, 9, 12]), strict=True)],
    schema=dict(FOLDS), orient="row",
)  # fmt: skip


def jpeg(valence: int, rng: np.random.Generator) -> bytes:
    """Fine vertical stripes for 1, horizontal ones for 0, in noise."""
    stripes = np.tile(np.repeat([0, 90], 2), SIZE // 4)
    pixels = np.broadcast_to(stripes, (SIZE, SIZE)) if valence else np.repeat(
        stripes[:, None], SIZE, axis=1)  # fmt: skip
    noisy = (60 + pixels + rng.normal(scale=20, size=(SIZE, SIZE))).clip(0, 255)
    file = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


def tables() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Crops that show valence; signals and features of which some show arousal."""
    rng = np.random.default_rng(0)
    frames = [
        {
            **dict.fromkeys(CROPS),
            **{"recording_id": name, "crop": "large", "clip": 0, "position": k, "frame": k + 1},
            **{"time": k / 4, "face": True, "jpeg": jpeg(valence, rng)},
        }
        for name, valence, _ in LABELS.iter_rows()
        for k in range(4)
    ]
    times = np.arange(10 * 32) / 32  # s
    signals = [
        (name, channel, "mV", 32.0, 0.0, 1.0, (1 + arousal) * np.sin(2 * np.pi * hz * times + i))
        for i, (name, _, arousal) in enumerate(LABELS.iter_rows())
        for channel, hz in (("ECG", 1.5), ("EDA", 0.3))
    ]
    arousal = LABELS["arousal_label"].to_numpy()
    handcraft = LABELS.select(
        "recording_id",
        heart_rate=70 + 9 * arousal + rng.normal(size=N),
        EDA_mean=arousal + 0.2 * rng.normal(size=N),
        visual_a=rng.normal(size=N),
    )
    return (
        pl.DataFrame(frames, schema=dict(CROPS)),
        pl.DataFrame(signals, schema=dict(PHYSIO), orient="row"),
        handcraft,
    )


def config(system: str) -> Any:
    return getattr(load_params().models["tiny"], system).model_copy(update={"image_size": SIZE})


def prepared(system: str, *of: pl.DataFrame) -> Any:
    return import_module(f"models.{system}").prepare(*of, config=config(system), seed=0)


def fit(system: str, inputs: Any) -> pl.DataFrame:
    module = import_module(f"models.{system}")
    scores: pl.DataFrame = module.fit_predict(inputs, LABELS, FOLD, config=config(system), seed=0)
    return scores


@pytest.fixture(scope="module", params=SYSTEMS)
def fitted(request: pytest.FixtureRequest) -> tuple[str, pl.DataFrame]:
    return request.param, fit(request.param, prepared(request.param, *tables()))


def test_every_classic_system_is_tried_here_and_has_its_place_in_the_report() -> None:
    (names,) = get_args(Systems.model_fields["classic"].annotation)
    assert set(get_args(names)) == set(SYSTEMS) <= set(SHOWN)


def test_learns_what_pixels_and_what_signals_show(fitted: tuple[str, pl.DataFrame]) -> None:
    _, scores = fitted
    assert sorted(scores["recording_id"].unique()) == NAMES[33:]
    rows = scores.join(LABELS, on="recording_id")
    for target in TARGETS:
        of_target = rows.filter(target=target)
        right = (of_target["score"] > 0.5) == (of_target[f"{target}_label"] == 1)
        assert right.mean() >= 10 / 12, target
    assert scores["score"].is_between(0, 1).all()


def test_test_rows_touch_nothing_that_is_fitted(fitted: tuple[str, pl.DataFrame]) -> None:
    """Another face and another body in the last test recording: the others' scores stay."""
    system, before = fitted
    crops, physio, handcraft = tables()
    last = pl.col("recording_id") == NAMES[-1]
    black = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE)).save(black, "JPEG")
    after = fit(
        system,
        prepared(
            system,
            crops.with_columns(pl.when(last).then(pl.lit(black.getvalue())).otherwise("jpeg")
                               .alias("jpeg")),
            physio.with_columns(pl.when(last).then(pl.col("samples").list.eval(pl.element() * 1e6))
                                .otherwise("samples").alias("samples")),
            handcraft.with_columns(pl.when(last).then(1e6).otherwise("EDA_mean").alias("EDA_mean")),
        ),
    )  # fmt: skip
    assert before.filter(~last).equals(after.filter(~last))
    assert not before.equals(after)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_lacking_is_said_of_whatever_is_not_scored(system: str) -> None:
    """The last two recordings have no face; the very last has nothing at all."""
    crops, physio, handcraft = tables()
    gone = pl.col("recording_id") == NAMES[-1]
    faceless = pl.col("recording_id").is_in(NAMES[-2:])
    nothing = handcraft.with_columns(
        pl.when(~gone).then(name).alias(name) for name in handcraft.columns[1:]
    )
    inputs = prepared(
        system, crops.with_columns(face=pl.col("face") & ~faceless), physio.filter(~gone), nothing
    )
    scores = fit(system, inputs)
    predicted = crossval.predictions({1: scores}, FOLD, LABELS)
    lacking = import_module(f"models.{system}").lacking(inputs, LABELS)
    ledger = crossval.ledger(FOLD.filter(role="test"), predicted, lacking)
    excluded = dict(ledger.filter(status="excluded").select("recording_id", "reason").iter_rows())
    assert (
        excluded
        == {
            "ehci": {NAMES[-1]: "no feature of any view"},
            "udlbv": {
                NAMES[-2]: "no clip with a face",
                NAMES[-1]: "no feature of physio; no feature of video",
            },
        }[system]
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_fold_with_nothing_to_test_has_no_scores_and_stops_nothing(system: str) -> None:
    crops, physio, handcraft = tables()
    tested = pl.col("recording_id").is_in(NAMES[33:])
    nothing = handcraft.with_columns(
        pl.when(tested).then(None).otherwise(name).alias(name)
        for name in ("heart_rate", "EDA_mean", "visual_a")
    )
    inputs = prepared(system, crops.filter(~tested), physio.filter(~tested), nothing)
    scores = fit(system, inputs)
    assert (scores.height, scores.columns) == (0, ["recording_id", "target", "score"])
