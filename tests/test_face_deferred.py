"""A deferred module is not loaded by imports, is itself at the first use, and then stays."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_lib.face.deferred import deferred


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package whose modules leave a trace when they are executed."""
    folder = tmp_path / "slow_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("import builtins; builtins.executed = ['package']\none = 1")
    (folder / "part.py").write_text("import builtins; builtins.executed.append('part')\ntwo = 2")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.executed", [], raising=False)
    yield folder.name
    for name in (folder.name, f"{folder.name}.part"):
        sys.modules.pop(name, None)


def executed() -> list[str]:
    import builtins

    return builtins.executed  # type: ignore[attr-defined,no-any-return]


@pytest.mark.usefixtures("package")
def test_the_first_use_loads_it() -> None:
    with deferred("slow_package", "slow_package.part"):
        import slow_package
        import slow_package.part as part
    assert not hasattr(part, "__path__")
    assert executed() == []
    assert part.two == 2
    assert executed() == ["package", "part"]
    assert slow_package.one == 1
    import slow_package.part as again

    assert again is sys.modules["slow_package.part"] is not part
    assert executed() == ["package", "part"]


def test_imports_after_it_are_the_usual_ones(package: str) -> None:
    with deferred("slow_package", "slow_package.part"):
        import slow_package as early
    assert package not in sys.modules
    from slow_package.part import two

    assert (two, early.one) == (2, 1)
    assert executed() == ["package", "part"]


def test_a_module_that_is_there_stays() -> None:
    with deferred("sys"):
        assert sys.modules["sys"] is sys


def test_mediapipe_does_not_load_what_it_only_draws_with() -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline_lib.core import paths\n"
        "from pipeline_lib.face.landmarker import face_tracker\n"
        "with face_tracker(paths.asset('face_landmarker'), quiet=True): pass\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib.gridspec, cv2; cv2.imread"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
