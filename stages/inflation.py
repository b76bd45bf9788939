"""How far each flaw inflates a score where nothing is to be found: `python -m stages.inflation`.

Twins whose labels nothing shows (`pipeline_lib.studies.null_twin`), evaluated honestly and with
each flaw of params.yaml, by systems that it touches. Writes results/inflation.json and a figure
beside it, and prints the table of docs/evaluation.md. No stage of the DAG: it takes minutes.
"""

import sys
from functools import partial
from typing import Any

from pipeline_lib.core import parallel, paths, seeds, tables
from pipeline_lib.params import load_params
from pipeline_lib.report import inflation as report
from pipeline_lib.studies import inflation
from pipeline_lib.studies.null_study import CASES, Run, predict


def main() -> None:
    params = load_params()
    runs = {
        case: [
            (Run(*setup, None), Run(*setup, case.flaw))
            for i in range(case.twins)
            for seed in (seeds.derive(params.seed, i),)
            for setup in ((case.system, case.subjects, case.trials, case.own_answer, seed),)
        ]
        for case in CASES
    }
    done = dict(
        parallel.run(
            partial(predict, params=params),
            list(
                dict.fromkeys(run for of_case in runs.values() for pair in of_case for run in pair)
            ),
            execution=params.execution,
            label="inflation",
        )
    )
    cases = []
    for case, pairs in runs.items():
        honest, flawed = (inflation.counts([done[pair[i]] for pair in pairs]) for i in (0, 1))
        found = inflation.compare(honest, flawed, evaluation=params.evaluation, seed=params.seed)
        cases.append({**case._asdict(), **found})
        sys.stdout.write(row(cases[-1]) + "\n")
    confidence = params.evaluation.confidence
    content = {"synthetic": True, "effect": 0.0, "confidence": confidence, "cases": cases}
    tables.write_json(content, paths.INFLATION)
    html = report.page(content)
    tables.atomic_write(
        paths.INFLATION.with_suffix(".html"), lambda temporary: temporary.write_text(html)
    )


def row(case: dict[str, Any]) -> str:
    """A row of the table in docs/evaluation.md: accuracy in percent, with intervals."""

    def told(name: str, sign: str = "") -> str:
        value, low, high = (100 * case[name][key] for key in ("value", "low", "high"))
        return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"

    people = f"{case['twins']} x {case['subjects']} people, {case['trials']} trials"
    scores = " | ".join([told("honest"), told("flawed"), told("inflation", "+")])
    return f"| `{case['flaw']}` | `{case['system']}` | {people} | {scores} |"


if __name__ == "__main__":
    main()
