"""The quality page of a data set: what is there before anything is computed on it.

It opens from a file, loads nothing, holds no script, and is the same for the same facts.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from pipeline_lib.core import tables
from pipeline_lib.quality import pictures
from pipeline_lib.quality.contents import Channel, Rating, Spread, Video
from pipeline_lib.quality.summary import USABLE, Count, Part, Summary
from pipeline_lib.quality.trouble import Copies, Reason
from pipeline_lib.report import markup, style

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
NAMED = 6  # recordings beside a reason; the others are folded away
MOST_NAMED = 2000  # recordings in all beside a reason
MOST_ROWS = 40  # of a table; a set of a hundred thousand clips would have as many reasons

CSS = f"""{style.CSS}
svg text {{ font: 11px {style.FONT}; fill: {style.MUTED}; }}
svg.grid text {{ font-size: 10.5px; }}
.ratings {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(310px, 1fr));
  gap: 18px 26px; }}
.ratings figure {{ margin: 0; }}
.ratings b {{ font-size: 15px; }}
td.less {{ color: #9c5700; background: #fff4d6; font-weight: 600; }}
td.more {{ color: {style.BAD}; background: #ffecec; font-weight: 600; }}
td.same {{ color: {style.GOOD}; }}
td details summary {{ font-weight: 400; font-size: 15px; margin: 0; }}
td.why {{ text-align: left; max-width: 520px; overflow-wrap: anywhere; }}
"""


def render(summary: Summary) -> str:
    """The whole page."""
    sections = {
        "Counts": _counts(summary),
        "Recordings": _recordings(summary),
        "Why recordings are not ok": _reasons(summary.reasons),
        "Copies": _copies(summary.copies),
        "Signals": _signals(summary),
        "Videos": _videos(summary),
        "Ratings": _ratings(summary),
    }
    body = "".join(
        f"<section><h2>{title}</h2>{content}</section>" for title, content in sections.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(summary.dataset)}: data quality</title><style>{CSS}</style></head>"
        f"<body>{_header(summary)}<main>{body}</main></body></html>\n"
    )


def write(summary: Summary, path: Path) -> None:
    """Write the page, whole or not at all."""
    html = render(summary)
    tables.atomic_write(path, lambda temporary: temporary.write_text(html))


def _header(summary: Summary) -> str:
    banner = (
        '<p class="banner"><b>This is a synthetic twin.</b> Its files have the layout and the '
        "traps of the real set and are fewer on purpose. Nobody was recorded.</p>"
        if summary.synthetic
        else ""
    )
    lost = summary.found - summary.usable
    cards = [_card(f"{n:,}", f"recordings {status}") for status, n in summary.statuses.items()]
    return (
        f"<header><div><h1>{escape(summary.dataset)}: data quality</h1>"
        f'<p class="lead">{summary.usable:,} of {summary.found:,} recordings can be used'
        f"{f'; {lost:,} cannot' if lost else ''}.</p>{banner}"
        f'<div class="cards">{"".join(cards)}</div><p></p></div></header>'
    )


def _card(number: str, words: str) -> str:
    return f'<div class="card"><b>{number}</b><span>{words}</span></div>'


def _counts(summary: Summary) -> str:
    rows = [f"<tr>{_count(count)}</tr>" for count in summary.counts]
    head = markup.head([""], ["official", "found", "difference", "of these usable"])
    source = f" Official: {escape(summary.source)}." if summary.source else ""
    return (
        f'{markup.table(head, rows)}<p class="note">Found: in the file names and tables of the '
        f"set. Usable: of recordings that are ok or partial; the latter lack something.{source}</p>"
    )


def _count(count: Count) -> str:
    official, difference, kind = markup.NONE, markup.NONE, ""
    if count.official is not None:
        official, by = f"{count.official:,}", count.found - count.official
        difference = f"{by:+,}" if by else "none"
        kind = "less" if by < 0 else "more" if by else "same"
    return (
        f'<td class="name">{count.what}</td><td>{official}</td><td>{count.found:,}</td>'
        f'<td class="{kind}">{difference}</td><td>{count.usable:,}</td>'
    )


def _recordings(summary: Summary) -> str:
    legend = f'<p class="note">Recordings:{pictures.legend(nothing=summary.grid is not None)}</p>'
    lasting = (
        f"<p>Recordings last {_spread(summary.durations)} s.</p>" if summary.durations.n else ""
    )
    if summary.grid is None:
        return lasting + legend + _parts(summary.parts)
    parts = _parts(summary.parts) if len(summary.parts) > 1 else ""
    picture = pictures.grid(summary.grid, usable=USABLE)
    return (
        f'{lasting}{legend}{parts}<figure class="scroll">{picture}</figure><p class="note">'
        "A row a subject, a column a trial; at the end, usable of found. Hover over a cell for its "
        "reason.</p>"
    )


def _parts(parts: Sequence[Part]) -> str:
    rows = []
    for part in parts:
        found = sum(part.statuses.values())
        words = ", ".join(f"{n:,} {status}" for status, n in part.statuses.items() if n)
        rows.append(
            f'<tr><td class="name">{escape(part.name)}</td><td>{found:,}</td>'
            f'<td style="width:55%">{pictures.stacked(part.statuses)}'
            f'<span class="counts">{words}</span></td><td>{part.rated:,}</td></tr>'
        )
    return markup.table(markup.head(["split"], ["recordings", "", "rated"]), rows)


def _reasons(reasons: Sequence[Reason]) -> str:
    if not reasons:
        return "<p>Every one is ok.</p>"
    rows = [
        f'<tr><td class="name"><b style="color:{style.STATUS_COLOURS[reason.status]}">'
        f'{reason.status}</b></td><td class="name">{len(reason.recordings):,}</td>'
        f'<td class="why">{_why(reason)}</td>'
        f'<td class="why">{_named(reason.recordings)}</td></tr>'
        for reason in reasons[:MOST_ROWS]
    ]
    head = markup.head(["status", "n", "reason", "recordings"], [])
    return markup.table(head, rows) + _left_out(len(reasons), "reasons")


def _why(reason: Reason) -> str:
    """What the reasons have in common; if that leaves something out, one of them too."""
    text, example = (escape(markup.without_folders(x)) for x in (reason.text, reason.example))
    if text == example:
        return text
    return f"{text}<small>{escape(reason.recordings[0])}: {example}</small>"


def _copies(copies: Sequence[Copies]) -> str:
    if not copies:
        return "<p>No content occurs twice.</p>"
    rows = [
        f'<tr><td class="name">{of.what}</td><td>{len(of.recordings):,}</td>'
        f'<td class="{"more" if of.subjects > 1 else ""}">{of.subjects:,}</td>'
        f'<td class="{"more" if of.splits > 1 else ""}">{of.splits:,}</td>'
        f'<td class="why">{_named(of.recordings)}</td></tr>'
        for of in copies[:MOST_ROWS]
    ]
    head = markup.head(["content"], ["recordings", "in subjects", "in splits", ""])
    return (
        f"<p>The same content in several recordings; in several subjects or splits, training and "
        f"test may share it.</p>{markup.table(head, rows)}{_left_out(len(copies), 'copies')}"
    )


def _named(names: Sequence[str]) -> str:
    """The names, those beyond NAMED folded away."""
    first, others = escape(", ".join(names[:NAMED])), names[NAMED:MOST_NAMED]
    if not others:
        return first
    beyond = len(names) - MOST_NAMED
    rest = escape(", ".join(others)) + (f" and {beyond:,} more" if beyond > 0 else "")
    return f"<details><summary>{first} and {len(names) - NAMED:,} more</summary>{rest}</details>"


def _left_out(n_rows: int, what: str) -> str:
    beyond = n_rows - MOST_ROWS
    return f'<p class="note">{beyond:,} more {what} are not shown.</p>' if beyond > 0 else ""


def _signals(summary: Summary) -> str:
    if not summary.channels:
        return "<p>No recording has signals.</p>"
    rows = [f"<tr>{''.join(_channel(channel))}</tr>" for channel in summary.channels[:MOST_ROWS]]
    head = markup.head(["channel"], ["recordings", "sampling rate", "unit", "length"])
    return markup.table(head, rows) + _left_out(len(summary.channels), "rows")


def _channel(channel: Channel) -> Iterator[str]:
    yield f'<td class="name">{escape(channel.channel)}</td><td>{channel.seconds.n:,}</td>'
    yield f"<td>{channel.sampling_rate:g} Hz</td><td>{escape(channel.unit)}"
    if channel.source_unit:
        yield f"<small>converted from {escape(channel.source_unit)}</small>"
    yield f"</td><td>{_spread(channel.seconds)} s</td>"


def _videos(summary: Summary) -> str:
    videos = summary.videos
    if not any(count.found for count in summary.counts if count.what == "videos"):
        return "<p>No recording has a video.</p>"
    if not videos:
        return "<p>Their headers were not read; <code>make check-data</code> does it.</p>"
    rows = [f"<tr>{''.join(_video(video))}</tr>" for video in videos[:MOST_ROWS]]
    titles = ["videos", "picture", "frame rate", "length", "frames in all"]
    return (
        "<p>What the headers announce; they may lie.</p>"
        f"{markup.table(markup.head(['codec'], titles), rows)}{_left_out(len(videos), 'rows')}"
    )


def _video(video: Video) -> Iterator[str]:
    rate = markup.NONE if video.frame_rate is None else f"{video.frame_rate:g} Hz"
    frames = markup.NONE if video.announced is None else f"{video.announced:,}"
    decoded = "" if video.decoded is None else f"<small>{video.decoded:,} decode</small>"
    yield f'<td class="name">{escape(video.codec)}</td><td>{video.n:,}</td>'
    yield f"<td>{video.width} x {video.height}</td><td>{rate}</td>"
    yield f"<td>{_spread(video.seconds)} s</td><td>{frames}{decoded}</td>"


def _ratings(summary: Summary) -> str:
    if not summary.ratings:
        return "<p>No recording is rated.</p>"
    figures = "".join(_rating(rating, summary) for rating in summary.ratings)
    return f'<div class="ratings">{figures}</div>'


def _rating(rating: Rating, summary: Summary) -> str:
    words = f"{rating.values.n:,} of {summary.found:,} rated, median {rating.values.median:.3g}"
    if rating.labels:
        low, high = rating.labels
        words += (
            f"<br>label 0 (up to {summary.threshold:g}): {low:,}, "
            f'<span style="color:{style.OURS}">label 1: {high:,}</span>'
        )
    return (
        f"<figure><b>{escape(rating.name)}</b>{pictures.histogram(rating)}"
        f"<figcaption>{words}</figcaption></figure>"
    )


def _spread(values: Spread) -> str:
    """The median, and lowest and highest if they differ."""
    if values.median is None:
        return markup.NONE
    if values.low == values.high:
        return f"{values.median:.4g}"
    return f"{values.low:.4g} &ndash; {values.high:.4g}, median {values.median:.4g}"
