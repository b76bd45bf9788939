"""ViPER's part of the report: Tables 2 and 3, classes, tests and Figures 2 and 3, for each set."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from pipeline_lib.report import viper_deviations, viper_figures, viper_tables
from pipeline_lib.report.fidelity import Numbered, legend
from pipeline_lib.report.viper_deviations import Made
from pipeline_lib.report.viper_published import BEST, LEVEL, OTHERS, SOURCE, WORST
from pipeline_lib.report.viper_tables import CHOSEN, Summary

SYNTHETIC = (
    '<p class="banner"><b>{name} is a synthetic twin.</b> Faces from a few free clips, voices from '
    "a synthesiser, intensities planted in both: our figures show that what was planted is found, "
    "and must not be compared with the published ones beside them.</p>"
)
METHOD = (
    "<p>Mean over classes of Pearson's correlation over all clips of the partition that is "
    "reported; small, the {confidence:.0%} interval from a bootstrap over subjects, which in "
    "Hume-Reaction are clips. A class in which all scores are the same counts as 0. The epoch was "
    "chosen in two ways: on a part of the training set that was held out, or, as the paper does, "
    "<b>on the reported partition itself</b>, which favours a system. Published: {source}.</p>"
)


@dataclass(frozen=True)
class Fused:
    """A data set that systems on embeddings were trained on, and what came of it."""

    results: Mapping[str, Summary]  # system -> content of results/D-S.json
    correlations: Mapping[str, Any]  # content of results/D-correlations.json
    made: Made


def section(fused: Mapping[str, Fused]) -> str:
    """All data sets, one after the other, then the deviations that their tables number."""
    numbered = Numbered()
    parts = [_set(name, of_set, numbered) for name, of_set in fused.items()]
    return "".join(parts) + legend(numbered.seen)


def _set(name: str, fused: Fused, numbered: Numbered) -> str:
    results, tests = fused.results, fused.correlations
    title = escape(name.replace("_", " ").upper())

    def notes(system: str) -> str:
        return numbered.of(viper_deviations.of(fused.made, system, results[system]))

    others = ", ".join(f"{who} {score:.4f}" for who, score in OTHERS.items())
    return (
        (SYNTHETIC.format(name=title) if tests["synthetic"] else "")
        + METHOD.format(confidence=tests["confidence"], source=escape(SOURCE))
        + f"<h3>{title}: visual encoders (Table 2)</h3>{viper_tables.table_2(results, notes)}"
        f"<h3>{title}: modalities (Table 3)</h3>{viper_tables.table_3(results, notes)}"
        f"<p class='note'>Of real test clips the labels are withheld: our estimates go to the "
        f"challenge as submission.csv. Published on the test set: {others}.</p>"
        f"<h3>{title}: related systems</h3>{viper_tables.related(results, notes)}"
        f"<h3>{title}: against the full configuration</h3>{_tests(tests)}"
        f"<h3>{title}: by class</h3>{_classes(results)}{_figures(title, fused)}"
    )


def _tests(correlations: Mapping[str, Any]) -> str:
    """Tables of both selections, the honest one first."""
    level = 1 - correlations["confidence"]
    first, second = CHOSEN
    return (
        "<p class='note'>Mean correlation of each system minus that of the full configuration, on "
        "the clips of both. Paired permutation test: the two systems' scores change places clip by "
        f"clip. Better or worse: p &le; {level:.2g} after Holm's correction for all systems of the "
        f"table; the others are not distinguishable. The paper says p &lt; {LEVEL:g} for the "
        "ViPERs of Table 3, and names no test. Epoch chosen held out.</p>"
        f"{viper_tables.tests(correlations, first)}"
        f"<details><summary>The same, epoch chosen {CHOSEN[second]}</summary>"
        f"{viper_tables.tests(correlations, second)}</details>"
    )


def _classes(results: Mapping[str, Summary]) -> str:
    first, second = CHOSEN
    return (
        f"<p class='note'>Epoch chosen {CHOSEN[first]}.</p>{viper_tables.by_class(results, first)}"
        f"<details><summary>The same, epoch chosen {CHOSEN[second]}</summary>"
        f"{viper_tables.by_class(results, second)}</details>"
    )


def _figures(title: str, fused: Fused) -> str:
    """Deciles of the full configuration: its best and worst class, then all."""
    full, (first, second) = fused.correlations["full"], CHOSEN
    scored = fused.results[full][first]["pearson"]
    classes = sorted((c for c in scored if c != "mean"), key=lambda c: -scored[c]["value"])
    best, worst = classes[0], classes[-1]
    more = "".join(_picture(fused, second, name) for name in classes)
    return (
        f"<h3>{title}: labels against estimates (Figs. 2 and 3)</h3>"
        f'<div class="deciles">{_picture(fused, first, best)}{_picture(fused, first, worst)}</div>'
        "<p class='note'>The full configuration, its best and its worst class; epoch chosen "
        f"{CHOSEN[first]}. Each row adds up to 1; a grey row has no clip. Published: {BEST[0]} "
        f"&rho; = {BEST[1]}, {WORST[0]} &rho; = {WORST[1]}.</p>"
        "<details><summary>The other classes</summary><div class='deciles'>"
        f"{''.join(_picture(fused, first, name) for name in classes[1:-1])}</div></details>"
        f"<details><summary>All classes, epoch chosen {CHOSEN[second]}</summary>"
        f'<div class="deciles">{more}</div></details>'
    )


def _picture(fused: Fused, selection: str, name: str) -> str:
    correlations = fused.correlations
    rho = fused.results[correlations["full"]][selection]["pearson"][name]["value"]
    found = correlations[selection]["deciles"][name]
    n = sum(map(sum, found["counts"]))
    kind = "synthetic twin, " if correlations["synthetic"] else ""
    picture = viper_figures.confusion(found["counts"], title=f"{name}, r = {rho:.4f}")
    return (
        f"<figure>{picture}<figcaption>{kind}{n} clips; {_clipped(found['n_outside'])}."
        "</figcaption></figure>"
    )


def _clipped(n: int) -> str:
    if not n:
        return "no estimate lies outside 0 to 1"
    return f"estimates outside 0 to 1, in the outermost columns: {n}"
