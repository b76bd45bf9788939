"""Plotly figures of the report as HTML fragments: tables in, markup out.

The same input gives the same bytes: every figure's id is given by the caller.
"""

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import plotly.io
import polars as pl
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from pipeline_lib.report import style
from pipeline_lib.report.published import SYSTEMS, TARGETS
from pipeline_lib.report.results import Summary

LOOK = go.layout.Template(
    layout={
        "font": {"family": style.FONT, "size": 13, "color": style.INK},
        "paper_bgcolor": style.PAPER,
        "plot_bgcolor": style.PAPER,
        "margin": {"l": 60, "r": 20, "t": 34, "b": 46},
        "hoverlabel": {"font": {"family": style.FONT}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"gridcolor": style.LINE, "linecolor": style.MUTED, "zeroline": False},
        "yaxis": {"gridcolor": style.LINE, "linecolor": style.MUTED, "zeroline": False},
    }
)
CURVES_IN_A_ROW, CURVES_HEIGHT = 3, 200  # panels, px of each
LOSS_COLOURS = {"train_loss": style.MUTED, "validation_loss": style.OURS}


def library() -> str:
    """plotly.js itself, to stand once in the page: nothing is loaded from anywhere."""
    return f"<script>{get_plotlyjs()}</script>"


def fragment(figure: go.Figure, *, name: str, height: int) -> str:
    """A figure as markup; `name` is its id in the page, `height` is in px."""
    figure.update_layout(template=LOOK, height=height)
    markup: str = plotly.io.to_html(
        figure,
        include_plotlyjs=False,
        full_html=False,
        div_id=name,
        config={"displayModeBar": False, "responsive": True},
    )
    return markup


def scores_figure(results: Mapping[str, Summary], *, dataset: str, effect: float | None) -> str:
    """Weighted F1 of each system over all folds at once, with interval, chance and ceiling.

    results : system -> summary
    effect  : planted in a twin; None: no ceiling is known
    """
    names = [name for name in reversed(SYSTEMS) if name in results]
    figure = make_subplots(1, len(TARGETS), subplot_titles=TARGETS, shared_yaxes=True)
    for column, target in enumerate(TARGETS, start=1):
        scores = [results[name][target]["pooled"]["weighted_f1"] for name in names]
        values = np.array([score["value"] for score in scores], dtype=np.float64)
        low, high = (
            np.array([score[end] for score in scores], dtype=np.float64) for end in ("low", "high")
        )
        figure.add_scatter(
            x=100 * values,
            y=[SYSTEMS[name].title for name in names],
            error_x={
                "array": 100 * (high - values),
                "arrayminus": 100 * (values - low),
                "thickness": 2,
                "width": 5,
            },
            mode="markers",
            marker={"size": 11, "color": style.TARGET_COLOURS[target]},
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
            row=1,
            col=column,
        )
        for x, text in _reference_lines(effect).items():
            figure.add_vline(
                x=x,
                line={"dash": "dot", "color": style.MUTED, "width": 1},
                annotation={"text": text, "font": {"size": 11, "color": style.MUTED}},
                annotation_position="bottom left",
                row=1,
                col=column,
            )
    figure.update_xaxes(range=[0, 103], title_text="weighted F1, percent")
    figure.update_yaxes(range=[-1, len(names) - 0.5])  # room for the names of the lines
    longest = max(len(SYSTEMS[name].title) for name in names)
    figure.update_layout(showlegend=False, margin_l=30 + 7 * longest)  # px a letter
    return fragment(figure, name=f"scores-{dataset}", height=120 + 38 * len(names))


def curves_figure(curves: Mapping[str, pl.DataFrame], *, dataset: str) -> str:
    """Loss per epoch, a line a fold, a panel a system; a dot where the best epoch is.

    curves : system -> schema.HISTORY
    """
    titles = [SYSTEMS[system].title for system in curves]
    n_rows = math.ceil(len(curves) / CURVES_IN_A_ROW)
    height = 90 + CURVES_HEIGHT * n_rows
    figure = make_subplots(
        n_rows,
        CURVES_IN_A_ROW,
        subplot_titles=titles,
        horizontal_spacing=0.08,
        vertical_spacing=60 / height,
    )
    for place, history in enumerate(curves.values()):
        row, column = divmod(place, CURVES_IN_A_ROW)
        folds = history.sort("fold", "epoch").group_by("fold", maintain_order=True)
        for i, ((fold,), rows) in enumerate(folds):
            _add_losses(
                figure, rows, fold=fold, panel=(row + 1, column + 1), in_legend=place + i == 0
            )
    figure.update_layout(legend_y=1 + 45 / height)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title_text="epoch", row=n_rows)
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(title_text="cross-entropy", col=1)
    return fragment(figure, name=f"curves-{dataset}", height=height)


def _add_losses(
    figure: go.Figure, rows: pl.DataFrame, *, fold: object, panel: tuple[int, int], in_legend: bool
) -> None:
    """Add one fold's two lines to a panel; only the last of its best epochs is kept."""
    kept = rows.filter("best")["epoch"].max()
    for kind, colour in LOSS_COLOURS.items():
        marked = (rows["epoch"] == kept) & (kind == "validation_loss")
        figure.add_scatter(
            x=rows["epoch"].to_numpy(),
            y=rows[kind].to_numpy(),
            mode="lines+markers",
            line={"color": colour, "width": 1.6},
            marker={"size": np.where(marked, 7, 0)},
            opacity=0.75,
            name=kind.replace("_loss", ""),
            legendgroup=kind,
            showlegend=in_legend,
            hovertemplate=f"fold {fold}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
            row=panel[0],
            col=panel[1],
        )


def _reference_lines(effect: float | None) -> dict[float, str]:
    lines = {50.0: "chance"}
    if effect:
        lines[50 * (1 + effect)] = "best possible"
    return lines
