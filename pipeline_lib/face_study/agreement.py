"""How well two face extractors agree on one video, for those who change from one to the other.

    python -m pipeline_lib.face_study.agreement A.csv B.csv [--out DIR]

A and B are in OpenFace's format, of any of its versions or of the embedded command; B is the
reference. Only frames in which both have a face are compared. With --out, DIR gets
agreement.html (a picture that opens from a file) and agreement.csv (a row an action unit).
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline_lib.core import tables
from pipeline_lib.face.openface_csv import CSVError
from pipeline_lib.face_study.comparison import Comparison, compare

COMPARED, NOT_COMPARED = 0, 1  # exit codes; 2 is argparse's

INTENSITIES = {  # of the table: title -> column of comparison.UNITS
    "mean A": "mean_a",
    "mean B": "mean_b",
    "r": "r",
    "ICC(3,1)": "icc_3_1",
    "ICC(2,1)": "icc_2_1",
}
PRESENCES = {
    "present A": "present_a",
    "present B": "present_b",
    "AUC": "auc",
    "F1": "f1",
    "kappa": "kappa",
}
NOTES = (
    "r: Pearson's. ICC(3,1): consistency, ICC(2,1): absolute agreement (Shrout and Fleiss 1979). "
    "AUC: A's intensity against B's presence. F1, kappa: A's presence against B's; 'present' is "
    "the share of frames."
)


def main(arguments: Sequence[str]) -> int:
    """Compare, print and write; returns the exit code."""
    options = _parse(arguments)
    try:
        found = compare(options.a, options.b, join=options.join, tolerance=options.tolerance)
    except (CSVError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_COMPARED
    console = Console()
    show(found, console)
    if options.out is not None:
        from pipeline_lib.face_study.agreement_page import render  # plotly takes its time

        page, table = options.out / "agreement.html", options.out / "agreement.csv"
        html = render(found)
        tables.atomic_write(page, lambda temporary: temporary.write_text(html))
        tables.write_csv(found.units, table)
        console.print(f"Written: {escape(str(page))}, {escape(str(table))}", soft_wrap=True)
    return COMPARED


def show(found: Comparison, console: Console) -> None:
    """Print what was compared, the action units, the other errors and a sentence."""
    for line in facts(found):
        console.print(escape(line), soft_wrap=True)
    if found.units.height:
        console.print(_units(found, "Intensities", INTENSITIES, note="intensity_note"))
        console.print(_units(found, "Presences", PRESENCES, note="presence_note"))
        console.print(escape(NOTES))
    if found.errors:
        errors = Table(title="Errors, frame by frame")
        for title in ("", "mean", "95 %"):
            errors.add_column(title, justify="right" if title else "left")
        for name, spread in found.errors.items():
            errors.add_row(name, f"{spread.mean:.2f}", f"{spread.p95:.2f}")
        console.print(errors)
    console.print(escape(sentence(found)), soft_wrap=True)


def facts(found: Comparison) -> list[str]:
    """What was compared: files, frames that found a partner, faces, what is missing."""
    lines = [
        f"{side}: {name}, {rows} rows, {rows - found.pairs.height} of them without a partner"
        for side, name, rows in zip("AB", found.names, found.rows, strict=True)
    ]
    counts = found.success
    share = (counts["both"] + counts["neither"]) / found.pairs.height
    faces = ", ".join(f"{name} {count}" for name, count in counts.items())
    lines.append(
        f"{found.pairs.height} frames, joined by {found.joined}; a face in {faces}: "
        f"the same in {share:.1%}. Compared: the {counts['both']} with a face in both."
    )
    if found.missing:
        lines.append(f"Not compared, for a file lacks the columns: {', '.join(found.missing)}")
    return lines


def sentence(found: Comparison) -> str:
    """The outcome in words, to be pasted."""
    parts = []
    means = found.units.select("r", "icc_3_1", "icc_2_1", "auc").mean().to_dicts()[0]
    if found.moving.height:
        parts.append(
            f"over the {found.moving.height} action units that move in both, mean "
            f"r {means['r']:.2f}, ICC(3,1) {means['icc_3_1']:.2f}, ICC(2,1) {means['icc_2_1']:.2f}"
        )
    if means["auc"] is not None:
        n_areas = found.units["auc"].count()
        parts.append(f"mean presence AUC {means['auc']:.2f} over {n_areas} action units")
    parts += [
        f"{name.rpartition(', ')[0]} {spread.mean:.1f} {name.rpartition(', ')[2]}"
        for name, spread in found.errors.items()
        if name.startswith(("gaze, mean", "head rotation", "landmarks"))
    ]
    return f"{found.success['both']} frames: {'; '.join(parts)}."


def cells(row: Mapping[str, float | None], columns: Iterable[str]) -> list[str]:
    """Numbers of an action unit, a dash where one is not defined."""
    values = [row[column] for column in columns]
    return ["-" if value is None else f"{round(value, 2) + 0.0:.2f}" for value in values]


def _units(found: Comparison, title: str, columns: Mapping[str, str], *, note: str) -> Table:
    table = Table(title=title)
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in found.units.to_dicts():
        table.add_row(row["unit"], *cells(row, columns.values()), row[note] or "")
    return table


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline_lib.face_study.agreement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", type=Path, metavar="A.csv")
    parser.add_argument("b", type=Path, metavar="B.csv", help="the reference")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the picture and table")
    parser.add_argument(
        "--join",
        choices=("auto", "frame", "time"),
        default="auto",
        help="by number of frame, by nearest time, or by frame if the times then agree (default)",
    )
    parser.add_argument(
        "--tolerance", type=float, help="s between joined times; default: half a step of the finer"
    )
    options = parser.parse_args(arguments)
    if options.tolerance is not None and not options.tolerance > 0:
        parser.error(f"--tolerance is {options.tolerance}, not above 0 s")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
