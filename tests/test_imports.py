"""The walk over imports, and the fingerprint of code."""

from pathlib import Path

import pytest

from pipeline_lib.core import imports


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("pipeline_lib/core", "models"):
        Path(folder).mkdir(parents=True)
    Path("pipeline_lib/a.py").write_text("from pipeline_lib import b\nimport os\n")
    Path("pipeline_lib/b.py").write_text(
        '"""Doc."""\ndef f(x):\n    from pipeline_lib.c import g\n    return g(x)\n'
    )
    Path("pipeline_lib/c.py").write_text("def g(x):\n    return 2 * x\n")
    Path("pipeline_lib/core/paths.py").write_text("HERE = 1\n")
    imports._direct_imports.cache_clear()
    return tmp_path


def test_imports_are_followed_into_functions(tree: Path) -> None:
    found = imports.imported_modules("pipeline_lib.a")
    assert found == {"pipeline_lib.a", "pipeline_lib.b", "pipeline_lib.c"}


def test_computed_imports_are_named_by_their_package(tree: Path) -> None:
    Path("pipeline_lib/a.py").write_text('import_module(f"models.{name}").fit()\n')
    assert imports.dynamic_imports("pipeline_lib.a") == {"models"}


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("c", "2 * x", "3 * x", True),
        ("c", "def g(x):", "def g(x):\n    # why\n", False),
        ("b", "Doc.", "Another doc.", False),
        ("c", "2 * x", "2   *   x", False),
    ],
)
def test_fingerprint_changes_with_formulas_alone(
    tree: Path, file: str, old: str, new: str, changes: bool
) -> None:
    before = imports.fingerprint(["pipeline_lib.a"])
    path = Path(f"pipeline_lib/{file}.py")
    path.write_text(path.read_text().replace(old, new))
    assert (imports.fingerprint(["pipeline_lib.a"]) != before) is changes


def test_fingerprint_leaves_io_out(tree: Path) -> None:
    Path("pipeline_lib/c.py").write_text("from pipeline_lib.core import paths\n")
    before = imports.fingerprint(["pipeline_lib.a"])
    Path("pipeline_lib/core/paths.py").write_text("HERE = 2\n")
    assert imports.fingerprint(["pipeline_lib.a"]) == before
