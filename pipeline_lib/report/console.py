"""Print the results and where to look next: `python -m pipeline_lib.report.console`."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline_lib import paths
from pipeline_lib.schema import TARGETS


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
    console.print(f"Report: {paths.REPORT} (open it in a browser)")
    console.print("Runs:   `make ui` opens MLflow")
    console.print("Next:   `dvc exp run -S models.tiny.mvp.depth=4`, then `dvc exp show`")


def _score(of_target: Mapping[str, Any], headline: str) -> str:
    """Folds of one person have no score of their own: then that of all recordings at once."""
    if headline == "pooled":
        return f"{of_target['pooled']['weighted_f1']['value']:.2f}, pooled"
    return f"{of_target['folds']['mean']:.2f} ± {of_target['folds']['std']:.2f}"


if __name__ == "__main__":
    main()
