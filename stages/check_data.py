"""Check a download before anything is computed on it; outside of the DAG, `make check-data`."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console

from pipeline_lib.core import paths
from pipeline_lib.params import load_params
from pipeline_lib.quality import check, console, page
from pipeline_lib.quality.summary import summarise
from pipeline_lib.recordings import DatasetError


def main(dataset: str, *, decode: bool) -> int:
    """Write the quality page and print it in short; 1 if the set as a whole cannot be used."""
    params = load_params()
    settings = params.datasets[dataset]
    root = Path(settings.root)
    adapter = import_module(f"pipeline_lib.datasets.{settings.layout}.{settings.part or 'adapter'}")
    terminal = Console()
    try:
        with terminal.status(f"looking for files in {root}"):
            sources = adapter.discover(root)
        facts = check.check(
            sources,
            read=adapter.read,
            root=root,
            decode=decode,
            execution=params.execution,
            heart=settings.heart,
            eda_unit=settings.eda_unit,
        )
    except DatasetError as error:
        message = f"{dataset} cannot be used: {error}".replace("<name>", dataset)
        terminal.print(message, style="red", markup=False, soft_wrap=True)
        return 1
    summary = summarise(
        facts,
        dataset=dataset,
        official=adapter.OFFICIAL,
        threshold=settings.threshold,
        synthetic=(root / "SYNTHETIC.md").exists(),
    )
    out = paths.quality(f"{dataset}-check")
    page.write(summary, out)
    console.show(summary, out, terminal)
    return 0 if summary.usable else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=load_params().datasets)
    parser.add_argument("--decode", action="store_true", help="decode and count all frames")
    arguments = parser.parse_args()
    sys.exit(main(arguments.dataset, decode=arguments.decode))
