"""Pictures of labels against estimates by deciles, as Figures 2 and 3 of ViPER: SVG, no script."""

from collections.abc import Sequence
from html import escape

from pipeline_lib.report.style import FONT, INK, LINE, MUTED, PAPER

CELL = 36  # px, a side
LEFT, TOP, BELOW = 96, 30, 66  # px, for names
DARK = (11, 114, 133)  # red, green, blue of a share of 1: style.OURS
DEEP = 0.5  # share of a row from which its number is written in white


def confusion(counts: Sequence[Sequence[int]], *, title: str) -> str:
    """Share of each row, the decile of the label, in each column, that of the estimate.

    counts : 10 x 10. A row of no recordings is left empty.
    """
    n = len(counts)
    width, height = LEFT + n * CELL + 8, TOP + n * CELL + BELOW
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(title)}" font-family="{escape(FONT)}" font-size="11">',
        _text(LEFT + n * CELL / 2, 16, title, weight=600, size=13),
    ]
    for i, row in enumerate(counts):
        y = TOP + i * CELL
        parts.append(_text(LEFT - 8, y + CELL / 2 + 4, _name(i, n), anchor="end", colour=MUTED))
        parts += [
            _cell(LEFT + j * CELL, y, count / sum(row) if sum(row) else None)
            for j, count in enumerate(row)
        ]
    for j in range(n):
        x, y = LEFT + (j + 0.5) * CELL + 3, TOP + n * CELL + 10
        parts.append(
            f'<text x="{x:g}" y="{y}" text-anchor="end" fill="{MUTED}" '
            f'transform="rotate(-45 {x:g} {y})">{_name(j, n)}</text>'
        )
    parts.append(_text(LEFT + n * CELL / 2, height - 4, "estimate", colour=INK))
    parts.append(
        f'<text transform="translate(12 {TOP + n * CELL / 2:g}) rotate(-90)" '
        f'text-anchor="middle" fill="{INK}">label</text></svg>'
    )
    return "".join(parts)


def _cell(x: float, y: float, share: float | None) -> str:
    if share is None:
        return f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{LINE}"/>'
    colour = "#" + "".join(f"{round(255 - share * (255 - dark)):02x}" for dark in DARK)
    ink = PAPER if share >= DEEP else INK
    return (
        f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{colour}" stroke="{LINE}"/>'
        + _text(x + CELL / 2, y + CELL / 2 + 4, f"{share:.2f}", colour=ink)
    )


def _name(i: int, n: int) -> str:
    return f"[{i / n:.1f}, {(i + 1) / n:.1f}{']' if i == n - 1 else ')'}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "middle",
    colour: str = INK,
    weight: int = 400,
    size: int = 11,
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}" font-size="{size}">{escape(text)}</text>'
    )
