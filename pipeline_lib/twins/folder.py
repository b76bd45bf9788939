"""Write a data set's folder whole, in place of what was there."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOTICE = """# Synthetic data

This folder has the layout of {name}, and nothing else of it. Nobody was recorded: the faces are
cut from two freely available clips, the signals are simulated, and the ratings are drawn so that
they follow the cues in face and body as strongly as `twins` in params.yaml says.
Nothing that is computed from it says anything about people.
"""
VOICE = "\nThe voices are those of eSpeak NG, a speech synthesiser.\n"  # if it has sound


@contextlib.contextmanager
def replaced(root: Path) -> Iterator[Path]:
    """Give a new folder to fill, which then takes the place of `root`; on an error it goes."""
    root.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{root.name}."))
    try:
        yield fresh
        fresh.chmod(0o755)
        if root.exists():
            shutil.rmtree(root)
        fresh.replace(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def truncate(path: Path, *, share: float) -> None:
    """Keep the first share of a file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
