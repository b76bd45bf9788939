"""Tables of what happened to every recording, and of what no system was allowed to see."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from pipeline_lib.report import markup
from pipeline_lib.report.style import STATUS_COLOURS

Ledgers = Mapping[str, Mapping[str, pl.DataFrame]]  # data set -> stage -> schema.LEDGER

MOST_NAMED = 6  # recordings listed beside a reason


def ledger_table(ledgers: Ledgers) -> str:
    """Counts of statuses: a row a data set, a column a stage."""
    stages = list(dict.fromkeys(stage for of_set in ledgers.values() for stage in of_set))
    rows = []
    for dataset, of_set in ledgers.items():
        counts = [_statuses(of_set[s]) if s in of_set else markup.NONE for s in stages]
        rows.append(f'<tr><td class="name">{escape(dataset)}</td>{markup.cells(counts)}</tr>')
    legend = "".join(
        f'<span class="dot" style="background:{colour}"></span>{status}'
        for status, colour in STATUS_COLOURS.items()
    )
    head = markup.head(["data set"], [escape(stage) for stage in stages])
    return f'<p class="note">Recordings:{legend}</p>{markup.table(head, rows)}'


def reasons_table(ledgers: Ledgers) -> str:
    """Why recordings are not ok: equal reasons on one line, with the recordings."""
    rows = []
    for dataset, of_set in ledgers.items():
        for stage, ledger in of_set.items():
            for status, reason, names in _grouped(ledger):
                colour = f'<b style="color:{STATUS_COLOURS[status]}">{status}</b>'
                why = escape(markup.without_folders(reason))
                what = [dataset, stage, colour, str(len(names)), why, escape(_named(names))]
                rows.append(f"<tr>{markup.cells(what, kind='name')}</tr>")
    titles = ("data set", "stage", "status", "n", "reason", "recordings")
    return markup.table(markup.head(titles, []), rows) if rows else "<p>Every one is ok.</p>"


def leakage_table(audit: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> str:
    """What splits.audit_all found: a row for each data set and system.

    audit : data set -> system -> one report of splits.audit a fold
    """
    rows = []
    for dataset, systems in audit.items():
        for system, folds in systems.items():
            names = markup.cells([escape(dataset), escape(system)], kind="name")
            rows.append(f"<tr>{names}{markup.cells(_audited(folds))}</tr>")
    columns = ("folds", "subjects seen in each", "subjects of the test", "shared")
    return markup.table(markup.head(["data set", "system"], columns), rows)


def _audited(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    tested = [fold["test_subjects"] for fold in folds]
    shared = sum(fold["shared"] for fold in folds)
    seen = []
    for step in folds[0]["fitted_on_subjects"]:
        counts = [fold["fitted_on_subjects"][step] for fold in folds]
        seen.append(f"{escape(step)} {markup.span(min(counts), max(counts))}")
    verdict = str(shared) if shared else '<span class="ok">none</span>'
    return [str(len(folds)), ", ".join(seen), markup.span(min(tested), max(tested)), verdict]


def _statuses(ledger: pl.DataFrame) -> str:
    counts = {status: ledger.filter(status=status).height for status in STATUS_COLOURS}
    parts = "".join(
        f'<span style="flex:{n};background:{STATUS_COLOURS[status]}"></span>'
        for status, n in counts.items()
        if n
    )
    words = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    return f'<div class="bar">{parts}</div><span class="counts">{words}</span>'


def _grouped(ledger: pl.DataFrame) -> list[tuple[str, str, list[str]]]:
    """(status, reason, recordings), the most frequent first."""
    groups = (
        ledger.filter(pl.col("status") != "ok")
        .group_by("status", "reason")
        .agg(pl.col("recording_id").sort())
    )
    return sorted(groups.rows(), key=lambda group: (-len(group[2]), *group))


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
