"""Every system that reads stored features: it builds, learns what it sees, and nothing leaks."""

from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from models.layers import MVP
from models.multi_transformer import MultiTransformer
from models.mvp_tri import MVPTri
from models.uni_au import UniAU
from models.uni_physio import UniPhysio
from models.uni_transformer import UniTransformer
from pipeline_lib.learning.training import Batch, FoldResult, label_loss
from pipeline_lib.params import Models, load_params
from pipeline_lib.stored_features import systems as on_features
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import N_VISUAL, Lengths
from pipeline_lib.studies.planted import FPS, SAMPLING_RATE, planted, without

# Of each system its network, and the targets that the planted model lets it know.
CASES = {
    "mvp": (MVP, {"valence", "arousal"}),
    "mvp_10s": (MVP, {"valence", "arousal"}),
    "mvp_ssl": (MVP, {"valence", "arousal"}),
    "mvp_tri": (MVPTri, {"valence", "arousal"}),
    "multi_transformer": (MultiTransformer, {"valence", "arousal"}),
    "uni_au": (UniAU, {"valence"}),
    "uni_physio": (UniPhysio, {"arousal"}),
    "uni_transformer": (UniTransformer, {"arousal"}),
}
SMALL = {
    "max_seconds": 10.0,
    "segment_seconds": 3.0,
    "visual_channels": (8, 16),
    "visual_kernels": (5, 3),
    "visual_pool": 2,
    "physio_channels": (8, 16),
    "physio_kernels": (9, 5),
    "physio_pool": 4,
    "tokens": 6,
    "dim": 16,
    "heads": 2,
    "depth": 1,
    "epochs": 12,
    "patience": 12,
    "learning_rate": 5e-3,
    "batch_size": 8,
}

NETWORKS = {network: name for name, (network, _) in CASES.items()}.values()
MASKED = [
    name
    for name, section in Models.model_fields.items()
    if "quality" in section.annotation.model_fields
]

systems = pytest.mark.parametrize("system", CASES)


def small(system: str, **changes: Any) -> Any:
    """The section of params, made small."""
    section = getattr(load_params().models["tiny"], system)
    sizes = {
        key: value for key, value in {**SMALL, **changes}.items() if key in section.model_dump()
    }
    return type(section).model_validate(section.model_dump() | sizes)


def lengths_of(config: Any, *, fps: float = FPS, sampling_rate: float = SAMPLING_RATE) -> Lengths:
    seconds = getattr(config, "max_seconds", None) or config.segment_seconds
    return Lengths.of(seconds, fps=fps, sampling_rate=sampling_rate)


def build(system: str, config: Any, lengths: Lengths) -> torch.nn.Module:
    torch.manual_seed(0)
    return CASES[system][0](config, lengths)


def batch(system: str, n: int, lengths: Lengths) -> Batch:
    """Recordings of different lengths; only what the system reads."""
    generator = torch.Generator().manual_seed(1)
    inputs, all_counts = {}, {}
    for name, count, n_steps, n_chans, target in (
        ("visual", "n_frames", lengths.frames, N_VISUAL, "valence"),
        ("physio", "n_times", lengths.times, 2, "arousal"),
    ):
        if target in CASES[system][1]:
            counts = torch.linspace(n_steps, n_steps // 2, n).long()
            x = torch.randn(n, n_steps, n_chans, generator=generator)
            past = torch.arange(n_steps) >= counts[:, None]
            inputs[name] = x.masked_fill(past[:, :, None], 0.0)
            all_counts[count] = counts
    return inputs | all_counts


def run(system: str, features: pl.DataFrame, fold: pl.DataFrame, *,
        checkpoint: Path | None = None, **changes: Any) -> FoldResult:  # fmt: skip
    return on_features.train_fold(
        features, fold, system=system_of(system), config=small(system, **changes), fps=FPS,
        sampling_rate=SAMPLING_RATE, seed=0, checkpoint=checkpoint,
    )  # fmt: skip


def system_of(name: str) -> System:
    declared: System = import_module(f"models.{name}").SYSTEM
    return declared


def lost(features: pl.DataFrame, name: str, **changes: Any) -> set[str]:
    config = small(name, **changes)
    return set(on_features.lacking(features, system=system_of(name), config=config))


def test_every_system_has_a_case() -> None:
    params = load_params()
    assert set(CASES) == set(params.systems.train)


@systems
def test_one_logit_a_target_in_any_order_of_the_batch(system: str) -> None:
    config = small(system)
    lengths = lengths_of(config)
    model, inputs = build(system, config, lengths).eval(), batch(system, 3, lengths)
    logits = model(**inputs)
    assert logits.shape == (3, 2)
    shuffled = model(**{name: x[[2, 0, 1]] for name, x in inputs.items()})
    torch.testing.assert_close(shuffled, logits[[2, 0, 1]])


@systems
def test_every_weight_learns(system: str) -> None:
    config = small(system)
    lengths = lengths_of(config)
    model, inputs = build(system, config, lengths).train(), batch(system, 3, lengths)
    torch.autograd.backward(label_loss(model, {**inputs, "labels": torch.ones(3, 2)}))
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@systems
def test_learns_what_it_sees_and_nothing_else(system: str) -> None:
    features, fold = planted()
    scores = run(system, features, fold).scores.join(features, on="recording_id")
    assert scores.height == 2 * fold.filter(role="test").height
    for target in ("valence", "arousal"):
        rows = scores.filter(target=target)
        hits = (rows["score"] > 0.5).cast(pl.Int8) == rows[f"{target}_label"]
        if target in CASES[system][1]:
            assert hits.mean() >= 0.9, target
        else:
            assert hits.mean() <= 0.75, target


@systems
def test_test_recordings_touch_nothing_that_is_fitted(system: str) -> None:
    features, fold = planted(n_subjects=8, trials=2)
    test = pl.col("recording_id").is_in(fold.filter(role="test")["recording_id"].to_list())
    other = features.with_columns(
        pl.when(test).then(pl.col("visual").list.eval(9 * pl.element() - 5)).otherwise("visual"),
        pl.when(test).then(pl.col("physio").list.eval(pl.element() ** 3)).otherwise("physio"),
        pl.when(test).then(1 - pl.col("valence_label")).otherwise("valence_label"),
    )
    a, b = run(system, features, fold, epochs=2), run(system, other, fold, epochs=2)
    assert a.history == b.history
    assert not a.scores.equals(b.scores)
    for name, value in a.model.state_dict().items():
        assert torch.equal(value, b.model.state_dict()[name]), name


@systems
def test_resumes_from_a_checkpoint_to_the_same_weights(system: str, tmp_path: Path) -> None:
    features, fold = planted(n_subjects=8, trials=2)
    whole = run(system, features, fold, epochs=3)
    for epochs in (2, 3):
        resumed = run(system, features, fold, checkpoint=tmp_path / "fold.pt", epochs=epochs)
    assert resumed.history == whole.history
    assert resumed.scores.equals(whole.scores)


@systems
def test_a_recording_without_the_other_modality_takes_part(system: str) -> None:
    features, fold = planted(n_subjects=8, trials=2)
    unseen = {"valence": "visual", "arousal": "physio"}
    test = fold.filter(role="test")["recording_id"].to_list()
    for target, modality in unseen.items():
        table = without(features, pl.col("recording_id").is_in(test[:2]), modality)
        unusable = set(test[:2]) if target in CASES[system][1] else set()
        assert lost(table, system) == unusable
        predicted = set(run(system, table, fold, epochs=1).scores["recording_id"])
        assert predicted == set(test) - unusable


@pytest.mark.parametrize("system", MASKED)
def test_masked_quality_lets_recordings_of_one_modality_take_part(system: str) -> None:
    features, fold = planted(n_subjects=8, trials=2)
    test = fold.filter(role="test")["recording_id"].to_list()
    table = without(features, pl.col("recording_id") == test[0], "visual")
    table = without(table, pl.col("recording_id") == test[1], "physio")
    assert len(lost(table, system)) == 2
    assert not lost(table, system, quality="mask")
    scores = run(system, table, fold, epochs=1, quality="mask").scores
    assert set(scores["recording_id"]) == set(test)
    assert scores["score"].is_finite().all()


@pytest.mark.parametrize(
    ("system", "quality"), [(s, "ignore") for s in NETWORKS] + [("mvp", "mask")]
)
def test_a_graph_for_the_registry_can_be_exported(system: str, quality: str) -> None:
    """MLflow gives the example's values in their order, without their names."""
    features, fold = planted(n_subjects=7, trials=1)
    changes = {"quality": "mask"} if quality == "mask" else {}
    result = run(system, features, fold, epochs=1, **changes)
    example = tuple(result.example.values())
    program = torch.export.export(result.model.eval(), example)
    torch.testing.assert_close(program.module()(*example), result.model(**result.example))


@systems
def test_builds_at_the_size_of_the_paper(system: str) -> None:
    """As meta tensors, which have shapes alone."""
    config = getattr(load_params().models["paper"], system)
    lengths = lengths_of(config, fps=18.0, sampling_rate=128.0)
    with torch.device("meta"):
        model = build(system, config, lengths)
    assert sum(p.numel() for p in model.parameters()) > 1e6
    whole = hasattr(config, "max_seconds")  # 2,800 frames and 19,900 samples fit (MVP 3.4)
    assert (lengths.frames, lengths.times) == ((2800, 19911) if whole else (180, 1280))
