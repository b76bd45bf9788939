"""Hume-Reaction as it is published: clips of reactions with sound, in one of two packs.

The ABAW pack has the clips; the MuSe pack has features only, and clips are taken if they were
put beside them. Nothing says who is in a clip, so each is a subject of its own and only the
owners' split keeps people apart. There is no physiology, and no stimulus to start the clock:
0 is the first frame. When the sound begins, the clips have to tell: see pipeline_lib.media.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline_lib.datasets.files import check_root, find
from pipeline_lib.datasets.hume_reaction.tables import (
    ID,
    LAYOUT,
    Row,
    find_tables,
    ratings_of,
    read_rows,
)
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.recordings import Official, Reading, RecordingError, Source

OFFICIAL = Official(
    subjects=None,  # no table tells them apart
    recordings=25_067,
    videos=25_067,
    source="MuSe 2022 (train 15,806, devel 4,657, test 4,604 [?])",
)
CLIP = "clip"  # the trial: there is one a subject


def discover(root: Path) -> list[Source]:
    """One source per row of the tables, in their order, then one per file that has no row.

    Raises DatasetError if the tables are not there, or are not those of Hume-Reaction.
    """
    check_root(root, layout=LAYOUT)
    tables = find_tables(root)
    rows = read_rows(tables)
    videos, sounds = _media(root, "mp4"), _media(root, "wav")
    strays = sorted((videos.keys() | sounds.keys()) - rows.keys())
    return [
        Source(
            recording_id=name,
            subject=name,
            trial=CLIP,
            stimulus=name,  # which of the stimuli it is a reaction to is not told
            order=None,
            signals=None,
            video=videos.get(name),
            audio=sounds.get(name, videos.get(name)),
            split=rows[name].split if name in rows else None,
            tables=tables,
        )
        for name in (*rows, *strays)
    ]


def _media(root: Path, suffix: str) -> dict[str, Path]:
    return {name: path for (name,), path in find(root, rf"({ID})\.{suffix}").items()}


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    heart, eda_unit : whatever they are, for there is no physiology
    """
    return each(sources, _read_clip)


def _read_clip(source: Source) -> Reading:
    row = read_rows(source.tables).get(source.recording_id, Row(None, ()))
    if row.split is None:
        raise RecordingError(f"{source.recording_id} has no row in {source.tables[-1].name}")
    if source.audio is None:
        raise RecordingError(_nothing(source))
    ratings = ratings_of(row)
    absent = {
        "labels withheld": not ratings and row.split == "test",
        "no labels": not ratings and row.split != "test",
        f"no {source.recording_id}.mp4": source.video is None,
    }
    return Reading(
        ratings=ratings,
        video_start=0.0 if source.video else None,
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )


def _nothing(source: Source) -> str:
    name = source.recording_id
    if len(source.tables) == 1:
        return f"no video, no sound: neither {name}.mp4 nor {name}.wav"
    return (
        f"no video, no sound: pack A carries features only; put {name}.mp4 or {name}.wav "
        f"anywhere below datasets.<name>.root"
    )
