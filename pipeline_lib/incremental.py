"""Work recording by recording: what was computed once is not computed again, nothing is lost.

Every finished recording lies in `.cache/<stage>/<key>.parquet`. The key is a hash over the
content of the recording's inputs, the params bound to the function and the syntax trees of
the code that computes. A kill loses the recordings in flight and no other.
"""

import hashlib
import json
import math
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel

from pipeline_lib.core import parallel as workers, paths, tables
from pipeline_lib.core.imports import fingerprint
from pipeline_lib.core.schema import LEDGER, Schema, validate
from pipeline_lib.params import Execution
from pipeline_lib.recordings import RecordingError

Recording = dict[str, Any]  # a row of the index


@dataclass(frozen=True)
class Result:
    """What a stage made of one recording."""

    table: pl.DataFrame | None  # rows of the stage's out; None when there are none
    status: str = "ok"  # ok | partial | failed | excluded
    reason: str = ""  # one sentence when not ok
    frames: int | None = None  # frames read
    faces: int | None = None  # frames with a face


Batch = Callable[[Sequence[Recording]], Iterable[tuple[str, Result]]]


class StageError(RuntimeError):
    """A stage cannot be completed; what was computed stays in the cache."""


@dataclass(frozen=True)
class Run:
    """The outcome of a stage: a ledger, and where each recording's rows lie."""

    ledger: pl.DataFrame  # schema.LEDGER
    seconds: dict[str, float]  # of the recordings that were computed now
    cache: Path

    def rows(self, key: str) -> pl.DataFrame | None:
        """The rows of the recording with this ledger key, if it has any."""
        cached = _recall(self.cache, key)
        return (
            pl.read_parquet(self.cache / f"{key}.parquet") if cached and cached.has_rows else None
        )


def one_by_one(function: Callable[..., Result], **params: Any) -> Batch:
    """Make a function of one recording, with its params, one of a batch of recordings."""
    return partial(_one_by_one, function=function, **params)


def run(
    recordings: Sequence[Recording],
    compute: Batch,
    *,
    stage: str,
    inputs: Callable[[Recording], object],
    skip: Callable[[Recording], str],
    execution: Execution,
    batches: Callable[[Sequence[Recording]], Iterable[Sequence[Recording]]] | None = None,
) -> Run:
    """Compute the recordings that are not in the cache, in parallel, and give their ledger.

    inputs  : what the result depends on besides params and code: JSON-able, hashes of contents
    skip    : why a recording is not for this stage ("" if it is); the ledger then excludes it
    batches : which recordings go to one process at once; default: each on its own

    Raises StageError, after all others are done, if a recording failed in an unforeseen way.
    """
    cache = paths.CACHE / stage
    code, params = fingerprint(_modules(compute)), _bound_params(compute)
    keys = {r["recording_id"]: _hash([inputs(r), params, code]) for r in recordings}
    skipped = {r["recording_id"]: reason for r in recordings if (reason := skip(r))}
    todo = [
        r
        for r in recordings
        if r["recording_id"] not in skipped and not _finished(cache, keys[r["recording_id"]])
    ]
    work = partial(_compute_batch, compute=compute, cache=cache, keys=keys)
    todo_batches = list(batches(todo)) if batches else [[recording] for recording in todo]
    broken: list[str] = []
    seconds: dict[str, float] = {}
    for spent, failures in workers.run(work, todo_batches, execution=execution, label=stage):
        seconds |= spent
        broken += failures
    if broken:
        raise StageError(
            f"{stage}: {len(broken)} recordings failed in an unforeseen way (a bug, or a machine "
            "in trouble). The others are kept; run again after mending:\n" + "\n".join(broken)
        )
    entries = [_entry(r, keys[r["recording_id"]], skipped, cache) for r in recordings]
    return Run(pl.DataFrame(entries, schema=dict(LEDGER), orient="row"), seconds, cache)


def in_batches(
    recordings: Sequence[Recording], *, size: int, execution: Execution
) -> list[Sequence[Recording]]:
    """Batches of at most `size`, and no larger than leaves work for every process."""
    fair = math.ceil(len(recordings) / workers.n_workers(execution))
    step = max(1, min(size, fair))
    return [recordings[i : i + step] for i in range(0, len(recordings), step)]


def keys(out: Path) -> dict[str, str]:
    """Of a finished stage: what stands for each recording's content in the next one's inputs."""
    ledger = tables.read_table(paths.ledger(out), LEDGER)
    return {row["recording_id"]: f"{row['status']} {row['key']}" for row in ledger.to_dicts()}


def by_subject(result: Run) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of all recordings that have any, one subject in memory at a time."""
    for (subject,), group in result.ledger.group_by("subject", maintain_order=True):
        parts = [rows for key in group["key"] if (rows := result.rows(key)) is not None]
        if parts:
            yield str(subject), pl.concat(parts)


def write(result: Run, out: Path, *, schema: Schema, group: int | None = None) -> None:
    """Write the rows of all recordings as one shard a subject, and the ledger beside them.

    group : as in tables.write_table
    """
    for subject, rows in by_subject(result):
        table = validate(rows, schema, str(out))
        tables.write_table(table, tables.shard(out, subject), group=group)
    tables.write_table(result.ledger, paths.ledger(out))


def check_failures(ledger: pl.DataFrame, *, stage: str, max_failed: float) -> None:
    """Raise StageError with a table of reasons if more than `max_failed` of the tried failed."""
    n_tried = ledger.filter(pl.col("status") != "excluded").height
    failed = ledger.filter(pl.col("status") == "failed")
    if n_tried and failed.height / n_tried > max_failed:
        reasons = "\n".join(f"  {r['recording_id']}: {r['reason']}" for r in failed.to_dicts())
        raise StageError(
            f"{stage}: {failed.height} of {n_tried} recordings failed, above "
            f"max_failed = {max_failed:.0%}:\n{reasons}"
        )


def _one_by_one(
    batch: Sequence[Recording], *, function: Callable[..., Result], **params: Any
) -> Iterator[tuple[str, Result]]:
    for recording in batch:
        try:
            result = function(recording, **params)
        except RecordingError as error:
            result = Result(None, "failed", str(error))
        yield recording["recording_id"], result


def _compute_batch(
    batch: Sequence[Recording], *, compute: Batch, cache: Path, keys: dict[str, str]
) -> tuple[dict[str, float], list[str]]:
    """Compute a batch and keep each result as it comes; seconds a recording, and tracebacks."""
    seconds: dict[str, float] = {}
    broken: list[str] = []
    remaining = list(batch)
    while remaining:
        started = time.monotonic()
        try:
            for name, result in compute(remaining):
                _keep(result, cache, keys[name])
                seconds[name], started = time.monotonic() - started, time.monotonic()
            break
        except StageError:
            raise
        except Exception:  # a bug at one recording must not cost the night's others: run() raises
            remaining = [r for r in remaining if r["recording_id"] not in seconds]
            broken.append(f"{remaining.pop(0)['recording_id']}: {traceback.format_exc()}")
    return seconds, broken


@dataclass(frozen=True)
class _Kept:
    """A result as the cache holds it: all but its rows, which lie in the same file."""

    status: str
    reason: str
    frames: int | None
    faces: int | None
    has_rows: bool


def _keep(result: Result, cache: Path, key: str) -> None:
    kept = _Kept(
        result.status, result.reason, result.frames, result.faces, result.table is not None
    )
    rows = pl.DataFrame({"empty": []}) if result.table is None else result.table
    metadata = {"result": json.dumps(asdict(kept))}
    tables.atomic_write(
        cache / f"{key}.parquet",
        lambda file: rows.write_parquet(file, compression="zstd", metadata=metadata),
    )


def _recall(cache: Path, key: str) -> _Kept | None:
    """What the cache holds; None if it does not, or if the disk has damaged the file's end."""
    path = cache / f"{key}.parquet"
    if not path.exists():
        return None
    try:
        return _Kept(**json.loads(pl.read_parquet_metadata(path)["result"]))
    except (pl.exceptions.PolarsError, KeyError, ValueError):
        return None


def _finished(cache: Path, key: str) -> bool:
    """A failure may have passed (a killed extractor, a full disk), so it is tried again."""
    kept = _recall(cache, key)
    return kept is not None and kept.status != "failed"


def _entry(recording: Recording, key: str, skipped: dict[str, str], cache: Path) -> dict[str, Any]:
    name = recording["recording_id"]
    entry = {"recording_id": name, "subject": recording["subject"], "key": key}
    if name in skipped:
        return entry | {
            "status": "excluded",
            "reason": skipped[name],
            "frames": None,
            "faces": None,
        }
    kept = _recall(cache, key)
    if kept is None:
        raise StageError(f"{cache}: the function gave no result for {name}")
    return entry | {
        column: getattr(kept, column) for column in ("status", "reason", "frames", "faces")
    }


def _modules(compute: Any) -> set[str]:
    """The modules of a function and of all functions bound to it."""
    if isinstance(compute, partial):
        bound = [value for value in compute.keywords.values() if callable(value)]
        return {name for function in (compute.func, *bound) for name in _modules(function)}
    return {compute.__module__}


def _bound_params(compute: Any) -> dict[str, Any]:
    """What changes the result; a path says where things lie, not what they are."""
    keywords = compute.keywords if isinstance(compute, partial) else {}
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for name, value in keywords.items()
        if not isinstance(value, Path) and not callable(value)
    }


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
