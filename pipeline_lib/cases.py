"""Trials that one system gets right and another wrong: how many, and which to look at."""

import polars as pl

from pipeline_lib.core.schema import CASES, OUTCOMES, TARGETS, validate

DECISION = 0.5  # a higher score is class 1, see schema.PREDICTIONS
KEYS = ["recording_id", "fold", "target"]


def compared(ours: pl.DataFrame, rival: pl.DataFrame) -> pl.DataFrame:
    """The tests that both systems took, with `right`, `rival_right` and `margin`.

    ours, rival : schema.PREDICTIONS; a recording that is tested by several folds counts each time
    margin      : our probability of the true class less the rival's
    """
    both = ours.join(
        rival.select(*KEYS, pl.col("score").alias("rival_score")), on=KEYS, how="inner"
    )
    true = pl.when(pl.col("label") == 1)
    return both.with_columns(
        right=(pl.col("score") > DECISION) == (pl.col("label") == 1),
        rival_right=(pl.col("rival_score") > DECISION) == (pl.col("label") == 1),
        margin=true.then(1).otherwise(-1) * (pl.col("score") - pl.col("rival_score")),
    )


def outcomes(compared: pl.DataFrame) -> pl.DataFrame:
    """How often both, one or neither were right, a row a target; schema.OUTCOMES."""
    right, rival_right = pl.col("right"), pl.col("rival_right")
    counted = [
        {"target": target}
        | compared.filter(target=target)
        .select(
            both=(right & rival_right).sum().cast(pl.Int64),
            ours_alone=(right & ~rival_right).sum().cast(pl.Int64),
            rival_alone=(~right & rival_right).sum().cast(pl.Int64),
            neither=(~right & ~rival_right).sum().cast(pl.Int64),
        )
        .row(0, named=True)
        for target in TARGETS
    ]
    return validate(pl.DataFrame(counted, schema=dict(OUTCOMES)), OUTCOMES, "outcomes")


def successes(compared: pl.DataFrame) -> pl.DataFrame:
    """Of each target the test that we alone got right by the largest margin; schema.CASES.

    A target without any has no row. Ties: the first recording by name.
    """
    alone = compared.filter("right", ~pl.col("rival_right"))
    first = alone.sort("margin", "recording_id", "fold", descending=[True, False, False]).unique(
        "target", keep="first", maintain_order=True
    )
    return validate(first.select(list(CASES)).sort("target"), CASES, "cases")
