"""The paper's Fig. 5: trials that MVP gets right and its rival wrong, and what MVP attends to."""

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from pipeline_lib.core.schema import VISUAL
from pipeline_lib.report import contact_sheet, markup, style
from pipeline_lib.report.figures import fragment
from pipeline_lib.report.published import TARGETS
from pipeline_lib.report.real import ACTION_UNITS, UNITS

FACES = 10  # over the tracks
HEIGHTS = (0.17, 0.23, 0.11, 0.2, 0.18, 0.11)  # of the rows, as shares
HEIGHT = 700  # px
WHAT = {  # of pipeline_lib/attention.py
    "visual": "video",
    "physio": "physiology",
}


@dataclass(frozen=True)
class Cases:
    """What stages.explain left of a data set."""

    outcomes: pl.DataFrame  # schema.OUTCOMES
    cases: pl.DataFrame  # schema.CASES
    attention: pl.DataFrame  # schema.ATTENTION
    features: pl.DataFrame  # schema.FEATURES of these recordings
    physio: pl.DataFrame  # schema.PHYSIO
    crops: pl.DataFrame  # schema.CROPS
    fps: float  # Hz, of the visual features
    visual: str  # which they are, a key of schema.VISUAL


def section(dataset: str, found: Cases, *, faces: bool) -> str:
    """How often each of the two was right alone, then a figure a target.

    faces : whether they may be shown
    """
    rows = [
        f"<tr>{markup.cells([row['target']], kind='name')}"
        + markup.cells([str(row[k]) for k in ("both", "ours_alone", "rival_alone", "neither")])
        + "</tr>"
        for row in found.outcomes.sort("target").to_dicts()
    ]
    titles = ("both right", "MVP alone right", "MLP alone right", "both wrong")
    parts = [
        markup.table(markup.head(["target"], titles), rows),
        "<p class='note'>Test trials of all folds. Shown is, of each target, the one that MVP "
        "alone got right with the largest difference of the two systems' probabilities of the "
        "true class: a best case, chosen by that rule, not a usual one.</p>",
    ]
    for target in TARGETS:
        of_target = found.cases.filter(target=target).to_dicts()
        if of_target:
            parts.append(_case(dataset, found, of_target[0], faces=faces))
        else:
            parts.append(f"<p class='note'>{target}: MVP alone was right in no trial.</p>")
    return "".join(parts)


def _case(dataset: str, found: Cases, case: dict[str, Any], *, faces: bool) -> str:
    said = (
        f"{case['target']} of {case['recording_id']} is {case['label']}. Probability of 1: MVP "
        f"{case['score']:.2f}, MLP {case['rival_score']:.2f}."
    )
    hidden = "" if faces else " Faces of real people are not shown."
    return (
        f"<figure>{_figure(dataset, found, case, faces=faces)}<figcaption>{escape(said)}{hidden} "
        "Attention: 1 is what it would be if it were even over the trial. Of the physiology, "
        "whose tokens are the queries: what they add to the answer. It shows where the model "
        "looks, not why it answers.</figcaption></figure>"
    )


def _figure(dataset: str, found: Cases, case: dict[str, Any], *, faces: bool) -> str:
    maps = {
        row["modality"]: row
        for row in found.attention.filter(
            recording_id=case["recording_id"], fold=case["fold"], target=case["target"]
        ).to_dicts()
    }
    (features,) = found.features.filter(recording_id=case["recording_id"]).to_dicts()
    signals = found.physio.filter(recording_id=case["recording_id"]).sort("channel").to_dicts()
    signals = [row for row in signals if row["channel"] != "EDA"] + [
        row for row in signals if row["channel"] == "EDA"
    ]
    figure = make_subplots(
        len(HEIGHTS), 1, shared_xaxes=True, row_heights=HEIGHTS, vertical_spacing=0.025
    )
    start, end = _span(maps)
    _add_tracks(figure, features, maps["visual"]["start"], found)
    _add_attention(figure, maps["visual"], case["target"], row=3)
    for row, signal in enumerate(signals[:2], start=4):
        _add_signal(figure, signal, row=row)
    _add_attention(figure, maps["physio"], case["target"], row=6)
    if faces:
        crops = found.crops.filter(recording_id=case["recording_id"], crop="large")
        figure.update_layout(images=_faces(crops, start=start, end=end))
    figure.update_xaxes(range=[start, end])
    figure.update_xaxes(title_text="s from the onset of the stimulus", row=len(HEIGHTS))
    figure.update_xaxes(visible=False, row=1)
    figure.update_yaxes(visible=False, range=[0, 1], row=1)
    figure.update_yaxes(title_font_size=11)
    figure.update_layout(legend_y=1.0, margin_l=80)
    return fragment(figure, name=f"case-{dataset}-{case['target']}", height=HEIGHT)


def _span(maps: dict[str, dict[str, Any]]) -> tuple[float, float]:
    """From the first to the last second of either modality."""
    known = [row for row in maps.values() if row["weight"]]
    ends = [row["start"] + len(row["weight"]) / row["rate"] for row in known]
    return min(row["start"] for row in known), max(ends)


def _add_tracks(figure: go.Figure, features: dict[str, Any], start: float, found: Cases) -> None:
    """Action units; a gap is a frame without a face."""
    columns = VISUAL[found.visual]
    flat = np.array(features["visual"] or [], dtype=np.float32)
    matrix = flat.reshape(-1, len(columns))
    time = _axis(start, len(matrix), found.fps)
    for unit, (title, colour) in ACTION_UNITS.items():
        figure.add_scatter(
            x=time,
            y=matrix[:, columns.index(unit)],
            mode="lines",
            line={"color": colour, "width": 1.6},
            connectgaps=False,
            name=title,
            hovertemplate=f"{unit} %{{y:.1f}} at %{{x:.1f}} s<extra></extra>",
            row=2,
            col=1,
        )
    figure.update_yaxes(title_text="action units", rangemode="tozero", row=2)


def _add_signal(figure: go.Figure, signal: dict[str, Any], *, row: int) -> None:
    samples = np.array(signal["samples"], dtype=np.float32)
    figure.add_scatter(
        x=_axis(signal["start"], len(samples), signal["sampling_rate"]),
        y=samples,
        mode="lines",
        line={"color": style.INK if signal["channel"] != "EDA" else style.VALENCE, "width": 1.2},
        showlegend=False,
        hoverinfo="skip",
        row=row,
        col=1,
    )
    unit = UNITS.get(signal["unit"], signal["unit"])
    figure.update_yaxes(title_text=f"{signal['channel']}, {unit}", row=row)


def _add_attention(figure: go.Figure, found: dict[str, Any], target: str, *, row: int) -> None:
    """A filled line over time; dotted: even."""
    weights = np.array(found["weight"], dtype=np.float32)
    step = 1 / found["rate"]
    figure.add_scatter(
        x=_axis(found["start"] + step / 2, len(weights), found["rate"]),
        y=weights,
        mode="lines",
        line={"color": style.TARGET_COLOURS[target], "width": 1.5, "shape": "hvh"},
        fill="tozeroy",
        showlegend=False,
        hovertemplate="%{y:.2f} at %{x:.1f} s<extra></extra>",
        row=row,
        col=1,
    )
    figure.add_hline(y=1, line={"dash": "dot", "color": style.MUTED, "width": 1}, row=row, col=1)
    top = max(2.0, float(weights.max(initial=0)))
    title = f"attention,<br>{WHAT[found['modality']]}"
    figure.update_yaxes(title_text=title, range=[0, 1.05 * top], row=row)


def _faces(crops: pl.DataFrame, *, start: float, end: float) -> list[dict[str, Any]]:
    """Frames with a face over the tracks, one in each of FACES equal parts that has any."""
    seen = crops.filter("face").sort("time")
    times = seen["time"].to_numpy()
    if not times.size:
        return []
    width = (end - start) / FACES
    middles = start + (np.arange(FACES) + 0.5) * width
    nearest = np.abs(times[:, None] - middles).argmin(axis=0)
    return [
        {
            "source": contact_sheet.thumbnail(seen["jpeg"][int(index)]),
            "x": middle,
            "y": 0.5,
            "sizex": 0.98 * width,
            "sizey": 1,
            "xref": "x",
            "yref": "y",
            "xanchor": "center",
            "yanchor": "middle",
        }
        for middle, index in zip(middles, nearest, strict=True)
        if abs(times[index] - middle) <= width / 2
    ]


def _axis(start: float, n: int, rate: float) -> npt.NDArray[np.float32]:
    time: npt.NDArray[np.float32] = (start + np.arange(n) / rate).astype(np.float32)
    return time
