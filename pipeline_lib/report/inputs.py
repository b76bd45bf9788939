"""What the report is made of, as the other stages left it."""

import json
from collections.abc import Mapping, Sequence

import polars as pl

from pipeline_lib import params
from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import (
    ACCOUNT,
    ATTENTION,
    CASES,
    CROPS,
    DEGRADED,
    FEATURES,
    HISTORY,
    LEDGER,
    OPENFACE,
    OUTCOMES,
    PHYSIO,
    RECORDINGS,
    SYNC,
    Schema,
)
from pipeline_lib.report.crop_comparison import Pair
from pipeline_lib.report.page import Faces, Real, Trained
from pipeline_lib.report.success_cases import Cases
from pipeline_lib.report.videos import Videos
from pipeline_lib.report.viper import Fused
from pipeline_lib.report.viper_deviations import Made

SAMPLE = "sample"
TRACKED = "sub-laughing_task-watch"  # the clip whose action units are shown


def account(dataset: str) -> pl.DataFrame:
    """What became of its recordings up to the crops and signals; schema.ACCOUNT."""
    return tables.read_table(paths.account(dataset), ACCOUNT)


def timing(dataset: str) -> pl.DataFrame:
    """schema.SYNC"""
    return tables.read_table(paths.timing(dataset), SYNC)


def videos(
    synced: Mapping[str, pl.DataFrame], accounts: Mapping[str, pl.DataFrame]
) -> dict[str, Videos]:
    """Data set -> its videos; synced: schema.SYNC, accounts: schema.ACCOUNT, both by data set."""
    return {
        dataset: Videos.of(timing, synthetic=bool(accounts[dataset]["synthetic"].all()))
        for dataset, timing in synced.items()
    }


def ledgers(
    dataset: str, account: pl.DataFrame, *, systems: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """Stage or system -> schema.LEDGER."""
    stages = account.group_by("stage", maintain_order=True)
    return {
        **{str(stage): rows.select(list(LEDGER)) for (stage,), rows in stages},
        **{s: tables.read_table(paths.ledger(paths.run(dataset, s)), LEDGER) for s in systems},
    }


def trained(
    dataset: str,
    *,
    systems: Sequence[str],
    by_epochs: Sequence[str],
    on_features: Sequence[str],
    threshold: float,
    twins: Mapping[str, params.Twin],
    crop_pair: Pair | None,
    store: params.Store,
) -> Trained:
    """by_epochs : those of the systems that have curves, on_features : that were degraded"""
    index = tables.read_table(paths.index(dataset), RECORDINGS)
    return Trained(
        recordings=index,
        threshold=threshold,
        effect=twins[dataset].effect if index["synthetic"].any() else None,
        results={s: json.loads(paths.result(dataset, s).read_text()) for s in systems},
        comparisons=json.loads(paths.comparisons(dataset).read_text()),
        curves={s: tables.read_table(paths.history(dataset, s), HISTORY) for s in by_epochs},
        degraded={s: tables.read_table(paths.degraded(dataset, s), DEGRADED) for s in on_features},
        cases=cases(dataset, store),
        crop_pair=crop_pair,
    )


def fused(dataset: str, *, systems: Sequence[str], made: Made) -> Fused:
    """What came of systems on embeddings."""
    return Fused(
        results={s: json.loads(paths.result(dataset, s).read_text()) for s in systems},
        correlations=json.loads(paths.correlations(dataset).read_text()),
        made=made,
    )


def cases(dataset: str, store: params.Store) -> Cases:
    folder = paths.cases(dataset)

    def read(name: str, schema: Schema) -> pl.DataFrame:
        return tables.read_table(folder / f"{name}.parquet", schema)

    return Cases(
        outcomes=read("outcomes", OUTCOMES),
        cases=read("cases", CASES),
        attention=read("attention", ATTENTION),
        features=read("features", FEATURES),
        physio=read("physio", PHYSIO),
        crops=read("crops", CROPS),
        fps=store.fps,
        visual=store.visual,
    )


def faces(dataset: str, account: pl.DataFrame, *, agreed: bool) -> Faces | None:
    """Crops to show; None for those of real people, unless it is `agreed` to show them."""
    synthetic = bool(account["synthetic"].all())
    if not (synthetic or agreed):
        return None
    crops = tables.read_table(paths.shown(dataset), CROPS)
    return Faces(crops, ledgers(dataset, account, systems=())["crop"], synthetic=synthetic)


def sample(account: pl.DataFrame) -> Real:
    tracked = pl.col("recording_id") == TRACKED
    return Real(
        recordings=tables.read_table(paths.index(SAMPLE), RECORDINGS),
        openface=tables.read_shards(paths.openface(SAMPLE), OPENFACE, tracked),
        crops=tables.read_shards(paths.crops(SAMPLE), CROPS),
        crop_ledger=ledgers(SAMPLE, account, systems=())["crop"],
        physio=tables.read_shards(paths.physio(SAMPLE), PHYSIO),
        tracked=TRACKED,
    )
