"""EHCI: hand-crafted features of the body and texture of the face, fused late.

Moin et al., The Journal of Supercomputing 2023, of which MVP 2.1 says: spectral features,
hand-crafted ones and local binary patterns of face images, SVM and k-NN, late fusion. Everything
more exact is ours, as the sizes in params.yaml are: two views, physiology (hand-crafted features
and the logarithm of the power in bands) and face (histograms of patterns in a grid of cells, mean
over frames); in each an SVM and a k-NN; the score is the mean of their probabilities. A recording
that has one view is scored by that one, which is what late fusion is good for.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import tabular
from models.tabular import HANDCRAFTED, Floats, Fold
from pipeline_lib import params
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.video import frames

VIEWS = {"physio": (*HANDCRAFTED["physio"], "power_"), "face": ("lbp_",)}
N_BINS = 59  # 58 uniform patterns of 8 neighbours, and one for all others
RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # clockwise

Codes = npt.NDArray[np.uint8]


def prepare(
    crops: pl.DataFrame,
    physio: pl.DataFrame,
    handcraft: pl.DataFrame,
    *,
    config: params.EHCI,
    seed: int,
) -> pl.DataFrame:
    """One row a recording with the features of both views, null where it lacks one.

    crops     : schema.CROPS, of one margin
    physio    : schema.PHYSIO
    handcraft : recording_id and hand-crafted features

    Nothing is fitted, so all folds share it; `seed` is not needed.
    """
    names = [f"lbp_{i}" for i in range(config.cells**2 * N_BINS)]
    faces = {
        name: histograms(grey, cells=config.cells).mean(axis=0)
        for name, grey in frames.by_recording(crops, size=config.image_size, mode="L")
    }
    texture = pl.DataFrame(
        np.array([*faces.values()]).reshape(-1, len(names)), schema=dict.fromkeys(names, pl.Float64)
    ).with_columns(recording_id=pl.Series([*faces], dtype=pl.String))
    powers = _powers(physio, config=config)
    return handcraft.join(powers, on="recording_id", how="left").join(
        texture, on="recording_id", how="left"
    )


def lacking(prepared: pl.DataFrame, labels: pl.DataFrame) -> dict[str, str]:
    """What the recordings lack that cannot be used: a label, or every view."""
    unrated, *without = (
        tabular.lacking(prepared, labels, needed, families=VIEWS)
        for needed in ((), *((view,) for view in VIEWS))
    )
    blind = {name: "no feature of any view" for name in set.intersection(*map(set, without))}
    return dict(sorted({**blind, **unrated}.items()))


def fit_predict(
    prepared: pl.DataFrame,
    labels: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.EHCI,
    seed: int,
) -> pl.DataFrame:
    """Fit on the fold's roles train and validation; recording_id, target, score of its test."""
    data = Fold.of(prepared, labels, fold, families=VIEWS)
    seen = np.any([data.has([view]) for view in VIEWS], axis=0)
    tested = seen & ~data.train
    scores = {}
    for target in TARGETS:
        votes = [vote for view in VIEWS for vote in _votes(view, data, target, config=config)]
        scores[target] = np.nanmean(np.stack(votes)[:, tested], axis=0)
    return data.scores(tested, scores)


def _votes(view: str, data: Fold, target: str, *, config: params.EHCI) -> list[Floats]:
    """Each classifier's scores (n_recordings,), NaN for a recording without the view."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    has, x, y = data.has([view]), data.filled[view], data.labels[target]
    data.check(has, target=target, system=f"ehci ({view})")
    train = has & data.train
    votes = []
    for model in (
        SVC(kernel=config.svm.kernel, gamma=config.svm.gamma, C=config.svm.C),
        KNeighborsClassifier(min(config.neighbours, int(train.sum()))),
    ):
        vote = np.full(len(y), np.nan)
        vote[has] = tabular.score(model.fit(x[train], y[train]), x[has])
        votes.append(vote)
    return votes


# ---- Local binary patterns (Ojala et al. 2002) --------------------------------------------------


def patterns(grey: npt.NDArray[np.uint8]) -> Codes:
    """Number of the uniform pattern, 0 to 58, of every pixel but the edge's.

    grey : (..., height, width) -> (..., height - 2, width - 2)

    Each neighbour, clockwise from the upper left, is a bit: 1 if it is not darker than the
    centre. Neighbours are the eight pixels around, not interpolated on a circle.
    """
    centre = grey[..., 1:-1, 1:-1]
    height, width = grey.shape[-2:]
    code = np.zeros(centre.shape, np.uint8)
    for bit, (down, right) in enumerate(RING):
        neighbour = grey[..., 1 + down : height - 1 + down, 1 + right : width - 1 + right]
        code |= (neighbour >= centre).astype(np.uint8) << np.uint8(bit)
    return _uniform()[code]


def histograms(grey: npt.NDArray[np.uint8], *, cells: int) -> Floats:
    """Shares of the patterns in each of cells x cells: (n, height, width) -> (n, cells² * 59)."""
    found = patterns(grey)
    parts = [
        np.stack([np.bincount(picture.ravel(), minlength=N_BINS) for picture in cell])
        for rows in np.array_split(found, cells, axis=1)
        for cell in np.array_split(rows, cells, axis=2)
    ]
    shares = [part / part.sum(axis=1, keepdims=True) for part in parts]
    return np.concatenate(shares, axis=1)


@cache
def _uniform() -> Codes:
    """Code of 8 bits -> its number; uniform ones change at most twice around the circle."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, N_BINS - 1).astype(np.uint8)


# ---- Spectra ------------------------------------------------------------------------------------


def _powers(physio: pl.DataFrame, *, config: params.EHCI) -> pl.DataFrame:
    """power_<heart|EDA>_<edges in Hz> of each recording."""
    edges = {"heart": config.heart_bands, "EDA": config.EDA_bands}
    names = {family: [f"power_{family}_{low:g}_{high:g}" for low, high in pairwise(hz)]
             for family, hz in edges.items()}  # fmt: skip
    rows: dict[str, dict[str, Any]] = {}
    for name, channel, rate, samples in physio.select(
        "recording_id", "channel", "sampling_rate", "samples"
    ).iter_rows():
        family = channel if channel == "EDA" else "heart"
        values = log_powers(
            np.asarray(samples, np.float64),
            sampling_rate=rate,
            edges=edges[family],
            segment_seconds=config.segment_seconds,
        )
        row = rows.setdefault(name, {"recording_id": name})
        row |= zip(names[family], values.tolist(), strict=True)
    bands = dict.fromkeys((*names["heart"], *names["EDA"]), pl.Float64)
    return pl.DataFrame([*rows.values()], schema={"recording_id": pl.String, **bands})


def log_powers(
    x: Floats, *, sampling_rate: float, edges: Sequence[float], segment_seconds: float
) -> Floats:
    """Logarithm (base 10) of the power in each band, NaN where no frequency or no power is in it.

    x               : (n_times,)
    edges           : Hz, (n_bands + 1,), rising; a band holds its lower edge
    segment_seconds : of Welch's segments; a shorter signal is one segment

    Power is in the signal's unit squared, without its mean.
    """
    from scipy.signal import welch

    if not np.isfinite(x).all() or x.size < 2:
        return np.full(len(edges) - 1, np.nan)
    n_bands, n = len(edges) - 1, min(x.size, round(segment_seconds * sampling_rate))
    frequencies, density = welch(x, sampling_rate, nperseg=n)
    band = np.searchsorted(edges, frequencies, side="right") - 1
    inside = (band >= 0) & (band < n_bands)
    powers = np.bincount(band[inside], density[inside], n_bands) * (sampling_rate / n)
    return np.log10(np.where(powers > 0, powers, np.nan))
