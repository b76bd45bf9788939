"""Write the report, results/report.html, from everything that the other stages made."""

import json

import polars as pl

from pipeline_lib import paths, tables
from pipeline_lib.params import load_params
from pipeline_lib.report import page
from pipeline_lib.schema import ACCOUNT, CROPS, HISTORY, LEDGER, OPENFACE, PHYSIO, RECORDINGS, SYNC

SAMPLE = "sample"
TRACKED = "sub-laughing_task-watch"  # the clip whose action units are shown


def main() -> None:
    params = load_params()
    systems = params.systems
    names = (*systems.baseline, *systems.finetune, *systems.train)
    shown = (*params.trained_on, SAMPLE)
    indices = {d: tables.read_table(paths.index(d), RECORDINGS) for d in shown}
    trained = {
        dataset: page.Trained(
            recordings=indices[dataset],
            threshold=params.datasets[dataset].threshold,
            effect=params.twins[dataset].effect if indices[dataset]["synthetic"].any() else None,
            results={s: json.loads(paths.result(dataset, s).read_text()) for s in names},
            curves={
                s: tables.read_table(paths.history(dataset, s), HISTORY)
                for s in (*systems.finetune, *systems.train)
            },
        )
        for dataset in params.trained_on
    }
    accounts = {d: tables.read_table(paths.account(d), ACCOUNT) for d in params.datasets}
    ledgers = {
        dataset: {
            stage: rows.drop("stage")
            for (stage,), rows in account.group_by("stage", maintain_order=True)
        }
        | {
            system: tables.read_table(paths.ledger(paths.run(dataset, system)), LEDGER)
            for system in (*systems.finetune, *systems.train)
            if dataset in trained
        }
        for dataset, account in accounts.items()
    }
    html = page.render(
        scale=params.scale,
        trained=trained,
        ledgers_by_set=ledgers,
        synced={d: tables.read_table(paths.timing(d), SYNC) for d in params.datasets},
        min_confidence=params.sync.min_confidence,
        audit=json.loads(paths.LEAKAGE.read_text()),
        real_sample=page.Real(
            recordings=indices[SAMPLE],
            openface=tables.read_shards(
                paths.openface(SAMPLE), OPENFACE, pl.col("recording_id") == TRACKED
            ),
            crops=tables.read_shards(paths.crops(SAMPLE), CROPS, pl.col("crop") == "large"),
            crop_ledger=ledgers[SAMPLE]["crop"],
            physio=tables.read_shards(paths.physio(SAMPLE), PHYSIO),
            tracked=TRACKED,
        ),
    )
    tables.atomic_write(paths.REPORT, lambda temporary: temporary.write_text(html))


if __name__ == "__main__":
    main()
