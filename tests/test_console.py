"""What `make demo` ends with: every result of the demo, in the table of its kind."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pipeline_lib.console import tables
from pipeline_lib.params import load_params


def printed() -> str:
    console = Console(record=True, width=200, file=StringIO())
    for table in tables():
        console.print(table)
    return console.export_text()


def test_every_result_of_the_demo_is_printed_once() -> None:
    """The results in git are those of the demo."""
    params = load_params()
    fused = params.systems.fuse
    others = [name for key, names in params.systems if key != "fuse" for name in names]
    of_labels, of_intensities = tables()
    assert of_labels.row_count == len(params.trained_on) * len(others)
    assert of_intensities.row_count == len(params.fused_on) * len(fused)
    text = printed()
    assert "viper_vtf" in text
    assert text.count(" mvp ") == len(params.trained_on)


def test_without_results_there_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tables() == []
