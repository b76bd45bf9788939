"""Write the tables of an ingested data set, one subject in memory at a time."""

import polars as pl

from pipeline_lib import incremental, ingest
from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import RATINGS, RECORDINGS, SIGNALS, validate
from pipeline_lib.quality import facts


def write(
    dataset: str, done: incremental.Run, *, threshold: float
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Write index, sources, ratings, signals and ledger; return index, ratings, facts.CHANNELS.

    threshold : rating <= threshold is label 0
    """
    indices, ratings, channels = [], [], []
    for subject, rows in incremental.by_subject(done):
        signals = validate(ingest.signals(rows), SIGNALS, dataset)
        if signals.height:
            tables.write_table(signals, tables.shard(paths.signals(dataset), subject))
        indices.append(ingest.index(rows, done.ledger, threshold=threshold))
        ratings.append(ingest.ratings(rows))
        channels.append(facts.channels(signals))
    index = validate(pl.concat(indices), RECORDINGS, dataset)
    rated = validate(pl.concat(ratings), RATINGS, dataset)
    tables.write_table(ingest.sources_only(index), paths.sources(dataset))
    tables.write_table(index, paths.index(dataset))
    tables.write_table(rated, paths.ratings(dataset))
    tables.write_table(done.ledger, paths.ledger(paths.signals(dataset)))
    return index, rated, pl.concat(channels)
