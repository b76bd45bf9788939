"""Assets for tests: the same files, from the same stage, as for the pipeline."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline_lib.assets import provide, provide_all
from pipeline_lib.params import load_params
from pipeline_lib.video.decode import packet_times, read_frames
from pipeline_lib.video.encode import write_video

# Tests run side by side: threads of one would only stand in the way of another.
os.environ["OMP_NUM_THREADS"] = "1"

# The same examples in every run; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fetch the assets once, before the workers start: commands under test look for them."""
    if not hasattr(session.config, "workerinput"):
        provide_all(load_params().assets, Path("assets"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest: the worker that has it has nothing else to do."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """asset(name): the file of a key of `assets:` in params.yaml, fetched on first use."""
    assets = load_params().assets
    return lambda name: provide(name, assets[name], Path("assets"))


@pytest.fixture(scope="session")
def clips(
    asset: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """What the writers of twins cut faces from; of the long clip, every fourth frame."""
    long, short = asset("sad_then_laughing"), asset("neutral_then_smiling")
    sparse = tmp_path_factory.mktemp("clips") / long.name
    frames = read_frames(long, indices=range(0, len(packet_times(long)), 4))
    write_video(sparse, (frame.rgb for frame in frames), frame_rate=6)
    return {"sad_then_laughing": sparse, "neutral_then_smiling": short}


@pytest.fixture
def unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages start no sender, which takes 10 s to import MLflow and to make a database."""
    monkeypatch.setattr("pipeline_lib.core.spool.send", lambda server: None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
