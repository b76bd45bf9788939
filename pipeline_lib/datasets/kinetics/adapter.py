"""Kinetics-400 as it is published: ten-second clips of YouTube videos, each of one class.

Clips lie flat in the folders of their splits, or there in one folder a class. Some 1,400 originals
do not decode; of most of them there is a replacement, which is taken wherever it exists.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipeline_lib.datasets.files import ADVICE, LINE, check_root, matches, read_csv
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.recordings import DatasetError, Official, Reading, RecordingError, Source

LAYOUT = (
    "k400/train/<id>_000001_000011.mp4 with k400/annotations/train.csv, or "
    "train/<class>/<id>_000001_000011.mp4"
)
OFFICIAL = Official(
    subjects=None,
    recordings=306_245,
    videos=306_245,
    source="rows of the official annotations, as MVP counts them; fewer videos are to be had",
)
ID = "[A-Za-z0-9_-]{11}"  # of a YouTube video
TIMES = "_[0-9]{6,9}_[0-9]{6,9}"  # s of the video, where the clip begins and ends
SPLITS = {"train": "train", "val": "validation", "validate": "validation", "test": "test"}
REPLACEMENTS = "replacement_for_corrupted_k400"
COLUMNS = ("youtube_id", "time_start", "time_end", "split")
UNLABELLED = "n/a"
PREFIX = "yt_"  # so that no subject begins with "-" or "_", which has a meaning in file names


class Label(NamedTuple):
    """What the annotations, or the folders around a clip, say about it."""

    split: str | None
    name: str | None  # of the class


def discover(root: Path) -> list[Source]:
    """One source per clip on disk or in the annotations, by id and times.

    Annotations win over folders. A split of which no file is on disk is left out. Raises
    DatasetError if there are no clips, or if two files claim to be the same.
    """
    check_root(root, layout=LAYOUT)
    annotated = _read_annotations(root)
    originals, replacements = _find_clips(root, annotated)
    clips = originals | replacements
    if not clips:
        raise DatasetError(f"{root}: no Kinetics clips; expected {LAYOUT}; {ADVICE}")
    placed = {stem: _place(path.parent, root) for stem, path in (clips | originals).items()}
    labels = placed | annotated
    on_disk = {labels[stem].split for stem in clips}
    return [
        Source(
            recording_id=PREFIX + stem,
            subject=PREFIX + stem[:11],
            trial=stem[12:] or "clip",
            stimulus=label.name or placed.get(stem, label).name or UNLABELLED,
            order=None,
            signals=None,
            video=clips.get(stem),
            split=label.split,
        )
        for stem, label in sorted(labels.items())
        if label.split in on_disk
    ]


def _find_clips(root: Path, annotated: dict[str, Label]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Originals and replacements, by id and times."""
    originals: dict[str, Path] = {}
    replacements: dict[str, Path] = {}
    of_video: dict[str, list[str]] = {}
    for stem in annotated:
        of_video.setdefault(stem[:11], []).append(stem)
    for match, path in matches(root, rf"({ID})({TIMES})?\.mp4"):
        stem = path.stem if match[2] else _only(of_video.get(match[1], []), path)
        found = replacements if path.parent.name == REPLACEMENTS else originals
        twice = found.setdefault(stem, path)
        if twice is not path:
            found[stem] = _same(*sorted((path, twice)))
    return originals, replacements


def _same(first: Path, second: Path) -> Path:
    """The first of two files of one name; DatasetError unless one is a link to the other."""
    if not first.samefile(second):
        raise DatasetError(f"{first} and {second} both claim the same place; keep one")
    return first


def _only(stems: list[str], path: Path) -> str:
    """The clip in a file that is named after its video alone."""
    if len(stems) > 1:
        raise DatasetError(f"{path}: is it {' or '.join(stems)}? Name it after its clip")
    return stems[0] if stems else path.stem


@lru_cache
def _place(folder: Path, root: Path) -> Label:
    """What the names of the folders from `root` down say about the clips in `folder`."""
    names = (root.name, *folder.relative_to(root).parts)
    split = next((SPLITS[name] for name in reversed(names) if name in SPLITS), None)
    is_class = len(names) > 1 and names[-2] in SPLITS and names[-1] not in (*SPLITS, REPLACEMENTS)
    return Label(split, names[-1] if is_class else None)


def _read_annotations(root: Path) -> dict[str, Label]:
    """The rows of annotations/{train,val,test}.csv, by id and times.

    Raises DatasetError, naming file and line, for a row that names no clip or one twice.
    """
    rows: dict[str, Label] = {}
    tables = [path for _, path in matches(root, rf"({'|'.join(SPLITS)})\.csv")]
    # Lists of clips for training, like VideoMAE's, have the same names, and lie elsewhere.
    for table in sorted(path for path in tables if path.parent.name == "annotations"):
        for line, stem, split, name in _annotations(table):
            if stem is None or split not in SPLITS:
                raise DatasetError(
                    f"{table}, line {line}: expected a youtube_id, time_start and time_end in "
                    f"whole seconds, and a split of {[*SPLITS]}"
                )
            if stem in rows:
                raise DatasetError(f"{table}, line {line}: {stem} occurs twice")
            rows[stem] = Label(SPLITS[split], name)
    return rows


def _annotations(table: Path) -> Iterator[tuple[int, str | None, str | None, str | None]]:
    """Yield line, id and times as files are named after them, split and class of each row."""
    rows = read_csv(table, columns=COLUMNS, numbered=True)
    times = [pl.col(name).cast(pl.Int64, strict=False) for name in ("time_start", "time_end")]
    padded = [time.cast(pl.String).str.zfill(6) for time in times]
    stem = pl.concat_str("youtube_id", *padded, separator="_")
    named = rows.select(
        LINE,
        pl.when(stem.str.contains(f"^{ID}{TIMES}$")).then(stem).alias("stem"),
        "split",
        pl.col("label") if "label" in rows.columns else pl.lit(None, pl.String).alias("label"),
    )
    yield from named.iter_rows()


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    heart, eda_unit : whatever they are, for there is no physiology
    """
    return each(sources, _read_clip)


def _read_clip(source: Source) -> Reading:
    if source.video is None:
        name = source.recording_id.removeprefix(PREFIX)
        raise RecordingError(f"no {name}.mp4, and no replacement of it")
    absent = {
        "no class": source.stimulus == UNLABELLED,
        "no split": source.split is None,
    }
    return Reading(
        video_start=0.0,
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )
