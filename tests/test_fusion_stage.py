"""The stage `fuse` as DVC calls it, on the tables of a small challenge."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from safetensors.numpy import load_file

from pipeline_lib import params, protocols
from pipeline_lib.core import paths, tables
from pipeline_lib.core.files import parse_yaml
from pipeline_lib.core.imports import PACKAGES
from pipeline_lib.core.schema import (
    EMBEDDINGS,
    ESTIMATES,
    FEATURES,
    HISTORY,
    LEDGER,
    RATINGS,
    REACTIONS,
    RECORDINGS,
    SELECTIONS,
)
from pipeline_lib.learning import verdicts
from pipeline_lib.params import load_params
from stages import fuse, split

DATASET = "hume_reaction"
N = 20


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsent: None) -> Path:
    """A folder with params, index, ratings, embeddings and folds that were cleared of leaks."""
    content = parse_yaml(Path("params.yaml").read_text())
    content["execution"]["jobs"] = 1
    content["fusion"]["tiny"] = {
        name: section | {"tokens": 4} for name, section in content["fusion"]["tiny"].items()
    }
    content["fusion"]["tiny"]["early"] |= {"epochs": 2, "inputs": ["image_face", "fau"]}
    content["fusion"]["tiny"]["viper_mvp"] |= {"epochs": 2}
    (tmp_path / "params.yaml").write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))
    for name in PACKAGES:  # whose code the checkpoints' name tells
        (tmp_path / name).symlink_to(Path(name).resolve())
    monkeypatch.chdir(tmp_path)
    labels = write_labels()
    write_inputs(labels)
    split.main(DATASET)
    index = tables.read_table(paths.index(DATASET), RECORDINGS)
    verdicts.clear(
        DATASET, {DATASET: protocols.rules(index, splits=load_params().splits, flaws=())}
    )
    return tmp_path


def write_labels() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Index and ratings; the last four are the owners' test."""
    parts = [*["train"] * 12, *["validation"] * 4, *["test"] * 4]
    rows = [
        {**dict.fromkeys(RECORDINGS), "recording_id": f"{i:05d}", "subject": f"{i:05d}",
         "split": part, "status": "ok"}
        for i, part in enumerate(parts)
    ]  # fmt: skip
    tables.write_table(pl.DataFrame(rows, schema=dict(RECORDINGS)), paths.index(DATASET))
    labels = np.random.default_rng(0).uniform(0, 1, (N, len(REACTIONS)))
    rated = [
        (f"{i:05d}", name, float(labels[i, k]))
        for i in range(N - 4)
        for k, name in enumerate(REACTIONS)
    ]
    tables.write_table(
        pl.DataFrame(rated, schema=dict(RATINGS), orient="row"), paths.ratings(DATASET)
    )
    return labels


def write_inputs(labels: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """Embeddings of two encoders and features; of recording 3 there is nothing, of 4 no image."""
    for encoder, lacking in (("image_face", (3, 4)), ("fau", (3,))):
        folder = paths.embeddings(DATASET, encoder)
        for i in set(range(N)) - set(lacking):
            row = [[f"{i:05d}"], [[0.0, 1.0, 2.0, 3.0]], [7], [np.tile(labels[i], 4).tolist()]]
            table = pl.DataFrame(dict(zip(EMBEDDINGS, row, strict=True)), schema=dict(EMBEDDINGS))
            tables.write_table(table, tables.shard(folder, f"{i:05d}"))
        ledger = pl.DataFrame({"recording_id": ["00000"]}, schema_overrides=dict(LEDGER))
        tables.write_table(ledger, paths.ledger(folder))
    rows = [
        {**dict.fromkeys(FEATURES), "recording_id": f"{i:05d}", "subject": f"{i:05d}",
         "n_frames": 9, "visual": np.resize(labels[i], 9 * 42).tolist(), "n_times": 0, "physio": []}
        for i in range(N)
    ]  # fmt: skip
    rows[0] |= {"n_times": 12, "physio": [1.0, 2.0] * 12}
    table = pl.DataFrame(rows, schema=dict(FEATURES))
    tables.write_table(table, tables.shard(paths.features(DATASET), "all"))


def test_the_stage_writes_all_that_is_asked_of_a_run(project: Path) -> None:
    fuse.main(DATASET, "early")
    table = tables.read_table(paths.estimates(DATASET, "early"), ESTIMATES)
    assert dict(table.group_by("role", "selection").len().select("role", "len").rows()) == {
        "test": 4 * 7,
        "withheld": 4 * 7,
    }
    assert tables.read_table(paths.history(DATASET, "early"), HISTORY).height == 2
    assert tables.read_table(paths.selections(DATASET, "early"), SELECTIONS).height == 4
    submitted = pl.read_csv(paths.submission(DATASET, "early"))
    assert submitted.columns == ["File_ID", *REACTIONS]
    assert submitted["File_ID"].to_list() == ["[00016]", "[00017]", "[00018]", "[00019]"]
    run = paths.run(DATASET, "early")
    ledger = tables.read_table(paths.ledger(run), LEDGER).filter(status="excluded")
    assert ledger.select("recording_id", "reason").rows() == [
        ("00003", "no token of image_face, fau")
    ]
    weights = load_file(paths.weights(run, 0, "held_out"))
    assert weights["scale.mean"].shape == (14,)


def test_action_units_and_physiology_are_inputs_too(project: Path) -> None:
    fuse.main(DATASET, "viper_mvp")
    table = tables.read_table(paths.estimates(DATASET, "viper_mvp"), ESTIMATES)
    assert table["score"].is_finite().all()
    weights = load_file(paths.weights(paths.run(DATASET, "viper_mvp"), 0, "reported"))
    assert weights["modalities.missing"].shape == (44,)


def test_nothing_is_trained_on_folds_without_a_verdict(project: Path) -> None:
    folds = pl.read_parquet(paths.folds(DATASET))
    tables.write_table(folds.with_columns(role=pl.lit("train")), paths.folds(DATASET))
    with pytest.raises(verdicts.LeakageError, match=r"is not what .* cleared of leaks"):
        fuse.main(DATASET, "early")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("split_on", ["amigos"], "split_on is ['amigos']; trained_on and fused_on need folds of"),
        ("fused_on", ["hume"], "fused_on names ['hume']"),
        (
            "systems.fuse",
            ["viper", "vipr"],
            "systems.fuse names ['vipr'], which fusion.",
        ),
        ("fusion.tiny.viper.model", "vit", "fusion.tiny.viper: Input tag 'vit'"),
        ("fusion.tiny.viper.inputs", ["fau", "fau"], "an input occurs twice"),
        ("fusion.tiny.mult.inputs", ["fau"], "mult.inputs: List should have at least 2 items"),
        ("fusion.paper.mult.heads", 7, "dim = 40 is not a multiple of heads = 7"),
    ],
)
def test_wrong_params_of_fusion_are_named(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    content = parse_yaml(Path("params.yaml").read_text())
    *above, last = key.split(".")
    section = content
    for name in above:
        section = section[name]
    section[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))
    with pytest.raises(params.ParamsError) as error:
        load_params(path)
    assert said in str(error.value)
