"""Write a synthetic data set in the exact layout of a real one: `python -m stages.twin deap`."""

import sys
from importlib import import_module

from pipeline_lib.core import paths
from pipeline_lib.params import load_params

CLIPS = ("sad_then_laughing", "neutral_then_smiling")


def main(dataset: str) -> None:
    params = load_params()
    import_module(f"pipeline_lib.twins.{dataset}.writer").write(
        paths.twin(dataset),
        twin=params.twins[dataset],
        clips={name: paths.asset(name) for name in CLIPS},
        jobs=params.execution.jobs,
    )


if __name__ == "__main__":
    main(sys.argv[1])
