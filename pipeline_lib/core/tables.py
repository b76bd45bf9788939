"""The only Parquet IO: tables are written whole or not at all, in shards of one subject."""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib.core.schema import Schema, validate


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then sync it and put it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: pl.DataFrame, path: Path, *, group: int | None = None) -> None:
    """Write a table; the same rows give the same bytes.

    group : rows that lie together, to be read without the others; None: as many as polars likes
    """
    atomic_write(
        path,
        lambda file: table.write_parquet(file, compression="zstd", row_group_size=group),
    )


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write JSON with a line for each value, and for each record that holds no other record."""
    text = _json(content) + "\n"
    atomic_write(path, lambda temporary: temporary.write_text(text))


def _json(content: Any, indent: str = "") -> str:
    inner = f"{indent}  "
    if isinstance(content, dict) and (not indent or _is_nested(content.values())):
        fields = (f"{inner}{json.dumps(k)}: {_json(v, inner)}" for k, v in content.items())
        return "{\n" + ",\n".join(fields) + f"\n{indent}}}"
    if isinstance(content, list) and _is_nested(content):
        return "[\n" + ",\n".join(inner + _json(x, inner) for x in content) + f"\n{indent}]"
    return json.dumps(content, allow_nan=False)


def _is_nested(values: Iterable[Any]) -> bool:
    """Whether a record is among them, or in a list among them."""
    return any(isinstance(x, dict) or (isinstance(x, list) and _is_nested(x)) for x in values)


def write_csv(table: pl.DataFrame, path: Path) -> None:
    atomic_write(path, lambda temporary: table.write_csv(temporary))


def read_table(path: Path, schema: Schema) -> pl.DataFrame:
    """Read a table and check it; raises SchemaError that names the file."""
    return validate(pl.read_parquet(path, hive_partitioning=False), schema, str(path))


def shard(folder: Path, subject: str) -> Path:
    """The file of one subject in a sharded table."""
    return folder / f"{subject}.parquet"


def shards(folder: Path) -> list[Path]:
    """The shards of a table, by subject."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("_"))


def read_shards(folder: Path, schema: Schema, where: pl.Expr | None = None) -> pl.DataFrame:
    """Read all subjects' rows, or those of them that fulfil `where`, without loading the others."""
    parts = [
        pl.scan_parquet(path).filter(where if where is not None else True).collect()
        for path in shards(folder)
    ]
    table = pl.concat(parts) if parts else pl.DataFrame(schema=dict(schema))
    return validate(table, schema, str(folder))


def scan_rows(
    folder: Path, schema: Schema, columns: Sequence[str], where: pl.Expr
) -> Iterator[tuple[Path, pl.DataFrame]]:
    """Each shard, and these columns of its rows that fulfil `where`, with their `row` in it."""
    for path in shards(folder):
        scan = pl.scan_parquet(path, hive_partitioning=False)
        validate(scan.collect_schema().to_frame(), schema, str(path))
        yield path, scan.with_row_index("row").select("row", *columns).filter(where).collect()


def read_rows(path: Path, column: str, *, first: int, n: int) -> pl.Series:
    """One column of rows that follow each other, without loading groups that hold none of them."""
    scan = pl.scan_parquet(path, hive_partitioning=False)
    return scan.slice(first, n).select(column).collect().to_series()


def read_subject(folder: Path, schema: Schema, subject: str) -> pl.DataFrame:
    """Read one subject's rows; a subject without rows has no shard."""
    path = shard(folder, subject)
    return read_table(path, schema) if path.exists() else pl.DataFrame(schema=dict(schema))


def signal_starts(folder: Path) -> dict[str, list[tuple[str, float]]]:
    """Channel and start (s) of each recording's signals, without loading their samples.

    folder : of schema.SIGNALS
    """
    starts: dict[str, list[tuple[str, float]]] = {}
    for path in shards(folder):
        rows = pl.scan_parquet(path).select("recording_id", "channel", "start").collect()
        for recording_id, channel, start in rows.iter_rows():
            starts.setdefault(recording_id, []).append((channel, start))
    return starts


def read_recording(
    folder: Path, schema: Schema, *, subject: str, recording_id: str
) -> pl.DataFrame:
    """Read the rows of one recording without loading those of its subject's others."""
    path = shard(folder, subject)
    if not path.exists():
        return pl.DataFrame(schema=dict(schema))
    rows = pl.scan_parquet(path).filter(pl.col("recording_id") == recording_id).collect()
    return validate(rows, schema, str(path))
