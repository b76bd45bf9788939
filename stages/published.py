"""Check the baselines on real people, by features that owners publish: off by default.

    python -m stages.published stressid_features

docs/stressid_features.md says what is asked, and why. Prints its tables as Markdown.
"""

import sys
from pathlib import Path
from typing import Any

from pipeline_lib import evaluation
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.params import load_params
from pipeline_lib.stressid_features import page, reading, study


def main(dataset: str) -> None:
    params = load_params()
    index, features = reading.read(Path(params.published[dataset].root))
    with tracking.stage_run(
        "published",
        dataset,
        experiment=params.execution.experiment,
        params={"baselines": params.baselines, "splits": params.splits, "seed": params.seed},
    ) as run:
        asked = study.ask(
            study.plan(params.systems.baseline), index, of=params.splits, seed=params.seed
        )
        predictions = study.predict(
            asked,
            features,
            settings=params.baselines,
            seed=params.seed,
            execution=params.execution,
        )
        settings: dict[str, Any] = {
            "settings": params.evaluation,
            "seed": params.seed,
            "synthetic": bool(index["synthetic"].any()),
        }
        pairs = list(zip(asked, predictions, strict=True))
        results = [study.summarise(*pair, **settings) for pair in pairs]
        compared = study.compare(*pairs[0], **settings)
        for system, summary in results[0]["systems"].items():
            run.results(evaluation.flat(summary, f"{dataset}.{system}", asked[0].targets))
    tables.write_json({"runs": results, "comparisons": compared}, paths.study(dataset))
    html = page.render(results, compared)
    tables.atomic_write(paths.study_page(dataset), lambda path: path.write_text(html))
    for table in page.tables(results):
        sys.stdout.write(f"{table.markdown()}\n")
    sys.stdout.write(f"{page.audit(results)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
