"""Write the report, results/report.html, from everything that the other stages made."""

import json

from pipeline_lib.core import paths, tables
from pipeline_lib.params import load_params
from pipeline_lib.report import crop_comparison, inputs, page
from pipeline_lib.report.deviations import Setup
from pipeline_lib.report.viper_deviations import Made


def main() -> None:
    params = load_params()
    systems = params.systems
    by_epochs = (*systems.finetune, *systems.train)
    accounts = {dataset: inputs.account(dataset) for dataset in params.datasets}
    synced = {dataset: inputs.timing(dataset) for dataset in params.datasets}
    crop_pairs = crop_comparison.pairs(
        params.finetune, usual=params.models[params.scale].videomae.crop
    )
    made = Made(
        fusion={s: of.model_dump() for s, of in params.fusion[params.scale].items()},
        paper_fusion={s: of.model_dump() for s, of in params.fusion["paper"].items()},
        embeddings=params.embeddings[params.scale].model_dump(),
        paper_embeddings=params.embeddings["paper"].model_dump(),
        sampling=dict(params.sampling),
    )
    html = page.render(
        scale=params.scale,
        trained={
            dataset: inputs.trained(
                dataset,
                systems=(*systems.baseline, *systems.classic, *by_epochs),
                by_epochs=by_epochs,
                on_features=systems.train,
                threshold=params.datasets[dataset].threshold,
                twins=params.twins,
                crop_pair=crop_pairs.get(dataset),
                store=params.store,
            )
            for dataset in params.trained_on
        },
        ledgers_by_set={
            dataset: inputs.ledgers(
                dataset, account, systems=by_epochs if dataset in params.trained_on else ()
            )
            for dataset, account in accounts.items()
        },
        fused={
            dataset: inputs.fused(dataset, systems=systems.fuse, made=made)
            for dataset in params.fused_on
        },
        setup=Setup(
            models=params.models[params.scale],
            datasets=params.datasets,
            openface=params.openface,
            crop=params.crop,
            physio=params.physio,
            store=params.store,
            corpora=params.corpora,
            supervise=params.supervise,
            finetune=params.finetune,
            videos=inputs.videos(synced, accounts),
        ),
        synced=synced,
        min_confidence=params.sync.min_confidence,
        faces={
            dataset: inputs.faces(dataset, account, agreed=dataset in params.report.faces_of)
            for dataset, account in accounts.items()
            if dataset != inputs.SAMPLE
        },
        audit=json.loads(paths.LEAKAGE.read_text()),
        flawed=json.loads(paths.INFLATION.read_text()),
        real_sample=inputs.sample(accounts[inputs.SAMPLE]),
    )
    tables.atomic_write(paths.REPORT, lambda temporary: temporary.write_text(html))


if __name__ == "__main__":
    main()
