"""Do systems reach the best possible score of a planted twin, and no more than that?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import polars as pl

from pipeline_lib import protocols
from pipeline_lib.core.schema import PHYSIO, RECORDINGS, TARGETS, validate
from pipeline_lib.learning import splits
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Splits, Trained
from pipeline_lib.physio.face_summary import visual_features
from pipeline_lib.physio.features import physio_features
from pipeline_lib.stored_features.trials import N_PHYSIO
from pipeline_lib.studies.planted import CHANCE, CUT_SECONDS, N_CUTS, SAMPLING_RATE, Twin
from pipeline_lib.studies.planted_people import COLUMNS

Config = TypeVar("Config", bound=Trained)

READER = "cue"  # a perfect reader: what was planted, as it is
# A smaller network than `models.tiny` has, that learns from more people; the rest stays as there.
SIZES: Mapping[str, Any] = {
    "max_seconds": CUT_SECONDS * N_CUTS,
    "segment_seconds": CUT_SECONDS,
    "visual_channels": (8, 16, 32),
    "physio_channels": (8, 16, 32),
    "visual_kernels": (9, 5, 3),
    "physio_kernels": (33, 17, 9),
    "tokens": 20,  # of recordings longer than the demo's
    "dim": 32,
    "batch_size": 16,
    "epochs": 12,
    "patience": 4,
}


@dataclass(frozen=True)
class Sight:
    """Whose cue a system can see, of TARGETS, and of whose events it knows the order."""

    cues: tuple[str, ...]
    orders: tuple[str, ...]


SIGHTS: Mapping[str, Sight] = {
    READER: Sight(TARGETS, TARGETS),
    "mvp": Sight(TARGETS, TARGETS),
    "mvp_10s": Sight(TARGETS, ()),
    "uni_au": Sight(("valence",), ("valence",)),
    "uni_physio": Sight(("arousal",), ("arousal",)),
    # Means and deviations of the face know no order; the slope of the EDA does.
    "svm": Sight(TARGETS, ("arousal",)),
    "svm_video": Sight(("valence",), ()),
    "svm_physio": Sight(("arousal",), ("arousal",)),
}


def sized(config: Config) -> Config:
    """A section of params.models with what it has of SIZES."""
    own = config.model_dump()
    return type(config).model_validate(own | {k: v for k, v in SIZES.items() if k in own})


def audited_folds(
    name: str,
    features: pl.DataFrame,
    systems: Sequence[str],
    *,
    settings: Splits,
    seed: int,
) -> tuple[pl.DataFrame, Rules]:
    """Folds of a twin (schema.FOLDS), and what they follow; raises LeakageError if they leak."""
    index = recordings(features)
    folds = protocols.make_folds(index, splits=settings, flaws=(), seed=seed)
    rules = protocols.rules(index, splits=settings, flaws=())
    nothing: dict[str, list[str]] = {system: [] for system in systems}
    splits.audit_all(
        indices={name: index}, folds={name: folds}, rules={name: rules}, corpora={name: nothing}
    )
    return folds, rules


def recordings(features: pl.DataFrame) -> pl.DataFrame:
    """The index of a twin that has no files; schema.RECORDINGS."""
    known = {
        **{name: pl.col(name) for name in RECORDINGS if name in features.columns},
        "status": pl.lit("ok"),
        "synthetic": pl.lit(True),
    }
    columns = [
        known.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in RECORDINGS.items()
    ]
    return validate(features.select(columns), RECORDINGS, "a twin's index")


def handcrafted(features: pl.DataFrame) -> pl.DataFrame:
    """What the stage handcraft makes of recordings, of a twin's features alone."""
    rows = []
    for row in features.iter_rows(named=True):
        heart, eda = np.reshape(row["physio"], (-1, N_PHYSIO)).T
        kept = {"recording_id": row["recording_id"], "sampling_rate": SAMPLING_RATE,
                "start": 0.0, "quality": 1.0}  # fmt: skip
        signals = [
            {**kept, "channel": "PPG", "unit": "1", "samples": heart.tolist()},
            {**kept, "channel": "EDA", "unit": "uS", "samples": eda.tolist()},
        ]
        visual = np.reshape(row["visual"], (-1, len(COLUMNS)))
        rows.append(
            {"recording_id": row["recording_id"]}
            | visual_features(visual, names=COLUMNS)
            | physio_features(pl.DataFrame(signals, schema=dict(PHYSIO)))
        )
    return pl.DataFrame(rows)


def by_fold(cues: pl.DataFrame, folds: pl.DataFrame) -> dict[int, pl.DataFrame]:
    """The perfect reader's scores of each fold's test recordings."""
    scores = cues.unpivot(index="recording_id", variable_name="target", value_name="score")
    scores = scores.with_columns(pl.col("score").cast(pl.Float64))
    tests = folds.filter(role="test").partition_by("fold")
    return {t["fold"][0]: scores.join(t, on="recording_id", how="semi") for t in tests}


def found(
    name: str, twin: Twin, system: str, summary: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """For each target the score of a system beside its bound.

    name    : of the twin
    summary : of evaluation.summarise
    """
    sight = SIGHTS[system]
    for target in TARGETS:
        score = summary[target]["pooled"]["accuracy"]
        bound = twin.bound(sees_cue=target in sight.cues, knows_order=target in sight.orders)
        yield {
            "twin": name,
            "system": system,
            "target": target,
            "accuracy": score["value"],
            "low": score["low"],
            "high": score["high"],
            "bound": bound,
            "verdict": verdict(bound, low=score["low"], high=score["high"]),
        }


def verdict(bound: float, *, low: float, high: float) -> str:
    """What an interval says of a bound."""
    if high < bound:
        return "below"
    if low > bound:
        return "above"
    return "at chance" if bound == CHANCE else "at its bound"


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of `found` as tables, one for each twin."""
    lines = []
    for twin, of_twin in groupby(rows, key=lambda row: row["twin"]):
        lines += [
            f"`{twin}`:",
            "",
            "| system | target | accuracy | bound | |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{row['system']}` | {row['target']} | {row['accuracy']:.3f} "
            f"[{row['low']:.3f}, {row['high']:.3f}] | {row['bound']:.2f} | {row['verdict']} |"
            for row in of_twin
        ]
        lines.append("")
    return "\n".join(lines)
