"""In what our run of a system on a data set differs from the paper's, by params and by data.

What the paper states stands here as numbers; whatever a run has otherwise is a deviation. What it
leaves open cannot be held against it, and is named as one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pipeline_lib import params
from pipeline_lib.learning import splits
from pipeline_lib.report.published import (
    BOTH,
    PHYSIO,
    STRATEGIES,
    SYSTEMS,
    TABLE_2,
    TARGET_TOO,
    VIDEO,
)
from pipeline_lib.report.results import Summary
from pipeline_lib.report.videos import Videos

STACK = {"tokens": 100, "dim": 512, "heads": 8, "depth": 8, "batch_size": 8}  # MVP 3.3
CUTS = {"segment_seconds": 10.0}  # MVP 2.2, 5.1
STATED: Mapping[str, Mapping[str, object]] = {  # section of models -> key -> value
    "mvp": STACK | {"quality": "ignore"},
    "mvp_10s": STACK | CUTS | {"quality": "ignore"},
    "uni_au": STACK,
    "uni_physio": STACK,
    "uni_transformer": CUTS,
    "multi_transformer": CUTS,
    "videomae": {  # MVP 3.1, 4.2, 5.1
        "dim": 768,
        "depth": 12,
        "crop": "large",
        "pretrain.mask_ratio": 0.9,
        "finetune.epochs": 10,
        "finetune_taught.epochs": 3,
    },
}
CLIPS: Mapping[str, object] = {"clip_seconds": 4.0, "clip_frames": 16}  # MVP 4.2
SIGNALS: Mapping[str, object] = {  # MVP 4.2
    "sampling_rate": 128.0,
    "mains_frequency": 50.0,
    "ECG.low": 0.5,
    "ECG.high": None,
    "ECG.order": 5,
    "PPG.low": 0.5,
    "PPG.high": 8.0,
    "PPG.order": 3,
    "EDA.low": None,
    "EDA.high": 3.0,
    "EDA.order": 4,
}
THRESHOLDS = {"amigos": 4.5, "deap": 5.0}  # MVP 4.3
FPS = 18.0  # Hz (MVP 3.4)
FOLDS = 5  # MVP 4.3
HAND_CRAFTED = ("svm", "mlp")  # and what begins so, with a suffix


@dataclass(frozen=True)
class Deviation:
    title: str
    detail: str


@dataclass(frozen=True)
class Setup:
    """What a report knows of how its results were made."""

    models: params.Models  # of the scale that ran
    datasets: Mapping[str, params.Dataset]
    openface: params.OpenFace
    crop: params.Crop
    physio: params.Physio
    store: params.Store
    corpora: Mapping[str, Sequence[str]]
    supervise: Mapping[str, str]
    finetune: Mapping[str, params.Start]
    videos: Mapping[str, Videos]  # data set -> its videos


def of(setup: Setup, dataset: str, system: str, result: Summary) -> list[Deviation]:
    """Deviations of one result, the gravest first.

    result : content of results/D-S.json
    """
    modalities = set(SYSTEMS[system].modalities)
    found = [*_of_data(setup, dataset, result), *_of_protocol(setup, dataset, result)]
    if modalities & {VIDEO, BOTH}:
        found += _of_video(setup, system)
    if modalities & {PHYSIO, BOTH}:
        found += _differing("signals", setup.physio, SIGNALS)
        if setup.physio.mains == "none":
            found.append(Deviation("signals", "the mains hum is not filtered out"))
    section = "videomae" if system.startswith("videomae") else system
    if section in STATED:
        found += _differing("sizes and schedules", getattr(setup.models, section), STATED[section])
    if section == "videomae":
        found += _of_pretraining(setup, dataset, system)
    return [*dict.fromkeys([*found, _open(section)])]


def _of_data(setup: Setup, dataset: str, result: Summary) -> Iterator[Deviation]:
    if result["synthetic"]:
        yield Deviation(
            "synthetic twin",
            "recordings that it was trained on are made up: no score is one of the real data set",
        )
    if dataset in TABLE_2 and result["n_recordings"] != (n := TABLE_2[dataset].n_clips):
        yield Deviation("other recordings", f"not the {n} of {TABLE_2[dataset].title}")


def _of_protocol(setup: Setup, dataset: str, result: Summary) -> Iterator[Deviation]:
    if result["flaws"]:
        yield Deviation("flawed on request", ", ".join(result["flaws"]))
    if result["protocol"] != "grouped" or result["n_folds"] != FOLDS:
        yield Deviation(
            "other protocol",
            f"{result['protocol']}, {result['n_folds']} folds, not {FOLDS} by subject",
        )
    stated, threshold = THRESHOLDS.get(dataset), setup.datasets[dataset].threshold
    if stated not in (None, threshold):
        yield Deviation("other labels", f"threshold {threshold:g}, not {stated:g}")


def _of_video(setup: Setup, system: str) -> Iterator[Deviation]:
    sees_pixels = system.startswith("videomae")
    if "pipeline_lib.face." in setup.openface.command:
        what = "the landmarks of the crops" if sees_pixels else "action units and gaze"
        yield Deviation("embedded extractor", f"{what} are not OpenFace's")
    if sees_pixels:
        yield from _differing("clips", setup.crop, CLIPS)
    elif setup.store.fps != FPS:
        yield Deviation("video rate", f"{setup.store.fps:g} frames a second, not {FPS:g}")


def _of_pretraining(setup: Setup, dataset: str, system: str) -> Iterator[Deviation]:
    row = setup.finetune[f"{dataset}-{system}"]
    if setup.models.videomae.pretrained is None:
        yield Deviation("hub weights not used", "pre-training starts from random weights")
    corpus = splits.before(row.start, setup.corpora, setup.supervise)
    for name in corpus:
        videos, stated = setup.videos[name], TABLE_2.get(name)
        if stated is not None and (videos.n_synthetic or videos.n_clips != stated.n_clips):
            kind = "synthetic clips" if videos.n_synthetic else "clips"
            yield Deviation(
                "other corpus",
                f"{stated.title} is {videos.n_clips} {kind}, not {stated.n_clips}",
            )
    if TARGET_TOO in STRATEGIES.get(system, ()) and dataset not in corpus:
        yield Deviation(
            "supervised on the other target",
            f"on {', '.join(corpus)}, as 3.1 says; Table 3 names the target itself",
        )
    if dataset in corpus:
        yield Deviation(
            "fold-aware pre-training",
            "it leaves out each fold's test subjects; the paper does not say so of its own",
        )


def _open(section: str) -> Deviation:
    """What the paper does not state, and we had to choose."""
    if section == "videomae":
        what = "learning rates, supervised epochs, margins of the crops"
    elif section.startswith(HAND_CRAFTED):
        what = "which hand-crafted features; ours are StressID's families, its errors corrected"
    else:
        what = "kernels and depth of the 1D-CNNs, positions, optimiser, epochs, choice of the epoch"
    return Deviation("open in the paper", what)


def _differing(title: str, section: Any, stated: Mapping[str, object]) -> Iterator[Deviation]:
    """One deviation that lists the keys whose values are not the stated ones."""
    found = [
        f"{key} {value} ({expected})"
        for key, expected in stated.items()
        if (value := attrgetter(key)(section)) != expected
    ]
    if found:
        yield Deviation(title, f"{', '.join(found)}; in brackets the paper's")
