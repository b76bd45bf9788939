"""Read StressID's published features: an index of recordings, and what is known of each."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline_lib.core.schema import SOURCES
from pipeline_lib.datasets.files import check_root, find, read_csv
from pipeline_lib.datasets.stressid.labels import RECORDING, TASKS
from pipeline_lib.recordings import DatasetError
from pipeline_lib.stressid_features.columns import PHYSIO, VIDEO

LAYOUT = "a clone of github.com/robustml-eurecom/stressID, or the two tables of it"
TABLES: Mapping[str, Mapping[str, str]] = {  # name of the file -> its columns, as we call them
    "all_physiological_features": PHYSIO,
    "video11tasks_aus_gaze_mean_std": VIDEO,
}
MISSING = ("", "nan", "NaN", "NA", "inf", "-inf")


def read(root: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The index, schema.SOURCES, and recording_id with all features; null: not there.

    The index has every task of every subject; one in neither table is excluded. The hashes are
    those of a recording's row in the two tables, so that the audit finds copies of it.
    Raises DatasetError, naming the file, if a table is not there or is not what was published.
    """
    check_root(root, layout=LAYOUT)
    found = find(root, rf"({'|'.join(TABLES)})\.csv")
    if absent := [f"{name}.csv" for name in TABLES if (name,) not in found]:
        raise DatasetError(f"{root}: no {' and no '.join(absent)}; expected {LAYOUT}")
    physio, video = (_table(found[name,], TABLES[name]) for name in TABLES)
    subjects = {name.rpartition("_")[0] for of in (physio, video) for name in of["recording_id"]}
    synthetic = (root / "SYNTHETIC.md").exists()
    hashes = [_hashes(of) for of in (physio, video)]
    rows = [
        _source(subject, task, synthetic, *(of.get(f"{subject}_{task}") for of in hashes))
        for subject in sorted(subjects)
        for task in TASKS
    ]
    features = physio.join(video, on="recording_id", how="full", coalesce=True, validate="1:1")
    return pl.DataFrame(rows, schema=dict(SOURCES)), features.sort("recording_id")


def _source(
    subject: str, task: str, synthetic: bool, physio: str | None, video: str | None
) -> dict[str, object]:
    absent = [name for name, row in (("physiology", physio), ("video", video)) if row is None]
    return dict.fromkeys(SOURCES) | {
        "recording_id": f"{subject}_{task}",
        "subject": subject,
        "trial": task,
        "stimulus": task,
        "synthetic": synthetic,
        "signals_sha256": physio,
        "video_sha256": video,
        "status": ("ok", "partial", "excluded")[len(absent)],
        "reason": f"no {' and no '.join(absent)} among the published features" if absent else "",
    }


def _table(path: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    """recording_id and the features under our names; what is blank, NaN or infinite is null."""
    text = read_csv(path, columns=[*columns])
    key = text.columns[0]
    if unknown := sorted(set(text.columns[1:]) - set(columns)):
        raise DatasetError(f"{path}: unknown columns {unknown}; which grow with the length?")
    names = text[key].fill_null("").to_list()
    if wrong := [name for name in names if not re.fullmatch(RECORDING, name)]:
        raise DatasetError(f"{path}: {wrong[:5]} in column {key!r} are no <subject>_<task>")
    if len(set(names)) < len(names):
        twice = sorted(text.filter(pl.col(key).is_duplicated())[key].unique())
        raise DatasetError(f"{path}: {twice[:5]} occur twice")
    cells = [pl.col(name).replace(dict.fromkeys(MISSING)).alias(columns[name]) for name in columns]
    try:
        numbers = text.select(cells).cast(pl.Float64)
    except pl.exceptions.InvalidOperationError as error:
        raise DatasetError(f"{path}: not a number: {str(error).splitlines()[0]}") from None
    return numbers.insert_column(0, pl.Series("recording_id", names))


def _hashes(features: pl.DataFrame) -> dict[str, str]:
    """recording_id -> hash of its features."""
    return {
        row[0]: hashlib.sha256(repr(row[1:]).encode()).hexdigest() for row in features.iter_rows()
    }
