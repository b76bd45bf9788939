"""Which systems differ: a table of verdicts, and the matrix of all pairs behind it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipeline_lib.report import markup
from pipeline_lib.report.published import SYSTEMS, TARGETS
from pipeline_lib.report.style import BAD, GOOD, MUTED, OURS

Comparisons = Mapping[str, Any]  # content of results/D-comparisons.json, see comparison.compare
Pair = Mapping[str, Any]

# Verdicts of comparison.verdict, in the order of the table, with the colours of the matrix.
COLOURS = {
    "better": GOOD,
    "worse": BAD,
    "equivalent": OURS,
    "not distinguishable": MUTED,
    "not comparable": MUTED,
}
FOLLOWED_BY = {
    "better": "than",
    "worse": "than",
    "equivalent": "to",
    "not distinguishable": "from",
    "not comparable": "with",
}
REVERSED = {"better": "worse", "worse": "better"}
PROTOCOLS = {
    "grouped": "folds by subject",
    "repeated": "repeated folds by subject",
    "loso": "one subject left out at a time",
    "stimulus": "folds in which both subjects and stimuli are new",
    "owners": "the owners' own split",
}
FLAWS = {
    "trial_level": "recordings of one subject were both trained on and tested",
    "overlapping_windows": "segments were trained on that overlap those that were tested",
    "epoch_on_test": "the epoch was chosen by what was tested",
    "global_normalisation": "scalers and imputers were fitted on what was tested, too",
    "leaky_pretraining": "VideoMAE was pre-trained on what was tested, too",
}
SHOWN = "weighted_f1"
UNDECIDED = ("not distinguishable", "not comparable")
MOST_NAMED = 6  # systems that one cannot be told from; more are counted


def section(dataset: str, comparisons: Comparisons, targets: Sequence[str] = TARGETS) -> str:
    """Every two systems of a data set against each other, by target; weighted F1 in points."""
    title = f"<h3>{escape(dataset.upper())}: which systems differ</h3>"
    parts = [title, _flawed(comparisons["flaws"]), _method(comparisons)]
    for target in targets:
        family = comparisons[target][SHOWN]
        parts.append(
            f"<h4>{target}</h4>{_nothing(family, comparisons)}{_verdicts(family['pairs'])}"
        )
        parts.append(
            f"<details><summary>{escape(dataset.upper())}, {target}: every pair</summary>"
            f"{_matrix(family['pairs'])}</details>"
        )
    return "".join(parts)


def _flawed(flaws: Sequence[str]) -> str:
    if not flaws:
        return ""
    told = "; ".join(FLAWS[flaw] for flaw in flaws)
    return (
        f'<p class="banner"><b>Flawed on request ({escape(", ".join(flaws))}).</b> {told}. No '
        "score that is so marked says anything about new people.</p>"
    )


def _method(comparisons: Comparisons) -> str:
    level = f"{1 - comparisons['confidence']:.2g}"
    margin = f"{100 * comparisons['margin']:g}"
    return (
        f"<p class='note'>Protocol: {PROTOCOLS[comparisons['protocol']]}. Two systems are compared "
        "on the recordings that both predicted. Better or worse: a permutation test over subjects "
        f"has p &le; {level} after Holm's correction for the number of pairs. Equivalent: their "
        f"weighted F1 differs by less than {margin} points, as surely. All other pairs are not "
        "distinguishable: these subjects say neither which is better nor that both are alike.</p>"
    )


def _nothing(family: Mapping[str, Any], comparisons: Comparisons) -> str:
    """A word where the subjects are too few for any difference to show."""
    least = family["smallest_p"]
    if least is None or least <= 1 - comparisons["confidence"]:
        return ""
    return (
        f"<p class='note'>So few subjects cannot tell one of {family['n_pairs']} pairs apart: the "
        f"smallest p that they allow is {least:.2g} after correction.</p>"
    )


def _verdicts(pairs: Sequence[Pair]) -> str:
    """A row a system: whom it is better than, and whom it cannot be told from."""
    seen = _seen_by(pairs)
    if len(seen) > MOST_NAMED and all(pair["verdict"] == UNDECIDED[0] for pair in pairs):
        return f"<p>No two of the {len(seen)} systems can be told apart.</p>"
    shown = [
        v for v in COLOURS if any(p["verdict"] == v for of in seen.values() for p in of.values())
    ]
    rows = []
    for system, rivals in seen.items():
        named = [
            _named([r for r, pair in rivals.items() if pair["verdict"] == v], len(rivals), v)
            for v in shown
        ]
        rows.append(f"<tr>{markup.cells([_title(system), *named], kind='name')}</tr>")
    titles = [f"{verdict} {FOLLOWED_BY[verdict]}" for verdict in shown]
    return markup.table(markup.head(["System", *titles], []), rows)


def _named(rivals: Sequence[str], n_all: int, verdict: str) -> str:
    """Rivals by name; where they are many and nothing is known of them, their number."""
    names = ", ".join(map(_title, rivals))
    if verdict in UNDECIDED and len(rivals) > MOST_NAMED:
        return f'<span title="{names}">{len(rivals)} of {n_all} others</span>'
    return names or markup.NONE


def _matrix(pairs: Sequence[Pair]) -> str:
    """Row against column: difference, its interval, corrected p; coloured by verdict."""
    seen = _seen_by(pairs)
    rows = [
        f"<tr>{markup.cells([_title(row)], kind='name')}"
        + markup.cells([cell(rivals[other]) if other in rivals else markup.NONE for other in seen])
        + "</tr>"
        for row, rivals in seen.items()
    ]
    note = (
        "<p class='note'>Row minus column, in points; small, the interval over subjects (of this "
        "pair alone), the corrected p and the recordings compared. Hover for the other tests.</p>"
    )
    return note + markup.table(markup.head(["System"], [_title(system) for system in seen]), rows)


def cell(pair: Pair) -> str:
    """Difference in points, interval, corrected p and recordings; the verdict in its colour."""
    verdict = pair["verdict"]
    colour = f'style="color:{COLOURS[verdict]}"'
    if pair["difference"] is None:
        return f"<span {colour}>{verdict}</span>"
    low, high = (f"{100 * pair[end]:+.0f}" for end in ("low", "high"))
    hover = f"{verdict}; p {_p(pair['p'])} before correction; p of equivalence " + (
        f"{_p(pair['p_equivalence_holm'])}, of the t-test over folds {_p(pair['p_folds_holm'])}, "
        f"both corrected; {pair['n_recordings']} recordings of {pair['n_subjects']} subjects"
    )
    return (
        f'<span title="{hover}"><b {colour}>{100 * pair["difference"]:+.0f}</b>'
        f"<small>{markup.span(low, high)}</small><small>p {_p(pair['p_holm'])}, "
        f"n {pair['n_recordings']}</small></span>"
    )


def between(pairs: Sequence[Pair], a: str, b: str) -> Pair:
    """The pair of two systems as seen by the first."""
    return _seen_by(pairs)[a][b]


def _seen_by(pairs: Sequence[Pair]) -> dict[str, dict[str, Pair]]:
    """System -> rival -> their pair as seen by the system, in the order of published.SYSTEMS."""
    found: dict[str, dict[str, Pair]] = {}
    for pair in pairs:
        a, b = pair["systems"]
        found.setdefault(a, {})[b] = pair
        found.setdefault(b, {})[a] = _reversed(pair)
    order = [system for system in SYSTEMS if system in found]
    return {a: {b: found[a][b] for b in order if b in found[a]} for a in order}


def _reversed(pair: Pair) -> Pair:
    turned: dict[str, Any] = {"verdict": REVERSED.get(pair["verdict"], pair["verdict"])}
    if pair["difference"] is not None:
        turned |= {"difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"]}
    return {**pair, **turned}


def _title(system: str) -> str:
    return escape(SYSTEMS[system].title)


def _p(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}"
