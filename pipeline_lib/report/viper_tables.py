"""Tables of ViPER in the paper's layout: published correlations beside ours, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from pipeline_lib.report import markup
from pipeline_lib.report.viper_published import (
    LEVEL,
    MODALITIES,
    TABLE_2,
    TABLE_3,
    TESTED,
    TITLES,
)

Summary = Mapping[str, Any]  # content of results/D-S.json, see correlation.results.summarise
Notes = Callable[[str], str]  # system -> numbers of its deviations

CHOSEN = {"held_out": "held out", "reported": "on the reported partition"}
TICK = "&#10003;"
OURS = [f"ours, epoch chosen {how}" for how in CHOSEN.values()]


def table_2(results: Mapping[str, Summary], notes: Notes) -> str:
    """Visual encoders alone; results: system -> summary."""
    head = markup.head(
        ["Model", "Encoder"], ["Face crop", "Dev set, published", *OURS, "clips", "deviations"]
    )
    crops = {None: markup.NONE, False: markup.NONE, True: TICK}
    rows = [
        _row(
            [row.model, row.encoder or markup.NONE],
            [crops[row.crop], f"{row.dev:.4f}", *_ours(name, results, notes)],
        )
        for name, row in TABLE_2.items()
    ]
    return markup.table(head, rows)


def table_3(results: Mapping[str, Summary], notes: Notes) -> str:
    """Sets of modalities; results: system -> summary."""
    published = ["Dev set, published", "Test set, published"]
    head = markup.head(["Model"], [*MODALITIES.values(), *published, *OURS, "clips", "deviations"])
    rows = []
    for name, row in TABLE_3.items():
        ticks = [TICK if letter in row.inputs else markup.NONE for letter in MODALITIES]
        test = markup.NONE if row.test is None else f"{row.test:.4f}"
        values = [*ticks, f"{row.dev:.4f}", test, *_ours(name, results, notes)]
        rows.append(_row([row.model], values))
    return markup.table(head, rows)


def related(results: Mapping[str, Summary], notes: Notes) -> str:
    """Systems of ours that the paper does not have."""
    head = markup.head(["System"], [*OURS, "clips", "deviations"])
    names = [name for name in results if name not in TABLE_2 and name not in TABLE_3]
    return markup.table(head, [_row([title(name)], _ours(name, results, notes)) for name in names])


def by_class(results: Mapping[str, Summary], selection: str) -> str:
    """Every class of every system."""
    classes = [*next(iter(results.values()))[selection]["pearson"]]
    rows = [
        _row([title(name)], [_score(result[selection]["pearson"][c]) for c in classes])
        for name, result in results.items()
    ]
    return markup.table(markup.head(["System"], [escape(c) for c in classes]), rows)


def tests(correlations: Mapping[str, Any], selection: str) -> str:
    """Each system against the full one; content of results/D-correlations.json."""
    titles = ["difference", "p", "p, corrected", "clips", "verdict", f"p &lt; {LEVEL:g}", "paper"]
    rows = []
    for name, test in correlations[selection]["tests"].items():
        interval = markup.span(f"{test['low']:+.3f}", f"{test['high']:+.3f}")
        claimed = f"p &lt; {LEVEL:g}" if name in TESTED else markup.NONE
        rows.append(
            _row(
                [title(name)],
                [
                    f"{test['difference']:+.3f}<small>{interval}</small>",
                    f"{test['p']:.2g}",
                    f"{test['p_holm']:.2g}",
                    str(test["n_recordings"]),
                    test["verdict"],
                    "yes" if test["p_holm"] < LEVEL else "no",
                    claimed,
                ],
            )
        )
    return markup.table(markup.head(["System"], titles), rows)


def title(system: str) -> str:
    return escape(TITLES.get(system, system))


def _ours(name: str, results: Mapping[str, Summary], notes: Notes) -> list[str]:
    """Mean correlation with either selection, number of clips, deviations."""
    if name not in results:
        return [*[markup.NONE] * len(CHOSEN), "0", "not run"]
    result = results[name]
    scores = [
        f"<b>{_score(result[selection]['pearson']['mean'], digits=4)}</b>" for selection in CHOSEN
    ]
    return [*scores, str(result["n_recordings"]), notes(name)]


def _score(entry: Mapping[str, float], digits: int = 2) -> str:
    value, low, high = (f"{entry[key]:z.{digits}f}" for key in ("value", "low", "high"))
    return f"{value}<small>{markup.span(low, high)}</small>"


def _row(names: Sequence[str], values: Sequence[str]) -> str:
    return f"<tr>{markup.cells(names, kind='name')}{markup.cells(values)}</tr>"
