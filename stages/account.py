"""Gather what became of every recording of a data set, and what the report shows of it."""

import sys

import polars as pl

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import ACCOUNT, CROPS, LEDGER, SOURCES, SYNC
from pipeline_lib.report import contact_sheet

STAGES = {
    "ingest": paths.signals,
    "openface": paths.openface,
    "crop": paths.crops,
    "filter": paths.physio,
}


def main(dataset: str) -> None:
    sources = tables.read_table(paths.sources(dataset), SOURCES)
    ledgers = {
        stage: tables.read_table(paths.ledger(where(dataset)), LEDGER)
        for stage, where in STAGES.items()
    }
    account = pl.concat(rows.with_columns(stage=pl.lit(stage)) for stage, rows in ledgers.items())
    synthetic = sources.select("recording_id", "synthetic")
    tables.write_table(
        account.join(synthetic, on="recording_id", maintain_order="left").select(list(ACCOUNT)),
        paths.account(dataset),
    )
    tables.write_table(tables.read_table(paths.sync(dataset), SYNC), paths.timing(dataset))
    shown = pl.col("recording_id").is_in(contact_sheet.chosen(ledgers["crop"]))
    crops = tables.read_shards(paths.crops(dataset), CROPS, shown)
    tables.write_table(crops, paths.shown(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
