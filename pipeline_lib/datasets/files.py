"""Find a data set's files by their names, wherever unzipping has put them."""

import os
import re
from pathlib import Path

from pipeline_lib.recordings import DatasetError

ADVICE = "check datasets.<name>.root in params.yaml"


def check_root(root: Path, *, layout: str) -> None:
    """Raise DatasetError unless `root` is a folder with something in it."""
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected {layout}; {ADVICE}")
    if not any(root.iterdir()):
        raise DatasetError(f"{root}: empty folder; expected {layout}; {ADVICE}")


def find(root: Path, pattern: str) -> dict[tuple[str, ...], Path]:
    """Files below `root` whose whole name matches, in the order of the pattern's groups.

    Raises DatasetError if two files have the same groups, or a folder cannot be read.
    """
    found: dict[tuple[str, ...], Path] = {}
    for folder, _, names in os.walk(root, onerror=_refuse, followlinks=True):
        for name in names:
            match = re.fullmatch(pattern, name)
            if match is None:
                continue
            path = Path(folder, name)
            twice = found.setdefault(match.groups(), path)
            if twice != path:
                first, second = sorted((path, twice))
                raise DatasetError(f"{first} and {second} both claim the same place; keep one")
    return dict(sorted(found.items()))


def _refuse(error: OSError) -> None:
    raise DatasetError(f"{error.filename}: cannot be read ({error.strerror})")
