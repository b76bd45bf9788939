"""What the pipeline sees in real, unaltered recordings: faces, action units, heart, skin."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl

from pipeline_lib.report import style
from pipeline_lib.report.figures import fragment

Floats = npt.NDArray[np.float64]

FACES = 10  # under the tracks
ACTION_UNITS = {  # what rises, and its colour
    "AU12_r": ("AU12 lip corners up", "#c2255c"),
    "AU06_r": ("AU06 cheeks up", "#e8590c"),
    "AU04_r": ("AU04 brows down", "#1864ab"),
    "AU15_r": ("AU15 lip corners down", "#5c940d"),
}
AU_SMOOTHING = 5  # frames, running median over single-frame flicker; the raw track is behind it
THUMBNAIL = 0.3  # height of the faces under the tracks, as a share of the tracks' own
TRIALS = 12  # trials of EDA on show
UNITS = {"uS": "\N{MICRO SIGN}S"}
SMALLEST_RESPONSE = 0.05  # uS (Boucsein et al. 2012, Psychophysiology 49)


def action_units_figure(openface: pl.DataFrame, crops: pl.DataFrame) -> str:
    """Action units of one recording over time, over its faces; a gap is a frame without a face.

    openface : schema.OPENFACE of one recording
    crops    : schema.CROPS of the same, whose video starts at 0
    """
    frames = openface.sort("time")
    time = frames["time"].to_numpy()
    top = max(1.0, float(np.nanmax(_column(frames, list(ACTION_UNITS)))))
    figure = go.Figure()
    for unit, (title, colour) in ACTION_UNITS.items():
        track = _column(frames, unit)
        line = {"legendgroup": unit, "connectgaps": False, "mode": "lines"}
        figure.add_scatter(
            x=time,
            y=track,
            line={"color": colour, "width": 1},
            opacity=0.25,
            showlegend=False,
            hoverinfo="skip",
            **line,
        )
        figure.add_scatter(
            x=time,
            y=running_median(track, AU_SMOOTHING),
            line={"color": colour, "width": 2.4},
            name=title,
            hovertemplate=f"{unit} %{{y:.1f}} at %{{x:.1f}} s<extra></extra>",
            **line,
        )
    figure.update_layout(images=_thumbnails(crops, end=float(time[-1]), top=top))
    figure.update_xaxes(title_text="s", range=[0, time[-1]])
    figure.update_yaxes(
        title_text="intensity, 0 to 5", range=[-THUMBNAIL * top, 1.05 * top], tickvals=[*range(6)]
    )
    return fragment(figure, name="action-units", height=430)


def heart_figure(physio: pl.DataFrame) -> str:
    """A filtered ECG with its R-peaks.

    physio : schema.PHYSIO of one recording, with an ECG
    """
    (row,) = physio.filter(channel="ECG").to_dicts()
    time, x = _signal(row)
    peaks = _r_peaks(x, row["sampling_rate"])
    rate = 60 * row["sampling_rate"] / np.diff(peaks).mean()
    figure = go.Figure()
    figure.add_scatter(
        x=time,
        y=x,
        mode="lines",
        line={"color": style.INK, "width": 1.3},
        name=f"ECG, filtered; quality {row['quality']:.2f}",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=time[peaks],
        y=x[peaks],
        mode="markers",
        marker={"color": style.AROUSAL, "size": 9, "symbol": "circle-open", "line": {"width": 2}},
        name=f"R-peaks, {rate:.0f} a minute",
        hovertemplate="R-peak at %{x:.2f} s<extra></extra>",
    )
    figure.update_xaxes(title_text="s", range=[time[0], time[-1]])
    figure.update_yaxes(title_text=row["unit"])
    return fragment(figure, name="heart", height=290)


def skin_figure(physio: pl.DataFrame, stimuli: Mapping[str, str]) -> str:
    """Filtered EDA of consecutive recordings, end to end, with its skin-conductance responses.

    physio  : schema.PHYSIO of recordings that follow each other without a pause
    stimuli : recording -> what was shown, in their order
    """
    by_name = {row["recording_id"]: row for row in physio.filter(channel="EDA").to_dicts()}
    parts = [_signal(by_name[name])[1] for name in stimuli]
    first = by_name[next(iter(stimuli))]
    x = np.concatenate(parts)
    time = np.arange(x.size) / first["sampling_rate"]
    peaks = _responses(x, first["sampling_rate"])
    figure = go.Figure()
    figure.add_scatter(
        x=time,
        y=x,
        mode="lines",
        line={"color": style.VALENCE, "width": 1.8},
        name="EDA, filtered",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=time[peaks],
        y=x[peaks],
        mode="markers",
        marker={"color": style.AROUSAL, "size": 10, "symbol": "triangle-down"},
        name=f"responses of at least {SMALLEST_RESPONSE:g} {UNITS['uS']}: {peaks.size}",
        hovertemplate="response, peak at %{x:.1f} s<extra></extra>",
    )
    onsets = np.cumsum([0, *(part.size for part in parts[:-1])]) / first["sampling_rate"]
    for onset, stimulus in zip(onsets, stimuli.values(), strict=True):
        figure.add_vline(
            x=onset,
            line={"color": style.NEUTRAL, "width": 1, "dash": "dot"},
            annotation={"text": stimulus, "font": {"size": 10, "color": style.MUTED}},
            annotation_position="bottom right",
        )
    figure.update_xaxes(title_text="s", range=[time[0], time[-1]])
    figure.update_yaxes(title_text=UNITS.get(first["unit"], first["unit"]))
    return fragment(figure, name="skin", height=310)


def consecutive(recordings: pl.DataFrame, physio: pl.DataFrame) -> dict[str, str]:
    """Recording -> stimulus of the first trials of one session with an ECG and an EDA.

    recordings : schema.RECORDINGS
    physio     : schema.PHYSIO
    """
    channels = physio.group_by("recording_id").agg(pl.col("channel").sort().str.join(" "))
    both = channels.filter(channel="ECG EDA")
    trials = (
        recordings.join(both, on="recording_id", how="semi").sort("subject", "order").head(TRIALS)
    )
    return dict(trials.select("recording_id", "stimulus").rows())


def running_median(x: Floats, width: int) -> Floats:
    """Median over `width` (odd) samples; NaN where x is NaN, which others leave out."""
    padded = np.pad(x, width // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    medians = np.full(x.shape, np.nan)
    seen = ~np.isnan(x)
    medians[seen] = np.nanmedian(windows[seen], axis=1)
    return medians


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _thumbnails(crops: pl.DataFrame, *, end: float, top: float) -> list[dict[str, Any]]:
    """Faces on the time axis, below 0, one in each of FACES equal parts of it that has any."""
    faces = crops.filter(crop="large").sort("time")
    times = faces["time"].to_numpy()
    width = end / FACES
    middles = (np.arange(FACES) + 0.5) * width
    nearest = np.abs(times[:, None] - middles).argmin(axis=0)
    return [
        {
            "source": _data_uri(faces["jpeg"][int(index)]),
            "x": middle,
            "y": -0.02 * top,
            "sizex": 0.96 * width,
            "sizey": (THUMBNAIL - 0.02) * top,
            "xref": "x",
            "yref": "y",
            "xanchor": "center",
            "yanchor": "top",
        }
        for middle, index in zip(middles, nearest, strict=True)
        if abs(times[index] - middle) <= width / 2
    ]


def _column(table: pl.DataFrame, names: str | list[str]) -> Floats:
    """Columns as floats, NaN where null: (n,) of one name, (n, n_names) of a list."""
    values: Floats = table.select(pl.col(names).cast(pl.Float64)).to_numpy()
    return values[:, 0] if isinstance(names, str) else values


def _signal(row: dict[str, Any]) -> tuple[Floats, Floats]:
    """Time in s on the trial's axis, and samples."""
    samples = np.array(row["samples"], dtype=np.float64)
    return row["start"] + np.arange(samples.size) / row["sampling_rate"], samples


def _r_peaks(x: Floats, sampling_rate: float) -> npt.NDArray[np.int64]:
    import neurokit2 as nk

    _, found = nk.ecg_peaks(x, sampling_rate=sampling_rate)
    return np.asarray(found["ECG_R_Peaks"], dtype=np.int64)


def _responses(x: Floats, sampling_rate: float) -> npt.NDArray[np.int64]:
    """Peaks of the skin-conductance responses that are large enough to count."""
    import neurokit2 as nk

    phasic = nk.eda_phasic(x, sampling_rate=sampling_rate)["EDA_Phasic"].to_numpy()
    _, found = nk.eda_peaks(phasic, sampling_rate=sampling_rate)
    large = np.asarray(found["SCR_Amplitude"]) >= SMALLEST_RESPONSE
    return np.asarray(found["SCR_Peaks"])[large].astype(np.int64)
