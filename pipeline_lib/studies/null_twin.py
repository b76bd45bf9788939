"""A twin in which there is nothing to find: on it, whatever beats chance comes of a flaw.

Its labels have nothing to do with its signals or pictures. But people look like themselves, trials
have their own look, and each person gives much the same answer: what can be recognised pays as
soon as it is seen on both sides of a test, as in real data.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import CROPS, RECORDINGS, TARGETS, VISUAL
from pipeline_lib.physio.face_summary import visual_features
from pipeline_lib.stored_features.trials import N_VISUAL, matrices
from pipeline_lib.studies.planted import planted

Floats = npt.NDArray[np.float64]

OWN_ANSWER = 0.85  # share of a person's trials with the label that this person gives mostly
SIZE, N_FRAMES = 32, 4  # px and frames of the only clip of a recording


@dataclass(frozen=True)
class NullTwin:
    """People, trials and labels, and no way from one person to the labels of another.

    index     : schema.RECORDINGS
    features  : schema.FEATURES
    handcraft : recording_id, visual_*: mean and deviation of each visual feature; heart_none, 0
    looks     : (n_recordings, SIZE, SIZE), grey levels of each recording's picture
    """

    index: pl.DataFrame
    features: pl.DataFrame
    handcraft: pl.DataFrame
    looks: Floats


def draw(*, n_subjects: int, trials: int, seed: int, own_answer: float = OWN_ANSWER) -> NullTwin:
    """An even number of people, of whom half mostly say 0 and half 1, of each target apart.

    own_answer : how much "mostly" is; 0.5: people do not differ in what they answer
    """
    rng = np.random.default_rng(seed)
    features, _ = planted(n_subjects=n_subjects, trials=trials, video=0, physiology=0)
    who = features["subject"].cast(pl.Int64).to_numpy()
    labels = {}
    for target in TARGETS:
        says_1 = rng.permutation(np.arange(n_subjects) % 2)[who] == 1
        own = rng.random(who.size) < own_answer
        labels[f"{target}_label"] = pl.Series(says_1 == own).cast(pl.Int8)
    looks = rng.normal(size=(n_subjects, N_VISUAL))[who] + rng.normal(size=(who.size, N_VISUAL))
    noise = (rng.normal(size=x.shape) for x in matrices(features, "visual", N_VISUAL))
    visual = [look + of_frames for look, of_frames in zip(looks, noise, strict=True)]
    features = features.with_columns(
        visual=pl.Series([x.ravel() for x in visual], dtype=pl.List(pl.Float32)), **labels
    )
    names = features["recording_id"]
    known = [{**dict.fromkeys(RECORDINGS), **row, "status": "ok"}
             for row in features.select("recording_id", "subject", *labels).to_dicts()]  # fmt: skip
    means = [{"recording_id": name, "heart_none": 0.0,
              **visual_features(x, names=VISUAL["stressid42"])}
             for name, x in zip(names, visual, strict=True)]  # fmt: skip
    pictures = rng.normal(size=(n_subjects, SIZE, SIZE))[who]
    pictures += rng.normal(size=(who.size, SIZE, SIZE))
    return NullTwin(
        pl.DataFrame(known, schema=dict(RECORDINGS)), features, pl.DataFrame(means), pictures
    )


def clips(twin: NullTwin, *, seed: int) -> pl.DataFrame:
    """A clip of each recording, schema.CROPS: its picture, in noise that changes by frame."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, look in zip(twin.index["recording_id"], twin.looks, strict=True):
        for position in range(N_FRAMES):
            grey = 128 + 35 * look + rng.normal(scale=10, size=look.shape)
            shown = {"recording_id": name, "crop": "large", "clip": 0, "position": position}
            rows.append(dict.fromkeys(CROPS) | shown | {"face": True, "jpeg": _jpeg(grey)})
    return pl.DataFrame(rows, schema=dict(CROPS), orient="row")


def _jpeg(grey: Floats) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    picture.save(file, "JPEG", quality=95)
    return file.getvalue()
