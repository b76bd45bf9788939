"""Give every usable recording a role in each fold, by subject."""

import sys

from pipeline_lib import paths, splits, tables
from pipeline_lib.params import load_params
from pipeline_lib.schema import RECORDINGS


def main(dataset: str) -> None:
    params = load_params()
    folds = splits.make_folds(
        tables.read_table(paths.index(dataset), RECORDINGS),
        folds=params.splits.folds,
        validation=params.splits.validation,
        seed=params.seed,
    )
    tables.write_table(folds, paths.folds(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
