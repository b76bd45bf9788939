"""The few pieces of HTML that all parts of the report are made of."""

import re
from collections.abc import Sequence

NONE = '<span class="none">&ndash;</span>'


def table(head: str, rows: Sequence[str]) -> str:
    """A table that scrolls sideways where it is too wide; head and rows are `<tr>`s."""
    return (
        f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )


def cells(values: Sequence[str], *, kind: str = "") -> str:
    """Cells of a row; the values are markup already."""
    opening = f'<td class="{kind}">' if kind else "<td>"
    return "".join(f"{opening}{value}</td>" for value in values)


def head(named: Sequence[str], centred: Sequence[str]) -> str:
    """A head row: the columns of names, to the left, then those of numbers."""
    left = "".join(f'<th class="name">{title}</th>' for title in named)
    return f"<tr>{left}{''.join(f'<th>{title}</th>' for title in centred)}</tr>"


def span(low: object, high: object) -> str:
    """A range, or one number if both ends are the same."""
    return f"{low}" if low == high else f"{low} &ndash; {high}"


def without_folders(text: str) -> str:
    """Leave of every absolute path its last part: a report tells nothing about a machine."""
    return re.sub(r"(?<![\w.])/(?:[^\s/:'\"]+/)+([^\s/:'\"]+)", r"\1", text)
