"""Give every usable recording a role in each fold, as the protocol says."""

import sys

from pipeline_lib import protocols
from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import RATINGS, RECORDINGS
from pipeline_lib.params import load_params


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
