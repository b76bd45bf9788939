"""Every published cell beside ours, and in what ours was made otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from pipeline_lib.report import deviations, markup, results
from pipeline_lib.report.deviations import Deviation, Setup
from pipeline_lib.report.published import (
    STRATEGIES,
    SYSTEMS,
    TABLE_3,
    TABLE_4,
    TARGET,
    TARGETS,
    Score,
)

Results = Mapping[str, Mapping[str, results.Summary]]  # data set -> system -> summary


@dataclass(frozen=True)
class Cells:
    """The published cells of one row and one input, and the system of ours that answers them."""

    names: tuple[str, str]  # row, input or pre-training
    published: Mapping[str, Score]  # target -> score
    system: str | None  # None: none was run


@dataclass
class Numbered:
    """Deviations in the order of their first appearance."""

    seen: dict[Deviation, int] = field(default_factory=dict)

    def of(self, found: Sequence[Deviation]) -> str:
        for deviation in found:
            self.seen.setdefault(deviation, len(self.seen) + 1)
        return ", ".join(f'<span title="{escape(d.title)}">{self.seen[d]}</span>' for d in found)


def section(trained: Results, setup: Setup) -> str:
    """A table a data set that the paper has, then the deviations that its numbers name."""
    numbered = Numbered()
    parts = []
    for dataset, of_set in trained.items():
        for title, rows in (
            ("Table 4", cells_4(dataset, of_set)),
            ("Table 3, valence from raw video", cells_3(dataset, of_set)),
        ):
            if rows:
                parts.append(f"<h3>{escape(dataset.upper())}: {title}</h3>")
                parts.append(_table(dataset, rows, of_set, setup, numbered))
    return "".join(parts) + legend(numbered.seen)


def cells_4(dataset: str, ran: Mapping[str, results.Summary]) -> list[Cells]:
    """Of Table 4, a row and input each."""
    theirs = TABLE_4.get(dataset, {})
    ours = {
        (SYSTEMS[name].line(theirs), modality): name
        for name in ran
        for modality in SYSTEMS[name].modalities
    }
    return [
        Cells((row, modality), dict(zip(TARGETS, scores, strict=True)), ours.get((row, modality)))
        for row, of_row in theirs.items()
        for modality, scores in of_row.items()
    ]


def cells_3(dataset: str, ran: Mapping[str, results.Summary]) -> list[Cells]:
    """Of Table 3, a strategy each."""
    ours = {
        (ssl, supervised.replace(TARGET, dataset.upper())): name
        for name, (ssl, supervised) in STRATEGIES.items()
        if name in ran
    }
    return [
        Cells((f"SSL {ssl}", f"supervised {taught}"), {"valence": score}, ours.get((ssl, taught)))
        for (ssl, taught), score in TABLE_3.get(dataset, {}).items()
    ]


def _table(
    dataset: str,
    rows: Sequence[Cells],
    ran: Mapping[str, results.Summary],
    setup: Setup,
    numbered: Numbered,
) -> str:
    targets = [target for target in TARGETS if target in rows[0].published]
    titles = [title for t in targets for title in (f"{t}, published", f"{t}, ours")]
    lines = []
    for row in rows:
        values = [
            value
            for target in targets
            for value in (
                results.plus_minus(row.published[target]),
                markup.NONE if row.system is None else results.our_score(ran[row.system], target),
            )
        ]
        if row.system is None:
            values += ["0", "not run"]
        else:
            result = ran[row.system]
            found = deviations.of(setup, dataset, row.system, result)
            values += [str(result["n_recordings"]), numbered.of(found)]
        names = markup.cells([*map(escape, row.names)], kind="name")
        lines.append(f"<tr>{names}{markup.cells(values)}</tr>")
    return markup.table(markup.head(["", ""], [*titles, "recordings", "deviations"]), lines)


def legend(seen: Mapping[Deviation, int]) -> str:
    items = "".join(
        f'<li value="{number}"><b>{escape(d.title)}</b>: {escape(d.detail)}</li>'
        for d, number in seen.items()
    )
    return f"<h3>Deviations</h3><ol class='note'>{items}</ol>" if seen else ""
