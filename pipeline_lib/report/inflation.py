"""What each flaw makes of a score where nothing is to be found: a figure and its table."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from pipeline_lib.report import figures, markup, style
from pipeline_lib.report.comparisons import FLAWS
from pipeline_lib.report.published import SYSTEMS

Inflation = Mapping[str, Any]  # content of results/inflation.json, see stages.inflation
Case = Mapping[str, Any]

WAYS = {"honest": ("honest", style.OURS, -0.13), "flawed": ("with the flaw", style.BAD, 0.13)}


def page(content: Inflation) -> str:
    """The section as a page of its own, which loads nothing from anywhere."""
    title = "What flaws are worth"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style.CSS}</style>{figures.library()}</head>"
        f"<body><main><section><h2>{title}</h2>{section(content)}</section></main></body></html>\n"
    )


def section(content: Inflation) -> str:
    """Figure and table, for a page that holds figures.library()."""
    return (
        '<p class="banner"><b>Synthetic, effect 0.</b> Nothing in these recordings tells anything '
        "about the labels of another person: all that is above chance comes of the flaw.</p>"
        f"<figure>{figure(content)}</figure>{table(content['cases'])}"
        f"<p class='note'>Accuracy in percent, both targets together; {content['confidence']:.0%} "
        "intervals (bootstrap over people). The same people are predicted in both ways. How much a "
        "flaw inflates depends on the data; where the interval of the inflation contains 0, this "
        "twin shows none.</p>"
    )


def figure(content: Inflation) -> str:
    """Accuracy of each case, honest and flawed, with intervals, beside chance."""
    cases = content["cases"]
    drawn = go.Figure()
    for way, (name, colour, shift) in WAYS.items():
        scores = [case[way] for case in cases]
        drawn.add_scatter(
            x=[100 * score["value"] for score in scores],
            y=[i + shift for i in range(len(cases))],
            error_x={
                "array": [100 * (score["high"] - score["value"]) for score in scores],
                "arrayminus": [100 * (score["value"] - score["low"]) for score in scores],
                "thickness": 2,
                "width": 5,
            },
            mode="markers",
            marker={"size": 11, "color": colour},
            name=name,
            hovertemplate=f"{name}: %{{x:.1f}}<extra></extra>",
        )
    drawn.add_vline(
        x=50,
        line={"dash": "dot", "color": style.MUTED, "width": 1},
        annotation={"text": "chance", "font": {"size": 11, "color": style.MUTED}},
        annotation_position="bottom left",
    )
    drawn.update_xaxes(range=[30, 103], title_text="accuracy, percent")
    drawn.update_yaxes(
        tickvals=[*range(len(cases))],
        ticktext=[f"{case['flaw']}<br>{_title(case)}" for case in cases],
        autorange="reversed",
        automargin=True,
    )
    return figures.fragment(drawn, name="inflation", height=110 + 52 * len(cases))


def table(cases: Sequence[Case]) -> str:
    rows = [
        "<tr>"
        + markup.cells([escape(case["flaw"]), FLAWS[case["flaw"]], _title(case)], kind="name")
        + markup.cells([f"{case['twins']} &times; {case['subjects']}", str(case["trials"])])
        + markup.cells([_score(case[way]) for way in WAYS] + [_score(case["inflation"], "+")])
        + "</tr>"
        for case in cases
    ]
    numbers = ["twins &times; people", "trials each", *(name for name, *_ in WAYS.values())]
    return markup.table(
        markup.head(["flaw", "what it does", "system"], [*numbers, "inflation"]), rows
    )


def _title(case: Case) -> str:
    return escape(SYSTEMS[case["system"]].title)


def _score(score: Mapping[str, float], sign: str = "") -> str:
    value, low, high = (f"{100 * score[key]:{sign}.1f}" for key in ("value", "low", "high"))
    return f"{value}<small>{markup.span(low, high)}</small>"
