"""Assets for tests: the same files, from the same stage, as for the pipeline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_lib.assets import provide
from pipeline_lib.params import load_params


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """asset(name): the file of a key of `assets:` in params.yaml, fetched on first use."""
    assets = load_params().assets
    return lambda name: provide(name, assets[name], Path("assets"))
