"""The paper's Table 2: how many videos the data sets and corpora hold, and how long they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from pipeline_lib.report import markup
from pipeline_lib.report.published import TABLE_2, Collection

COLUMNS = ("video clips", "average duration", "source")


@dataclass(frozen=True)
class Videos:
    """The videos of one data set or of several, as far as they could be decoded."""

    n_clips: int
    seconds: float  # of all
    n_synthetic: int  # of the clips

    @classmethod
    def of(cls, timing: pl.DataFrame, *, synthetic: bool) -> "Videos":
        """timing: schema.SYNC of one data set"""
        found = timing.filter(pl.col("n_frames").is_not_null())
        seconds = float(found["video_seconds"].sum())
        return cls(found.height, seconds, found.height if synthetic else 0)

    def __add__(self, other: "Videos") -> "Videos":
        return Videos(
            self.n_clips + other.n_clips,
            self.seconds + other.seconds,
            self.n_synthetic + other.n_synthetic,
        )


def table_2(videos: Mapping[str, Videos], corpora: Mapping[str, Sequence[str]]) -> str:
    """Ours under each published row: data sets, then corpora of more than one.

    videos  : data set -> its videos
    corpora : name -> data sets
    """
    several = {name: members for name, members in corpora.items() if len(members) > 1}
    joined = {
        name: sum((videos[member] for member in members), Videos(0, 0.0, 0))
        for name, members in several.items()
    }
    ours = {**videos, **joined}
    rows = []
    for name in dict.fromkeys([*videos, *TABLE_2, *joined]):
        published = TABLE_2.get(name)
        if published is not None:
            rows.append(_published(published, joined=name in ours))
        if name in ours:
            title = "" if published else escape(name)
            rows.append(_ours(ours[name], title=title, members=several.get(name, ())))
    return markup.table(markup.head(["Data set", "from"], COLUMNS), rows)


def _published(row: Collection, *, joined: bool) -> str:
    seconds = markup.NONE if row.seconds is None else f"{row.seconds} s"
    values = markup.cells([str(row.n_clips), seconds, row.source])
    kind = "published joined" if joined else "published"
    return (
        f'<tr class="{kind}"><td class="name">{row.title}</td>'
        f'<td class="from">published</td>{values}</tr>'
    )


def _ours(videos: Videos, *, title: str, members: Sequence[str]) -> str:
    mean = f"{videos.seconds / videos.n_clips:.1f} s" if videos.n_clips else markup.NONE
    values = markup.cells([str(videos.n_clips), mean, _source(videos, members)])
    return f'<tr class="ours"><td class="name">{title}</td><td class="from">ours</td>{values}</tr>'


def _source(videos: Videos, members: Sequence[str]) -> str:
    if not videos.n_clips:
        return markup.NONE
    if videos.n_synthetic == videos.n_clips:
        kind = "synthetic"
    else:
        kind = f"{videos.n_synthetic} synthetic, the others real" if videos.n_synthetic else "real"
    return f"{escape(', '.join(members))}: {kind}" if members else kind
