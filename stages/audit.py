"""Prove that nothing any system is fitted on belongs to its test subjects, or stop."""

from pipeline_lib import paths, protocols, splits, tables, verdicts
from pipeline_lib.params import load_params
from pipeline_lib.schema import FOLDS, RECORDINGS


def main() -> None:
    params = load_params()
    indices = {d: tables.read_table(paths.index(d), RECORDINGS) for d in params.trained_on}
    folds = {d: tables.read_table(paths.folds(d), FOLDS) for d in params.trained_on}
    systems = params.systems
    alone = dict.fromkeys((*systems.baseline, *systems.classic, *systems.train), ())
    pretrained = {
        f"{system} after {corpus}": datasets
        for corpus, datasets in params.corpora.items()
        for system in systems.finetune
    }
    rules = {
        d: protocols.rules(index, splits=params.splits, flaws=params.flaws)
        for d, index in indices.items()
    }
    report = splits.audit_all(
        indices=indices, folds=folds, rules=rules, corpora={**alone, **pretrained}
    )
    tables.write_json(report, paths.LEAKAGE)
    for dataset in params.trained_on:
        verdicts.clear(dataset, {dataset: rules[dataset]})
    for corpus in params.corpora:
        verdicts.clear(f"pretrain-{corpus}", rules)


if __name__ == "__main__":
    main()
