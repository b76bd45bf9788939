"""What a folder holds, for tests that compare two of them."""

from pathlib import Path

from pipeline_lib.core.files import sha256


def hashes(root: Path) -> dict[str, str]:
    """Content hash of every file, by its path below the root."""
    return {
        path.relative_to(root).as_posix(): sha256(path)
        for path in root.rglob("*")
        if path.is_file()
    }
