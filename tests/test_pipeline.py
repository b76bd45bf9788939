"""The whole chain as a user runs it, on very small twins: `dvc repro` and what follows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline_lib.core.files import sha256
from pipeline_lib.params import load_params
from tests.bids_runs import STEM, write_physio

SMALL = {
    "twins.amigos": {"subjects": 6, "trials": 2, "seconds": 5.0, "width": 320, "height": 180},
    "twins.deap": {"subjects": 6, "trials": 2, "seconds": 5.0, "width": 240, "height": 192},
    "twins.kinetics": {"subjects": 5, "trials": 2, "seconds": 4.0},
    "twins.hume_reaction": {"subjects": 8, "trials": 2},
    "openface": {"fps": 5.0},
    "execution": {"jobs": 1},  # a second process would take longer to start than to help
    "systems": {
        "classic": ["ehci"],
        "train": ["mvp"],
        "finetune": ["videomae"],
        "fuse": ["fau_lstm", "viper"],
    },
    "pretrain": ["k400"],
    "models.tiny.mvp": {"epochs": 2, "depth": 1, "max_seconds": 10.0},
    "models.tiny.videomae.pretrain": {"epochs": 1},
    "models.tiny.videomae.supervise": {"epochs": 1},
    "models.tiny.videomae.finetune_taught": {"epochs": 1},
    "fusion.tiny.fau_lstm": {"epochs": 2},
    "fusion.tiny.viper": {"epochs": 2, "depth": 1},
    "splits": {"folds": 2},
    "evaluation": {"bootstrap": 50, "permutations": 50},
    "max_failed": 0.5,
}
SIGNALS = ("ECG", "EDA", "respiration", "stimuli")
FIVE_PICTURES = slice(390_000, 453_750)  # ms of these


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, asset: Callable[[str], Path], clips: dict[str, Path]
) -> Path:
    """A copy of the project without git, its twins small, after its first `dvc repro`."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("stages", "pipeline_lib", "models", "metrics"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    params = yaml.safe_load(Path("params.yaml").read_text())
    for name, entry in params["assets"].items():
        target = folder / "assets" / name / asset(name).name
        target.parent.mkdir(parents=True)
        if name in SIGNALS:
            np.save(target, np.load(asset(name))[FIVE_PICTURES])
        else:
            shutil.copy(clips.get(name, asset(name)), target)
        entry["sha256"] = sha256(target)
    for name in ("dvc.yaml", "mvp/dvc.yaml", "viper/dvc.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(dag(name))
    shutil.copy(".dvcignore", folder)
    (folder / "results").mkdir()
    shutil.copy("results/inflation.json", folder / "results")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    for key, value in SMALL.items():
        set_param(params, key, value)
    params["supervise"] = {"kad": "k400"}
    rows = params["finetune"].items()
    params["finetune"] = {name: row for name, row in rows if row["system"] == "videomae"}
    params["datasets"]["mine"] = params["datasets"]["sample"] | {"root": "data/raw/mine"}
    heart = np.load(asset("ECG"))[:30_000].tolist()  # 30 s
    write_physio(folder / "data/raw/mine", "ECG", heart, SamplingFrequency=1000)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    repro(folder)
    return folder


def dag(name: str) -> str:
    """A file dvc.yaml without the results of systems that do not run here."""
    runs = SMALL["systems"]
    left = {s for kind in runs for s in getattr(load_params().systems, kind)}
    others = sorted(left - {system for systems in runs.values() for system in systems})
    result = re.compile(rf"(runs|results|data/audit)/.*-({'|'.join(others)})(\.json.*)?$")
    lines = Path(name).read_text().splitlines()
    left_out = "image_base_whole, image_base, image_face_whole, "  # encoders of what does not run
    kept = "\n".join(line for line in lines if not result.search(line))
    return kept.replace(left_out, "")


def set_param(params: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for name in above:
        params = params[name]
    params[last] = params[last] | value if isinstance(value, dict) else value


def environment() -> dict[str, str]:
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": here, "DVC_EXP_NAME": "test"}


def repro(folder: Path, *targets: str) -> list[str]:
    """Run the pipeline, or what leads to the targets; the stages that ran."""
    command = [sys.executable, "-m", "dvc", "repro", *targets]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    lines = done.stdout.splitlines()
    ran = [line.split("'")[1] for line in lines if line.startswith("Running stage")]
    return [stage.rpartition(":")[2] for stage in ran]


def stage(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment(), start_new_session=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def written(cache: Path) -> dict[str, int]:
    """When each result was written; without failures, which are tried again."""
    status = {path: pl.read_parquet_metadata(path)["result"] for path in cache.glob("*.parquet")}
    return {path.name: path.stat().st_mtime_ns for path in status if "failed" not in status[path]}


def test_every_result_is_there_and_says_that_it_is_synthetic(project: Path) -> None:
    results = sorted(path.name for path in (project / "results").glob("*-*.json"))
    run = load_params().systems.model_dump() | SMALL["systems"]
    fused = [f"hume_reaction-{name}" for name in ("correlations", *run.pop("fuse"))]
    systems = [name for names in run.values() for name in names]
    of_set = ("comparisons", *systems)
    expected = [f"{d}-{s}" for d in ("amigos", "deap") for s in of_set] + fused
    assert results == sorted(f"{name}.json" for name in expected)
    page = (project / "results/report.html").read_text()
    assert "AMIGOS and DEAP are synthetic twins" in page
    assert "HUME REACTION is a synthetic twin" in page
    assert str(project) not in page


def test_missing_modalities_pass_as_missing(project: Path) -> None:
    features = pl.read_parquet(project / "data/sample/features")
    shapes = features.select(pl.col("n_frames") > 0, pl.col("n_times") > 0).unique().rows()
    assert sorted(shapes) == [(False, False), (False, True), (True, False)]


def test_a_data_set_that_params_alone_name_reaches_the_report(project: Path) -> None:
    """No edit of dvc.yaml, no video, no EDA, no ratings: features of what is there."""
    (row,) = pl.read_parquet(project / "data/mine/handcraft.parquet").to_dicts()
    assert row["recording_id"] == STEM
    account = pl.read_parquet(project / "data/accounts/mine/ledgers.parquet")
    assert set(account["stage"]) == {"ingest", "openface", "crop", "filter"}
    page = (project / "results/report.html").read_text()
    assert page.count(">mine<") > 1
    assert "no EDA; no ratings; no video" in page


def test_a_second_run_runs_nothing(project: Path) -> None:
    assert repro(project) == []


def test_another_filter_reruns_what_follows_from_physiology_alone(project: Path) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    set_param(params, "physio.EDA.high", 2.0)
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    ran = repro(project, "mvp/dvc.yaml:evaluate@deap")
    physiology = ["filter", "store", "handcraft", "baseline", "evaluate"]
    systems = ["classic@deap-ehci", "train@deap-mvp"]
    assert sorted(ran) == sorted([*systems, *(f"{name}@deap" for name in physiology)])


@pytest.mark.parametrize(("name", "folder"), [("openface", "openface"), ("crop", "crops")])
def test_a_killed_stage_goes_on_and_ends_with_the_same_bytes(
    project: Path, name: str, folder: str
) -> None:
    out, cache = project / "data/amigos" / folder, project / ".cache" / name
    undisturbed = contents(out)
    shutil.rmtree(cache)
    shutil.rmtree(out)
    process = stage(project, f"stages.{name}", "amigos")
    while len(list(cache.glob("*.parquet"))) < 3:
        time.sleep(0.02)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = written(cache)
    assert not out.exists()
    assert stage(project, f"stages.{name}", "amigos").wait() == 0
    after = written(cache)
    assert kept.items() <= after.items()
    assert len(after) > len(kept)
    assert contents(out) == undisturbed


# What of a stage is too quick to be met from outside: it is killed by its own fourth result.
KILLED = """
import os, signal
from pipeline_lib import incremental
from stages import {name}
keep, kept = incremental._keep, []
def keep_three(result, cache, key):
    if len(kept) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    kept.append(keep(result, cache, key))
incremental._keep = keep_three
{name}.main("deap")
"""


@pytest.mark.parametrize(("name", "folder"), [("ingest", "signals"), ("filter", "physio")])
def test_a_quick_stage_too_goes_on_and_ends_with_the_same_bytes(
    project: Path, name: str, folder: str
) -> None:
    out, cache = project / "data/deap" / folder, project / ".cache" / name
    undisturbed = contents(out)
    shutil.rmtree(cache)
    shutil.rmtree(out)
    script = [sys.executable, "-c", KILLED.format(name=name)]
    died = subprocess.run(script, cwd=project, env=environment(), capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    kept = written(cache)
    assert len(kept) == 3
    assert not out.exists()
    assert stage(project, f"stages.{name}", "deap").wait() == 0
    after = written(cache)
    assert kept.items() <= after.items()
    assert len(after) == 12
    assert contents(out) == undisturbed


def test_a_root_that_is_no_data_set_is_told_without_a_traceback(project: Path) -> None:
    params = (project / "params.yaml").read_text()
    (project / "empty").mkdir()
    wrong = params.replace("root: data/twins/deap", "root: empty")
    (project / "params.yaml").write_text(wrong)
    command = [sys.executable, "-m", "stages.ingest", "deap"]
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True)
    (project / "params.yaml").write_text(params)
    assert done.returncode == 1
    assert done.stderr.startswith("deap cannot be used: empty: empty folder; expected ")
    assert "check datasets.deap.root" in done.stderr


def test_one_subject_more_computes_one_subject(project: Path) -> None:
    root = project / "data/twins/deap"
    held_back = project / "held_back"
    held_back.mkdir()
    for path in (root / "data_preprocessed_python/s06.dat", root / "face_video/s06"):
        shutil.move(path, held_back / path.name)
    cache = project / ".cache/ingest"
    shutil.rmtree(cache)
    assert stage(project, "stages.ingest", "deap").wait() == 0
    before = set(cache.iterdir())
    shutil.move(held_back / "s06.dat", root / "data_preprocessed_python/s06.dat")
    shutil.move(held_back / "s06", root / "face_video/s06")
    assert stage(project, "stages.ingest", "deap").wait() == 0
    new = [pl.read_parquet(path)["subject"][0] for path in set(cache.iterdir()) - before]
    assert new == ["s06"] * 2
