"""The summary of a data set, by pure functions from its facts; it is JSON after `asdict`."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline_lib.quality import contents, trouble
from pipeline_lib.quality.facts import Facts
from pipeline_lib.quality.trouble import STATUSES
from pipeline_lib.recordings import Official

USABLE = ("ok", "partial")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Count:
    """How many of something the owners announce, how many are there, how many are of use."""

    what: str
    official: int | None
    found: int  # in file names and tables of the set
    usable: int  # with recordings that are ok or partial


@dataclass(frozen=True)
class Part:
    """The recordings of one of the owners' splits, or of none."""

    name: str
    statuses: dict[str, int]  # recordings, by all of STATUSES
    rated: int  # recordings with a rating


@dataclass(frozen=True)
class Summary:
    dataset: str
    synthetic: bool
    source: str  # who says how much there is; "": nobody
    threshold: float  # rating <= threshold is label 0
    counts: tuple[Count, ...]
    parts: tuple[Part, ...]
    durations: contents.Spread  # s
    channels: tuple[contents.Channel, ...]
    videos: tuple[contents.Video, ...]  # none if no headers were read
    ratings: tuple[contents.Rating, ...]
    reasons: tuple[trouble.Reason, ...]
    copies: tuple[trouble.Copies, ...]
    grid: trouble.Grid | None  # None: too large

    @property
    def statuses(self) -> dict[str, int]:
        """Recordings, by all of STATUSES."""
        return {status: sum(part.statuses[status] for part in self.parts) for status in STATUSES}

    @property
    def found(self) -> int:
        return sum(self.statuses.values())

    @property
    def usable(self) -> int:
        return sum(self.statuses[status] for status in USABLE)


def summarise(
    facts: Facts, *, dataset: str, official: Official | None, threshold: float, synthetic: bool
) -> Summary:
    """The summary of a data set.

    official  : what the owners say it holds; None: nobody says
    threshold : of ratings; up to it the label is 0
    synthetic : whether it is a twin
    """
    return Summary(
        dataset=dataset,
        synthetic=synthetic,
        source=official.source if official else "",
        threshold=threshold,
        counts=tuple(_counts(facts.recordings, official)),
        parts=tuple(_parts(facts.recordings, facts.ratings)),
        durations=contents.spread(facts.recordings["duration"]),
        channels=tuple(contents.channels(facts.channels)),
        videos=tuple(contents.videos(facts.videos)),
        ratings=tuple(contents.ratings(facts.ratings, threshold=threshold)),
        reasons=tuple(trouble.reasons(facts.recordings)),
        copies=tuple(trouble.copies(facts.recordings)),
        grid=trouble.grid(facts.recordings),
    )


def _counts(recordings: pl.DataFrame, official: Official | None) -> Iterator[Count]:
    usable = recordings.filter(pl.col("status").is_in(USABLE))
    announced = official or Official(None, None, None, "")
    found, of_use = (table["subject"].n_unique() for table in (recordings, usable))
    yield Count("subjects", announced.subjects, found, of_use)
    yield Count("recordings", announced.recordings, recordings.height, usable.height)
    readable = usable.drop_nulls("video_content")
    found, of_use = (table["video"].drop_nulls().n_unique() for table in (recordings, readable))
    yield Count("videos", announced.videos, found, of_use)
    found, of_use = (table["audio"].drop_nulls().n_unique() for table in (recordings, usable))
    if found:
        yield Count("sound files", None, found, of_use)


def _parts(recordings: pl.DataFrame, ratings: pl.DataFrame) -> Iterator[Part]:
    rated = recordings.join(ratings, on="recording_id", how="semi")
    for name in (*SPLITS, None):
        of_split = pl.col("split").eq_missing(pl.lit(name, pl.String))
        rows = recordings.filter(of_split)
        if rows.height:
            statuses = {status: rows.filter(status=status).height for status in STATUSES}
            yield Part(name or "no split", statuses, rated.filter(of_split).height)
