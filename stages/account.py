"""Gather what became of every recording of a data set, and how its video lies on its signals."""

import sys

import polars as pl

from pipeline_lib import paths, tables
from pipeline_lib.schema import ACCOUNT, LEDGER, SYNC

STAGES = {
    "ingest": paths.signals,
    "openface": paths.openface,
    "crop": paths.crops,
    "filter": paths.physio,
}


def main(dataset: str) -> None:
    ledgers = [
        tables.read_table(paths.ledger(where(dataset)), LEDGER).with_columns(stage=pl.lit(stage))
        for stage, where in STAGES.items()
    ]
    tables.write_table(pl.concat(ledgers).select(list(ACCOUNT)), paths.account(dataset))
    tables.write_table(tables.read_table(paths.sync(dataset), SYNC), paths.timing(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
