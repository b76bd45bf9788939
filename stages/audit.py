"""Prove that nothing any system is fitted on belongs to its test subjects, or stop."""

from pipeline_lib import paths, splits, tables
from pipeline_lib.params import load_params
from pipeline_lib.schema import FOLDS, RECORDINGS


def main() -> None:
    params = load_params()
    indices = {d: tables.read_table(paths.index(d), RECORDINGS) for d in params.trained_on}
    folds = {d: tables.read_table(paths.folds(d), FOLDS) for d in params.trained_on}
    alone = dict.fromkeys((*params.systems.baseline, *params.systems.train), ())
    pretrained = dict.fromkeys(params.systems.finetune, params.corpora[params.pretraining])
    report = splits.audit_all(indices=indices, folds=folds, corpora={**alone, **pretrained})
    tables.write_json(report, paths.LEAKAGE)


if __name__ == "__main__":
    main()
