"""Pictures of the quality page as inline SVG: which trial is there, how ratings are spread."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from pipeline_lib.quality.contents import Bar, Rating
from pipeline_lib.quality.trouble import Cell, Grid
from pipeline_lib.report import style
from pipeline_lib.report.markup import without_folders

NOTHING = "#eceef2"  # of a cell without a recording
LABEL_COLOURS = ("#9aa5b1", style.OURS)  # of label 0 and 1

# Of the grid, in px.
PAGE, END = 1000, 60  # the whole, and the counts at the end of rows
WIDEST, NARROWEST, TALLEST, LOWEST = 28, 7, 16, 11  # a cell
LETTER = 6.6
LONGEST_NAME = 24  # letters; longer ones lose their middle
MANY_SUBJECTS = 60

# Of a histogram, in px.
WIDTH, HEIGHT, FOOT = 300, 96, 18


def grid(table: Grid, *, usable: Sequence[str]) -> str:
    """Subjects x trials, a cell a recording; what is wrong with it shows on hovering.

    usable : statuses that count at the end of a row
    """
    n_trials = len(table.trials)
    left = round(LETTER * max(len(_short(name)) for name in table.rows)) + 8
    top = round(LETTER * max(len(_short(name)) for name in table.trials)) + 8
    wide = min(WIDEST, max(NARROWEST, (PAGE - END - left) // n_trials))
    high = TALLEST if len(table.rows) <= MANY_SUBJECTS else LOWEST
    every = -(-LOWEST // wide)  # so that names do not overlap
    names = "".join(
        f'<text transform="translate({left + (i + 0.5) * wide + 4:g} {top - 5}) rotate(-90)">'
        f"{escape(_short(name))}</text>"
        for i, name in enumerate(table.trials)
        if i % every == 0
    )
    rows = "".join(
        f'<text x="{left - 6}" y="{(i + 0.5) * high + top + 4:g}" text-anchor="end">'
        f"{escape(_short(subject))}</text>"
        f'<text x="{left + n_trials * wide + 6}" y="{(i + 0.5) * high + top + 4:g}">'
        f"{_share(cells, usable)}</text>"
        for i, (subject, cells) in enumerate(table.rows.items())
    )
    places = _places(table, left=left, top=top, wide=wide, high=high)
    width, height = left + n_trials * wide + END, top + len(table.rows) * high + 4
    return _svg("grid", width, height, names + rows + _cells(places, wide - 2, high - 2))


def histogram(rating: Rating) -> str:
    """How often values of a rating were given, coloured by label."""
    highest = max(sum(bar.counts) for bar in rating.bars)
    step = WIDTH / len(rating.bars)
    colours = LABEL_COLOURS if rating.labels else (style.OURS,)
    parts = []
    for i, bar in enumerate(rating.bars):
        base = float(HEIGHT)
        for count, colour in zip(bar.counts, colours, strict=True):
            tall = (HEIGHT - 12) * count / highest
            base -= tall
            parts.append(
                f'<rect x="{i * step + 1:.5g}" y="{base:.5g}" width="{step - 2:.5g}" '
                f'height="{tall:.5g}" fill="{colour}"><title>{_range(bar)}: {count}</title></rect>'
            )
    axis = f'<path d="M0 {HEIGHT}.5h{WIDTH}" stroke="{style.MUTED}"/>'
    return _svg("histogram", WIDTH, HEIGHT + FOOT, "".join(parts) + axis + _ticks(rating.bars))


def stacked(statuses: Mapping[str, int]) -> str:
    """One bar of all statuses, by their share."""
    parts = "".join(
        f'<span style="flex:{n};background:{style.STATUS_COLOURS[status]}" title="{n} {status}">'
        "</span>"
        for status, n in statuses.items()
        if n
    )
    return f'<div class="bar">{parts}</div>'


def legend(*, nothing: bool) -> str:
    """What the colours stand for; `nothing`: the one of empty cells too."""
    colours = style.STATUS_COLOURS | ({"no such recording": NOTHING} if nothing else {})
    return "".join(
        f'<span class="dot" style="background:{colour}"></span>{status}'
        for status, colour in colours.items()
    )


def _places(
    table: Grid, *, left: int, top: int, wide: int, high: int
) -> Iterator[tuple[int, int, str, Cell]]:
    """Yield (x, y, name, cell) of all cells."""
    for i, (subject, cells) in enumerate(table.rows.items()):
        for j, cell in enumerate(cells):
            yield left + j * wide, top + i * high, f"{subject}, {table.trials[j]}", cell


def _cells(places: Iterator[tuple[int, int, str, Cell]], wide: int, high: int) -> str:
    """Cells with nothing to say are one path a colour, which is far shorter than rectangles."""
    paths: dict[str, list[str]] = {"": [], "ok": []}
    told = []
    for x, y, name, cell in places:
        if cell.status in paths:
            paths[cell.status].append(f"M{x} {y}h{wide}v{high}h-{wide}z")
        else:
            why = escape(f"{name}: {cell.status}; {without_folders(cell.reason)}")
            told.append(
                f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" '
                f'fill="{style.STATUS_COLOURS[cell.status]}"><title>{why}</title></rect>'
            )
    plain = "".join(
        f'<path d="{"".join(path)}" fill="{style.STATUS_COLOURS.get(status, NOTHING)}"/>'
        for status, path in paths.items()
    )
    return plain + "".join(told)


def _share(cells: Sequence[Cell], usable: Sequence[str]) -> str:
    return f"{sum(cell.status in usable for cell in cells)}/{sum(c.status != '' for c in cells)}"


def _ticks(bars: Sequence[Bar]) -> str:
    """Values under the bars, or the ends of the scale and its middle."""
    step = WIDTH / len(bars)
    if bars[0].low == bars[0].high:
        ticks = [((i + 0.5) * step, bar.low, "middle") for i, bar in enumerate(bars)]
    else:
        low, high = bars[0].low, bars[-1].high
        ticks = [(0, low, "start"), (WIDTH / 2, (low + high) / 2, "middle"), (WIDTH, high, "end")]
    return "".join(
        f'<text x="{x:.5g}" y="{HEIGHT + FOOT - 4}" text-anchor="{anchor}">{value:g}</text>'
        for x, value, anchor in ticks
    )


def _range(bar: Bar) -> str:
    return f"{bar.low:g}" if bar.low == bar.high else f"{bar.low:g} to {bar.high:g}"


def _short(name: str) -> str:
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[: half - 1]}\u2026{name[-half:]}"


def _svg(kind: str, width: float, height: float, content: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">{content}</svg>'
    )
