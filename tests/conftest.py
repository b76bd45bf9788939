"""Assets for tests: the same files, from the same stage, as for the pipeline."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline_lib.assets import provide, provide_all
from pipeline_lib.params import load_params

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
def clips(asset: Callable[[str], Path]) -> dict[str, Path]:
    """What the writers of twins cut faces from."""
    return {name: asset(name) for name in ("sad_then_laughing", "neutral_then_smiling")}
