"""The paper's Fig. 3: how often each rating was given, and what labels the threshold makes."""

import numpy as np
import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from pipeline_lib.report import style
from pipeline_lib.report.figures import fragment
from pipeline_lib.report.published import TARGETS

LABEL_COLOURS = ("#9aa5b1", style.OURS)  # of label 0 and 1
HALVES = np.arange(2, 19)  # a scale from 1 to 9 in bins of a half, each with its upper edge
WIDTHS = (0.34, 0.34, 0.32)


def labels_figure(recordings: pl.DataFrame, *, dataset: str, threshold: float) -> str:
    """Ratings by label for each target, then the labels themselves.

    recordings : schema.RECORDINGS
    threshold  : rating <= threshold is label 0
    """
    figure = make_subplots(
        1,
        len(TARGETS) + 1,
        subplot_titles=[*TARGETS, "labels"],
        column_widths=WIDTHS,
        horizontal_spacing=0.08,
    )
    for column, target in enumerate(TARGETS, start=1):
        rated = _rated(recordings, target)
        most = 0
        for label, colour in enumerate(LABEL_COLOURS):
            ratings = rated.filter(pl.col(f"{target}_label") == label)[target].to_numpy()
            bins = np.clip(np.ceil(2 * ratings), HALVES[0], HALVES[-1]).astype(int)
            counts = np.bincount(bins, minlength=HALVES[-1] + 1)[HALVES]
            most = max(most, int(counts.max()))
            figure.add_bar(
                x=HALVES / 2 - 0.25,
                y=counts,
                width=0.46,
                marker={"color": colour},
                hovertemplate=f"label {label}: %{{y}} recordings<extra></extra>",
                row=1,
                col=column,
            )
        figure.add_vline(
            x=threshold,
            line={"dash": "dash", "color": style.INK, "width": 1},
            annotation={"text": f"threshold {threshold:g}", "font": {"size": 11}},
            annotation_position="top right",
            row=1,
            col=column,
        )
        figure.update_yaxes(range=[0, 1.25 * most + 1], row=1, col=column)  # room for its name
    _add_labels(figure, recordings)
    figure.update_layout(barmode="stack", showlegend=False)
    for column in range(1, len(TARGETS) + 1):
        figure.update_xaxes(range=[0.3, 9.2], dtick=1, title_text="rating", row=1, col=column)
    figure.update_yaxes(title_text="recordings", row=1, col=1)
    return fragment(figure, name=f"labels-{dataset}", height=250)


def unrated(recordings: pl.DataFrame) -> dict[str, int]:
    """Target -> recordings that have no rating of it."""
    return {target: recordings.height - _rated(recordings, target).height for target in TARGETS}


def _add_labels(figure: go.Figure, recordings: pl.DataFrame) -> None:
    """A bar a target, of label 0 and label 1, with their numbers and shares."""
    column = len(TARGETS) + 1
    for label, colour in enumerate(LABEL_COLOURS):
        found = [_rated(recordings, target)[f"{target}_label"] for target in TARGETS]
        counts = [int((labels == label).sum()) for labels in found]
        shares = [n / max(len(labels), 1) for n, labels in zip(counts, found, strict=True)]
        figure.add_bar(
            x=TARGETS,
            y=counts,
            width=0.62,
            marker={"color": colour},
            text=[
                f"label {label}<br>{n} ({share:.0%})" if n else ""
                for n, share in zip(counts, shares, strict=True)
            ],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": style.PAPER},
            hoverinfo="skip",
            row=1,
            col=column,
        )


def _rated(recordings: pl.DataFrame, target: str) -> pl.DataFrame:
    return recordings.drop_nulls([target, f"{target}_label"])
