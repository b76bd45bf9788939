"""BIDS file names: what they say, and which metadata files apply to which data files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.datasets.files import matches

_NAME = r"((?:[a-z]+-[A-Za-z0-9+]+_)*)([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)"
# In a data set's folder, but not its recordings; what was made of them has names like theirs.
_ELSEWHERE = ("code", "derivatives", "sourcedata", "stimuli")


@dataclass(frozen=True)
class File:
    """A file and what its name says."""

    path: Path
    entities: Mapping[str, str]  # sub, ses, task, acq, run, recording, ...
    suffix: str  # physio | events | video | ...
    extension: str  # from the first dot on

    @property
    def run(self) -> str:
        """The entities that all files of a run share."""
        pairs = self.entities.items()
        return "_".join(f"{key}-{label}" for key, label in pairs if key != "recording")

    @property
    def stem(self) -> str:
        return self.path.name.removesuffix(self.extension)


def named(path: Path) -> File | None:
    """What a file's name says; None if it is not of BIDS."""
    match = re.fullmatch(_NAME, path.name)
    return _file(match, path) if match else None


def listing(root: Path) -> list[File]:
    """All files below `root` with names of BIDS; links to nothing, as of DataLad, are left out.

    Raises DatasetError if a folder cannot be read.
    """
    files = [
        _file(match, path)
        for match, path in matches(root, _NAME)
        if not any(_is_elsewhere(folder) for folder in path.relative_to(root).parts[:-1])
        and path.is_file()
    ]
    return sorted(files, key=lambda file: file.path)


def applicable(metadata: Iterable[File], *, to: File) -> list[File]:
    """Those of a data file's suffix that lie beside or above it and name no other entity.

    The most general comes first, for the next overrides it (BIDS: the inheritance principle).
    """
    found = [
        file
        for file in metadata
        if file.suffix == to.suffix
        and file.entities.items() <= to.entities.items()
        and file.path.parent in to.path.parents
    ]
    return sorted(found, key=lambda file: (len(file.path.parts), len(file.entities)))


def _file(match: re.Match[str], path: Path) -> File:
    pairs = (entity.split("-") for entity in match[1].split("_")[:-1])
    return File(path, {key: label for key, label in pairs}, match[2], match[3])


def _is_elsewhere(folder: str) -> bool:
    return folder in _ELSEWHERE or folder.startswith(".")
