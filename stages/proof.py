"""Prove on planted twins that systems find all that can be found, and nothing else.

    python -m stages.proof [--subjects N] [--seed N] [--systems S S ...] [--out FILE]

Draws people whose best possible score is known, and takes them through folds, audit, training and
evaluation as any data set; docs/proof.md shows the outcome. No stage of the DAG: it takes minutes,
and says something of the code, nothing of the data.
"""

import argparse
import sys
from pathlib import Path

from pipeline_lib.core import paths, tables
from pipeline_lib.params import load_params
from pipeline_lib.studies import proof
from pipeline_lib.studies.planted_study import TWINS, prove


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=200, help="people of each twin")
    parser.add_argument(
        "--seed", type=int, help="of people and training; params.yaml's if not given"
    )
    parser.add_argument("--systems", nargs="+", choices=proof.SIGHTS, default=list(proof.SIGHTS))
    parser.add_argument("--out", type=Path, default=paths.RESULTS / "proof.json")
    arguments = parser.parse_args()
    params = load_params()
    if arguments.seed is not None:
        params = params.model_copy(update={"seed": arguments.seed})
    rows = [
        row
        for name, twin in TWINS.items()
        for row in prove(
            name,
            twin,
            systems=arguments.systems,
            n_subjects=arguments.subjects,
            params=params,
        )
    ]
    tables.write_json({"confidence": params.evaluation.confidence, "rows": rows}, arguments.out)
    sys.stdout.write(proof.markdown(rows))


if __name__ == "__main__":
    main()
