"""What the owners of withheld labels score: the table of the MuSe challenge."""

from collections.abc import Sequence

import polars as pl


def table(estimates: pl.DataFrame, targets: Sequence[str]) -> pl.DataFrame:
    """File_ID in brackets, and a column a target in their order, by File_ID.

    estimates : schema.ESTIMATES
    Only recordings with role withheld, by the model whose epoch was chosen on a part of train.
    """
    asked = estimates.filter(role="withheld", selection="held_out")
    wide = asked.pivot(on="target", index="recording_id", values="score").sort("recording_id")
    named = pl.format("[{}]", "recording_id").alias("File_ID")
    return wide.select(named, *targets)
