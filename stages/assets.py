"""Fetch every asset, check it, and put it into assets/."""

from pathlib import Path

from pipeline_lib.assets import provide_all
from pipeline_lib.params import load_params


def main() -> None:
    params = load_params()
    provide_all(params.assets, Path("assets"))


if __name__ == "__main__":
    main()
