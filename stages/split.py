"""Give every usable recording a role in each fold, as the protocol says."""

import sys

from pipeline_lib import paths, protocols, tables
from pipeline_lib.params import load_params
from pipeline_lib.schema import RATINGS, RECORDINGS


def main(dataset: str) -> None:
    params = load_params()
    folds = protocols.make_folds(
        tables.read_table(paths.index(dataset), RECORDINGS),
        rated=tables.read_table(paths.ratings(dataset), RATINGS)["recording_id"].unique().to_list(),
        splits=params.splits,
        flaws=params.flaws,
        seed=params.seed,
    )
    tables.write_table(folds, paths.folds(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
