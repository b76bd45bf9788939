"""What the owners of withheld labels score: the table of the MuSe challenge."""

from collections.abc import Sequence

import polars as pl


def table(
    estimates: pl.DataFrame, targets: Sequence[str], *, asked: Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    """File_ID in brackets, and a column a target in their order, by File_ID; and who was filled in.

    estimates : schema.ESTIMATES, of which those with role withheld count, by the model whose epoch
                was chosen on a part of train
    asked     : recordings that the owners ask for. A challenge takes no table with gaps, so one
                that could not be estimated gets the mean of the others, which moves no correlation
    """
    known = estimates.filter(role="withheld", selection="held_out")
    wide = known.pivot(on="target", index="recording_id", values="score")
    names = pl.DataFrame({"recording_id": sorted({*asked, *wide["recording_id"]})})
    rows = names.join(wide, on="recording_id", how="left", maintain_order="left")
    unknown = rows.filter(pl.col(targets[0]).is_null())["recording_id"].to_list()
    named = pl.format("[{}]", "recording_id").alias("File_ID")
    return rows.select(named, pl.col(targets).fill_null(strategy="mean")), unknown
