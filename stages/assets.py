"""Fetch every asset, check it, and put it into assets/."""

from pathlib import Path

from pipeline_lib.assets import provide
from pipeline_lib.params import load_params


def main() -> None:
    params = load_params()
    for name, asset in params.assets.items():
        provide(name, asset, Path("assets"))


if __name__ == "__main__":
    main()
