"""Print the results and where to look next: `python -m pipeline_lib.console`.

Waits for what stages have said and MLflow does not have yet.
"""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline_lib.core import paths, spool
from pipeline_lib.core.schema import TARGETS

LIMIT = 120  # s


def main() -> None:
    table = Table(title="Weighted F1, out of fold: mean ± standard deviation over test folds")
    for column in ("data set", "data", "system", "recordings", *TARGETS):
        table.add_column(column, justify="left" if column in ("data set", "system") else "right")
    for path in sorted(paths.RESULTS.glob("*-*.json")):
        dataset, _, system = path.stem.partition("-")
        if path == paths.comparisons(dataset):
            continue
        result = json.loads(path.read_text())
        table.add_row(
            dataset,
            ", ".join(["synthetic" if result["synthetic"] else "real", *result["flaws"]]),
            system,
            str(result["n_recordings"]),
            *(_score(result[target], result["headline"]) for target in TARGETS),
        )
    console = Console()
    console.print(table)
    send_all(console)
    console.print(f"Report: {paths.REPORT} (open it in a browser)")
    console.print("Runs:   `make ui` opens MLflow")
    console.print("Next:   `dvc exp run -S models.tiny.mvp.depth=4`, then `dvc exp show`")


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


def _score(of_target: Mapping[str, Any], headline: str) -> str:
    """Folds of one person have no score of their own: then that of all recordings at once."""
    if headline == "pooled":
        return f"{of_target['pooled']['weighted_f1']['value']:.2f}, pooled"
    return f"{of_target['folds']['mean']:.2f} ± {of_target['folds']['std']:.2f}"


if __name__ == "__main__":
    main()
