"""A summary in the terminal: counts, what is wrong, and where the page is."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline_lib.quality.summary import Summary

MOST_ROWS = 15  # of reasons
NAMED = 3  # recordings beside a reason


def show(summary: Summary, page: Path, console: Console) -> None:
    """Print a summary and the path of its page."""
    kind = "synthetic twin" if summary.synthetic else "data set"
    console.print(_counts(summary, title=f"{summary.dataset}: {kind}"))
    if summary.reasons:
        console.print(_reasons(summary))
    if summary.copies:
        leaks = sum(copies.subjects > 1 or copies.splits > 1 for copies in summary.copies)
        console.print(f"Copies:  {len(summary.copies)}, {leaks} in several subjects or splits")
    words = ", ".join(f"{n} {status}" for status, n in summary.statuses.items() if n)
    console.print(f"Usable:  {summary.usable or 'none'} of {summary.found} recordings ({words})")
    console.print(f"Page:    {page} (open it in a browser)")


def _counts(summary: Summary, *, title: str) -> Table:
    table = Table(title=title, caption=f"Official: {summary.source}" if summary.source else None)
    for column in ("", "official", "found", "usable"):
        table.add_column(column, justify="right" if column else "left")
    for count in summary.counts:
        official = "-" if count.official is None else str(count.official)
        table.add_row(count.what, official, str(count.found), str(count.usable))
    return table


def _reasons(summary: Summary) -> Table:
    more = len(summary.reasons) - MOST_ROWS
    table = Table(title="Not ok", caption=f"and {more} more reasons" if more > 0 else None)
    for column in ("status", "n", "reason", "recordings"):
        table.add_column(column, justify="right" if column == "n" else "left")
    for reason in summary.reasons[:MOST_ROWS]:
        names = ", ".join(reason.recordings[:NAMED])
        dots = ", ..." if len(reason.recordings) > NAMED else ""
        n = str(len(reason.recordings))
        table.add_row(reason.status, n, escape(reason.text), escape(names + dots))
    return table
