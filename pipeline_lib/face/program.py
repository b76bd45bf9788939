"""The program that openface.command names: how to start it, and what its complaints mean."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.face.container import Container, ExtractorError, parse

# What the program says when it cannot start, and what helps.
ADVICE = (
    (
        ("Could not load the landmark detector", "Could not find CEN patch experts"),
        "OpenFace's landmark models are missing. Run its download_models.sh (Linux, macOS) or "
        "download_models.ps1 (Windows): it fetches cen_patches_0.25_of.dat and three more into "
        "model/patch_experts, which must lie beside the program",
    ),
    (
        ("could not open the output file", "failed to create output directory"),
        "the program may not write into .cache/; in a container have it run as you, with "
        f"--user {os.getuid()}:{os.getgid()} in openface.command",
    ),
)


class ExtractorMissing(ExtractorError):
    """openface.command names a program that is not there."""


@dataclass(frozen=True)
class Program:
    words: tuple[str, ...]  # the command as it is written
    options: tuple[str, ...]
    container: Container | None

    def start(self, name: str) -> list[str]:
        """Words of the command line, up to the inputs; a container gets this name."""
        words = self.container.start(name) if self.container else self.words
        return [*words, *self.options]

    def path(self, path: Path, *, writes: bool = False) -> str:
        """How the program names a file or folder of ours; see Container.path."""
        return self.container.path(path, writes=writes) if self.container else str(path)

    def remove(self, name: str) -> None:
        """End what outlives the process that was started."""
        if self.container:
            self.container.remove(name)


def program(command: str, options: str) -> Program:
    """Read a command; `python` is the interpreter that runs this, $NAME and ~ are expanded.

    Raises ExtractorMissing if there is no such program, ExtractorError if it cannot be used.
    """
    words = [os.path.expanduser(os.path.expandvars(word)) for word in shlex.split(command)]
    if words[:1] == ["python"]:
        words[0] = sys.executable
    elif not words or shutil.which(words[0]) is None:
        raise ExtractorMissing(
            f"openface.command = {command!r}: no such program; install OpenFace or name the "
            "embedded extractor, python -m pipeline_lib.face.feature_extraction"
        )
    return Program(tuple(words), tuple(shlex.split(options)), parse(words))


def advice(said: str) -> str:
    """What to do about what the program wrote; "" if it is not known."""
    return "; ".join(
        text for complaints, text in ADVICE if any(complaint in said for complaint in complaints)
    )
