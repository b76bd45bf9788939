"""Print the results and where to look next: `python -m pipeline_lib.console`.

Waits for what stages have said and MLflow does not have yet.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline_lib.core import paths, spool
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.correlation.partition import SELECTIONS

LIMIT = 120  # s


def main() -> None:
    console = Console()
    for table in tables():
        console.print(table)
    send_all(console)
    console.print(f"Report: {paths.REPORT} (open it in a browser)")
    console.print("Runs:   `make ui` opens MLflow")
    console.print("Next:   `dvc exp run -S models.tiny.mvp.depth=4`, then `dvc exp show`")


def tables() -> list[Table]:
    """The results of what predicts labels, and of what estimates intensities."""
    of_labels = _table(
        "Weighted F1, out of fold: mean ± standard deviation over test folds", TARGETS
    )
    of_intensities = _table(
        "Mean Pearson correlation of intensities, by how the epoch was chosen", SELECTIONS
    )
    for path in sorted(paths.RESULTS.glob("*-*.json")):
        dataset, _, system = path.stem.partition("-")
        if path in (paths.comparisons(dataset), paths.correlations(dataset)):
            continue
        result = json.loads(path.read_text())
        data = ", ".join(["synthetic" if result["synthetic"] else "real", *result["flaws"]])
        if "headline" in result:
            table, scores = of_labels, [_score(result[t], result["headline"]) for t in TARGETS]
        else:
            table, scores = of_intensities, [_correlation(result[s]) for s in SELECTIONS]
        table.add_row(dataset, data, system, str(result["n_recordings"]), *scores)
    return [table for table in (of_labels, of_intensities) if table.row_count]


def _table(title: str, scores: Sequence[str]) -> Table:
    table = Table(title=title)
    for column in ("data set", "data", "system", "recordings", *scores):
        table.add_column(column, justify="left" if column in ("data set", "system") else "right")
    return table


def send_all(console: Console) -> None:
    """Wait until MLflow has everything; say what keeps it from that, and where the rest is."""
    told = spool.untold()
    if spool.waiting():
        console.print(f"Sending the last runs to MLflow, for at most {LIMIT} s ...")
        if left := spool.wait(LIMIT):
            told += spool.untold()
            told.append(
                f"{len(left)} runs wait in {spool.FOLDER} (see sender.log there); this command, or "
                "the next stage, sends them"
            )
    for text in told:
        console.print(text, style="yellow", markup=False)


def _correlation(of_selection: Mapping[str, Any]) -> str:
    mean = of_selection["pearson"]["mean"]
    return f"{mean['value']:.2f} ({mean['low']:.2f} to {mean['high']:.2f})"


def _score(of_target: Mapping[str, Any], headline: str) -> str:
    """Folds of one person have no score of their own: then that of all recordings at once."""
    if headline == "pooled":
        return f"{of_target['pooled']['weighted_f1']['value']:.2f}, pooled"
    return f"{of_target['folds']['mean']:.2f} ± {of_target['folds']['std']:.2f}"


if __name__ == "__main__":
    main()
