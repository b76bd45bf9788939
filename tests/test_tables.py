"""Tables are whole or not there."""

import json
from pathlib import Path

import polars as pl
import pytest

from pipeline_lib.core import tables
from pipeline_lib.core.schema import SchemaError

TABLE = pl.DataFrame({"recording_id": ["a", "b"], "value": [1.0, None]})
SCHEMA = dict(TABLE.schema)


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        tables.write_table(TABLE, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    tables.write_table(TABLE, path)
    with pytest.raises(ZeroDivisionError):
        tables.atomic_write(path, lambda file: file.write_text("half") / 0)
    assert tables.read_table(path, SCHEMA).equals(TABLE)
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="out"):
        tables.write_table(TABLE, tmp_path / "out" / "table.parquet")


def test_a_table_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    tables.write_table(TABLE.rename({"value": "valu"}), tmp_path / "t")
    with pytest.raises(SchemaError, match=r"t: missing \['value'\], unexpected \['valu'\]"):
        tables.read_table(tmp_path / "t", SCHEMA)


def test_results_hold_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        tables.write_json({"f1": float("nan")}, tmp_path / "result.json")


def test_json_has_a_line_for_each_record_of_plain_values(tmp_path: Path) -> None:
    content = {"n": 1, "pairs": [{"of": ["a", "b"], "p": 0.5}, {"of": [], "p": None}], "x": {}}
    tables.write_json(content, tmp_path / "result.json")
    text = (tmp_path / "result.json").read_text()
    assert json.loads(text) == content
    lines = text.splitlines()
    assert lines[1:4] == ['  "n": 1,', '  "pairs": [', '    {"of": ["a", "b"], "p": 0.5},']
