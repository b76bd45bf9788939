"""Print the results and where to look next: `python -m pipeline_lib.report.console`."""

import json

from rich.console import Console
from rich.table import Table

from pipeline_lib import paths
from pipeline_lib.schema import TARGETS


def main() -> None:
    table = Table(title="Weighted F1, out of fold: mean ± standard deviation over test folds")
    for column in ("data set", "data", "system", "recordings", *TARGETS):
        table.add_column(column, justify="left" if column in ("data set", "system") else "right")
    for path in sorted(paths.RESULTS.glob("*-*.json")):
        result = json.loads(path.read_text())
        dataset, _, system = path.stem.partition("-")
        scores = [result[target]["folds"] for target in TARGETS]
        table.add_row(
            dataset,
            "synthetic" if result["synthetic"] else "real",
            system,
            str(result["n_recordings"]),
            *(f"{score['mean']:.2f} ± {score['std']:.2f}" for score in scores),
        )
    console = Console()
    console.print(table)
    console.print(f"Report: {paths.REPORT} (open it in a browser)")
    console.print("Runs:   `make ui` opens MLflow")
    console.print("Next:   `dvc exp run -S models.tiny.mvp.depth=4`, then `dvc exp show`")


if __name__ == "__main__":
    main()
