"""Prove that nothing any system is fitted on belongs to its test subjects, or stop."""

from pipeline_lib import protocols
from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import FOLDS, RECORDINGS
from pipeline_lib.learning import splits, verdicts
from pipeline_lib.params import load_params


def main() -> None:
    params = load_params()
    folds = {d: tables.read_table(paths.folds(d), FOLDS) for d in params.split_on}
    used = dict.fromkeys([*folds, *(d for corpus in params.corpora.values() for d in corpus)])
    indices = {d: tables.read_table(paths.index(d), RECORDINGS) for d in used}
    systems = params.systems
    alone = (*systems.baseline, *systems.classic, *systems.train)
    corpora: dict[str, dict[str, list[str]]] = {d: {} for d in folds}
    for dataset in params.trained_on:
        corpora[dataset] |= {system: [] for system in alone}
    for dataset in params.fused_on:
        corpora[dataset] |= {system: [] for system in systems.fuse}
    starts = [(row.dataset, row.start) for row in params.finetune.values()]
    tested = splits.tested_after(starts, params.corpora, params.supervise)
    whole: dict[str, dict[str, list[str]]] = {d: {} for d in folds}
    for row in params.finetune.values():
        steps = (row.start, params.corpora, params.supervise)
        corpora[row.dataset][row.system] = splits.before(*steps)
        whole[row.dataset][row.system] = splits.seen_whole(*steps, tested)
    rules = {
        d: protocols.rules(indices[d], splits=params.splits, flaws=params.flaws) for d in folds
    }
    twins = {d for d, index in indices.items() if index["synthetic"].any()}
    made_on = params.models[params.scale].videomae.pretrained_on
    seen = {
        name: splits.twins_seen(
            row.dataset,
            splits.taught_by(row.start, params.corpora, params.supervise, made_on=made_on),
            twins,
            allowed=params.synthetic_corpora == "allow",
            key=f"finetune.{name}",
        )
        for name, row in params.finetune.items()
    }
    report = splits.audit_all(
        indices=indices, folds=folds, rules=rules, corpora=corpora, whole=whole
    )
    tables.write_json(report, paths.LEAKAGE)
    for dataset in folds:
        alone_rules = {dataset: rules[dataset].with_pretraining((), dataset)}
        verdicts.clear(dataset, alone_rules, synthetic={dataset} & twins)
    for name, row in params.finetune.items():
        before = corpora[row.dataset][row.system]
        split = {row.dataset, *before} - {*whole[row.dataset][row.system]}
        followed = {d: rules[d].with_pretraining(before, row.dataset) for d in folds}
        verdicts.clear(name, {d: followed[d] for d in folds if d in split}, synthetic=seen[name])
    for name, corpus in params.corpora.items():
        split = {*tested[name]}  # the others are seen whole
        followed = {d: rules[d].without(*splits.OF_TRAINING) for d in folds if d in split}
        verdicts.clear(f"corpus-{name}", followed, corpus=corpus)
        verdicts.note_lessons(name, corpus)


if __name__ == "__main__":
    main()
