"""The picture of an agreement: one page that opens from a file and loads nothing."""

from html import escape

import numpy as np
import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from pipeline_lib.face_study import agreement
from pipeline_lib.face_study.comparison import Comparison
from pipeline_lib.report import figures, markup, style
from pipeline_lib.report.page import POLICY

MEASURES = {  # what is drawn of an action unit: column -> title, colour, symbol
    "r": ("Pearson's r", style.OURS, "circle"),
    "icc_3_1": ("ICC(3,1)", style.VALENCE, "diamond"),
    "icc_2_1": ("ICC(2,1)", style.AROUSAL, "diamond-open"),
    "auc": ("presence AUC", style.MUTED, "line-ns-open"),
}
COLUMNS = 3  # of the tracks
TRACK_HEIGHT = 120  # px


def render(found: Comparison) -> str:
    """The whole page: facts, action units, their tracks over time, errors."""
    parts = [f"<p>{escape(line)}</p>" for line in agreement.facts(found)]
    parts.append(f"<p><b>{escape(agreement.sentence(found))}</b></p>")
    if found.units.height:
        parts += [
            f"<h3>Action units</h3><figure>{measures_figure(found.units)}</figure>",
            _units_table(found),
            f"<p class='note'>{escape(agreement.NOTES)}</p>",
            f"<h3>Over time</h3><figure>{tracks_figure(found)}</figure>",
        ]
    if found.errors:
        parts.append(f"<h3>Errors, frame by frame</h3>{_errors_table(found)}")
    a, b = map(escape, found.names)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>Agreement of {a} and {b}</title><style>{style.CSS}</style>"
        f"{figures.library()}</head><body><header><div><h1>Agreement</h1>"
        f'<p class="lead">A: {a}. B, the reference: {b}.</p></div></header>'
        f"<main><section>{''.join(parts)}</section></main></body></html>\n"
    )


def measures_figure(units: pl.DataFrame) -> str:
    """Each measure of each action unit on one scale; one that is not defined has no mark."""
    figure = go.Figure()
    for column, (title, colour, symbol) in MEASURES.items():
        figure.add_scatter(
            x=units["unit"].to_list(),
            y=units[column].cast(pl.Float64).to_numpy(),
            mode="markers",
            name=title,
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2}},
            hovertemplate=f"%{{x}}: {title} %{{y:.2f}}<extra></extra>",
        )
    for note, unit in units.drop_nulls("intensity_note").select("intensity_note", "unit").rows():
        figure.add_annotation(
            x=unit, y=0, text=note, textangle=-90, showarrow=False, yanchor="bottom",
            font={"size": 11, "color": style.MUTED},
        )  # fmt: skip
    worst = units.select(pl.min_horizontal(pl.col(*MEASURES).min())).item()
    figure.update_yaxes(range=[min(-0.05, (worst or 0.0) - 0.05), 1.05], zeroline=True)
    figure.update_xaxes(categoryorder="array", categoryarray=units["unit"].to_list())
    return figures.fragment(figure, name="measures", height=380)


def tracks_figure(found: Comparison) -> str:
    """Intensities of A and B over time, a panel an action unit; gaps where one has no face."""
    names = found.units.filter(pl.col("mean_a").is_not_null())["unit"].to_list()
    n_rows = -(-len(names) // COLUMNS)
    figure = make_subplots(
        n_rows, COLUMNS, subplot_titles=names, shared_xaxes=True, vertical_spacing=0.3 / n_rows
    )
    time = found.pairs["timestamp_b"].to_numpy()
    for i, unit in enumerate(names):
        for side, column, colour in (
            ("A", f"{unit}_r", style.AROUSAL),
            ("B", f"{unit}_r_b", style.INK),
        ):
            figure.add_scatter(
                x=time,
                y=found.pairs[column].cast(pl.Float64).to_numpy(),
                mode="lines",
                line={"color": colour, "width": 1.5},
                name=f"{side}: {found.names[side == 'B']}",
                legendgroup=side,
                showlegend=i == 0,
                hovertemplate=f"{unit} {side} %{{y:.2f}} at %{{x:.2f}} s<extra></extra>",
                row=i // COLUMNS + 1,
                col=i % COLUMNS + 1,
            )
        top = np.nanmax(found.pairs.select(f"{unit}_r", f"{unit}_r_b").cast(pl.Float64).to_numpy())
        figure.update_yaxes(
            range=[-0.1, max(1.0, float(top)) * 1.05], row=i // COLUMNS + 1, col=i % COLUMNS + 1
        )
    figure.update_xaxes(title_text="s", row=n_rows)
    figure.update_layout(legend_y=1 + 40 / (TRACK_HEIGHT * n_rows))
    return figures.fragment(figure, name="tracks", height=TRACK_HEIGHT * n_rows + 100)


def _units_table(found: Comparison) -> str:
    columns = agreement.INTENSITIES | agreement.PRESENCES
    rows = []
    for row in found.units.to_dicts():
        values = [markup.NONE if v == "-" else v for v in agreement.cells(row, columns.values())]
        notes = "; ".join(filter(None, (row["intensity_note"], row["presence_note"])))
        name, last = (f'<td class="name">{escape(text)}</td>' for text in (row["unit"], notes))
        rows.append(f"<tr>{name}{markup.cells(values)}{last}</tr>")
    return markup.table(markup.head([""], [*columns, ""]), rows)


def _errors_table(found: Comparison) -> str:
    rows = [
        f'<tr><td class="name">{escape(name)}</td>'
        f"{markup.cells([f'{spread.mean:.2f}', f'{spread.p95:.2f}'])}</tr>"
        for name, spread in found.errors.items()
    ]
    return markup.table(markup.head([""], ["mean", "95th percentile"]), rows)
