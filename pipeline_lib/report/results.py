"""Tables of scores: ours in the layout of the paper's, beside the published ones."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipeline_lib.report import markup
from pipeline_lib.report.published import (
    BOTH,
    MODALITIES,
    PHYSIO,
    STRATEGIES,
    SYSTEMS,
    TABLE_3,
    TABLE_4,
    TARGET,
    TARGETS,
    VIDEO,
    Row,
    Score,
)

Summary = Mapping[str, Any]  # content of results/D-S.json, see evaluation.summarise

METRICS = {
    "weighted_f1": "weighted F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "mcc": "MCC",
}


def table_4(
    dataset: str, results: Mapping[str, Summary], *, synthetic: bool, effect: float | None
) -> str:
    """The paper's Table 4, ours under each published row; weighted F1 in percent.

    results : system -> summary
    effect  : planted in a twin; adds the row of the best possible scores
    """
    theirs = TABLE_4.get(dataset, {})
    lines: dict[str, dict[str, Summary]] = {}  # row -> those of ours that stand in it
    for name in (s for s in SYSTEMS if s in results):
        lines.setdefault(SYSTEMS[name].line(theirs), {})[name] = results[name]
    rows = []
    for method, row in theirs.items():
        found = lines.pop(method, {})
        rows.append(_published(dataset, method, row, joined=bool(found)))
        if found:
            rows.append(_ours(found, synthetic=synthetic, title=""))
    rows += [_ours(found, synthetic=synthetic, title=line) for line, found in lines.items()]
    if effect is not None:
        rows.append(_best(effect))
    return markup.table(_head_4(), rows)


def table_3(dataset: str, results: Mapping[str, Summary], *, synthetic: bool) -> str:
    """The paper's Table 3, valence from raw video: ours under each published row.

    results : system -> summary
    """
    rows = []
    ours = {
        (ssl, supervised.replace(TARGET, dataset.upper())): results[name]
        for name, (ssl, supervised) in STRATEGIES.items()
        if name in results
    }
    head = markup.head(
        ["SSL pre-training data", "Supervised pre-training data", "from"], ["valence"]
    )
    for strategy, score in TABLE_3.get(dataset, {}).items():
        kind = "published joined" if strategy in ours else "published"
        rows.append(
            f'<tr class="{kind}">{markup.cells([*map(escape, strategy)], kind="name")}'
            f'<td class="from">{_published_on(dataset)}</td><td>{plus_minus(score)}</td></tr>'
        )
        if strategy in ours:
            result = ours[strategy]
            made_up = synthetic or result["synthetic"]
            rows.append(
                f'<tr class="ours">{markup.cells(["", ""], kind="name")}'
                f'<td class="from">{_ours_on(made_up, result["flaws"])}</td>'
                f"<td>{our_score(result, 'valence')}</td></tr>"
            )
    return markup.table(head, rows)


def metrics_table(results: Mapping[str, Summary]) -> str:
    """Every score over all folds at once, of every system, with its interval."""
    rows = []
    for name in (s for s in SYSTEMS if s in results):
        for target in TARGETS:
            first = target == TARGETS[0]
            pooled = results[name][target]["pooled"]
            names = [escape(SYSTEMS[name].title) if first else "", target]
            scores = [_pooled(pooled[metric]) for metric in METRICS]
            kind = ' class="joined"' if first else ""
            rows.append(f"<tr{kind}>{markup.cells(names, kind='name')}{markup.cells(scores)}</tr>")
    return markup.table(markup.head(["System", "target"], list(METRICS.values())), rows)


def _head_4() -> str:
    groups = "".join(f'<th class="group" colspan="2">{modality}</th>' for modality in MODALITIES)
    targets = f'<th class="group">{TARGETS[0]}</th><th>{TARGETS[1]}</th>' * len(MODALITIES)
    return (
        f'<tr><th class="name" rowspan="2">Method</th><th class="name" rowspan="2">from</th>'
        f"{groups}</tr><tr>{targets}</tr>"
    )


def _published(dataset: str, method: str, row: Row, *, joined: bool) -> str:
    scores = [
        plus_minus(row[modality][i]) if modality in row else markup.NONE
        for modality in MODALITIES
        for i in range(len(TARGETS))
    ]
    kind = "published joined" if joined else "published"
    return _row_4(kind, method, _published_on(dataset), scores)


def _ours(results: Mapping[str, Summary], *, synthetic: bool, title: str) -> str:
    """One row of systems, each in the columns of what it is fed."""
    by_modality = {m: result for name, result in results.items() for m in SYSTEMS[name].modalities}
    scores = [
        our_score(by_modality[modality], target) if modality in by_modality else markup.NONE
        for modality in MODALITIES
        for target in TARGETS
    ]
    flaws = dict.fromkeys(flaw for result in results.values() for flaw in result["flaws"])
    made_up = synthetic or any(result["synthetic"] for result in results.values())
    return _row_4("ours", title, _ours_on(made_up, [*flaws]), scores)


def _best(effect: float) -> str:
    """Arousal is planted in physiology alone, valence in the face alone."""
    best, chance = f"{50 * (1 + effect):.0f}", "50"
    by_modality = {PHYSIO: (best, chance), VIDEO: (chance, best), BOTH: (best, best)}
    scores = [score for modality in MODALITIES for score in by_modality[modality]]
    return _row_4("best", "Best possible", f"planted effect {effect:g}, accuracy", scores)


def _row_4(kind: str, method: str, source: str, scores: Sequence[str]) -> str:
    columns = "".join(
        f'<td class="group">{score}</td>' if i % len(TARGETS) == 0 else f"<td>{score}</td>"
        for i, score in enumerate(scores)
    )
    return (
        f'<tr class="{kind}"><td class="name">{escape(method)}</td>'
        f'<td class="from">{escape(source)}</td>{columns}</tr>'
    )


def _published_on(dataset: str) -> str:
    return f"published, real {dataset.upper()}"


def _ours_on(synthetic: bool, flaws: Sequence[str]) -> str:
    source = "ours, synthetic twin" if synthetic else "ours"
    return f"{source}; FLAWED on request: {', '.join(flaws)}" if flaws else source


def plus_minus(score: Score) -> str:
    return f"{score[0]} ± {score[1]}"


def our_score(result: Summary, target: str) -> str:
    """Mean and deviation over folds; below, the interval of all folds at once.

    All folds at once stand above too where a fold is too small for a score of its own.
    """
    folds, pooled = result[target]["folds"], result[target]["pooled"]["weighted_f1"]
    score = f"{100 * folds['mean']:.0f} ± {100 * folds['std']:.0f}"
    if result["headline"] == "pooled":
        score = f"{100 * pooled['value']:.0f}"
    if pooled["low"] is None:
        return score
    value, low, high = (100 * pooled[key] for key in ("value", "low", "high"))
    hover = (
        f"all folds at once {value:.1f}, {result['confidence']:.0%} interval {low:.1f} to "
        f"{high:.1f} (bootstrap over subjects)"
    )
    interval = markup.span(f"{low:.0f}", f"{high:.0f}")
    return f'<span title="{hover}">{score}<small>{interval}</small></span>'


def _pooled(entry: Mapping[str, float | None]) -> str:
    if entry["value"] is None:
        return markup.NONE
    if entry["low"] is None:
        return f"{entry['value']:.2f}"
    interval = markup.span(f"{entry['low']:.2f}", f"{entry['high']:.2f}")
    return f"{entry['value']:.2f}<small>{interval}</small>"
