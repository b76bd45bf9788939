"""What is left of each system's score when a stretch of one modality is missing."""

from collections.abc import Mapping
from itertools import product

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from metrics.bootstrap import mean_over_repeats
from metrics.classification import weighted_f1
from pipeline_lib.evaluation import by_repeat
from pipeline_lib.report import style
from pipeline_lib.report.figures import fragment
from pipeline_lib.report.published import SYSTEMS, TARGETS
from pipeline_lib.report.results import Summary

MODALITIES = {"visual": "video", "physio": "physiology"}  # of schema.DEGRADED -> title
COLOURS = (
    "#0b7285", "#d9480f", "#5f3dc4", "#2b8a3e", "#c2255c", "#e8a010", "#1864ab", "#868e96",
)  # fmt: skip
TRIVIAL = "majority"


def scores(degraded: pl.DataFrame, whole: Summary) -> pl.DataFrame:
    """modality, target, share, weighted_f1 of one system, with the recordings as they are (0).

    degraded : schema.DEGRADED
    """
    rows = [
        {"modality": modality, "target": target, "share": share, "weighted_f1": _score(of_step)}
        for (modality, target, share), of_step in degraded.group_by("modality", "target", "share")
    ]
    rows += [
        {"modality": modality, "target": target, "share": 0.0}
        | {"weighted_f1": whole[target]["pooled"]["weighted_f1"]["value"]}
        for modality, target in product(degraded["modality"].unique(), TARGETS)
    ]
    return pl.DataFrame(rows).sort("modality", "target", "share")


def degraded_figure(
    degraded: Mapping[str, pl.DataFrame], results: Mapping[str, Summary], *, dataset: str
) -> str:
    """Score against the missing share: a row a target, a column a modality, a line a system.

    degraded : system -> schema.DEGRADED
    results  : system -> summary, of these and of the trivial system
    """
    figure = make_subplots(
        len(TARGETS),
        len(MODALITIES),
        subplot_titles=[
            f"{target}, part of the {title} missing"
            for target, title in product(TARGETS, MODALITIES.values())
        ],
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=0.12,
    )
    named: set[str] = set()
    systems = [name for name in SYSTEMS if name in degraded]
    for i, system in enumerate(systems):
        found = scores(degraded[system], results[system])
        for (row, target), (column, modality) in _panels():
            line = found.filter(modality=modality, target=target)
            if line.is_empty():
                continue
            _add_line(
                figure,
                line,
                system,
                COLOURS[i % len(COLOURS)],
                in_legend=system not in named,
                row=row,
                column=column,
            )
            named.add(system)
    for (row, target), (column, _) in _panels():
        _add_trivial(figure, results, target, row=row, column=column)
    for column in range(1, len(MODALITIES) + 1):
        figure.update_xaxes(title_text="missing, percent", row=len(TARGETS), col=column)
    figure.update_xaxes(tickvals=[0, 25, 50, 75, 100])
    figure.update_yaxes(range=[0, 103])
    figure.update_yaxes(title_text="weighted F1, percent", col=1)
    figure.update_layout(legend_y=1.07)
    return fragment(figure, name=f"degraded-{dataset}", height=560)


def _panels() -> list[tuple[tuple[int, str], tuple[int, str]]]:
    return [*product(enumerate(TARGETS, start=1), enumerate(MODALITIES, start=1))]


def _add_line(
    figure: go.Figure,
    line: pl.DataFrame,
    system: str,
    colour: str,
    *,
    in_legend: bool,
    row: int,
    column: int,
) -> None:
    figure.add_scatter(
        x=100 * line["share"].to_numpy(),
        y=100 * line["weighted_f1"].to_numpy(),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 6},
        name=SYSTEMS[system].title,
        legendgroup=system,
        showlegend=in_legend,
        hovertemplate=f"{SYSTEMS[system].title}, %{{x:.0f}} % missing: %{{y:.0f}}<extra></extra>",
        row=row,
        col=column,
    )


def _add_trivial(
    figure: go.Figure, results: Mapping[str, Summary], target: str, *, row: int, column: int
) -> None:
    """A line for what can be had without any input."""
    if TRIVIAL in results:
        figure.add_hline(
            y=100 * results[TRIVIAL][target]["pooled"]["weighted_f1"]["value"],
            line={"dash": "dot", "color": style.MUTED, "width": 1},
            row=row,
            col=column,
        )


def _score(of_step: pl.DataFrame) -> float:
    recordings, of_repeats = by_repeat(of_step)
    return float(mean_over_repeats(recordings["label"].to_numpy(), of_repeats, weighted_f1))
