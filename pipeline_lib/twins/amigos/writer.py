"""A synthetic AMIGOS: its exact layout, with its traps, a planted effect and real faces.

With all traps, the .mat files hold recordings of the long videos too; those are not filmed.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib import params
from pipeline_lib.datasets.amigos.adapter import (
    CELLS,
    ECG_LEFT,
    ECG_RIGHT,
    GSR,
    LEAD_IN,
    LONG_VIDEOS,
    N_CHANNELS,
    SAMPLING_RATE,
    SHORT_VIDEOS,
)
from pipeline_lib.twins.folder import NOTICE, replaced, truncate
from pipeline_lib.twins.shared import faces, physiology
from pipeline_lib.twins.shared.plan import CUES, Trial, by_subject, place_traps, plan, rating
from pipeline_lib.video.encode import Image, write_video

Floats = npt.NDArray[np.float64]
Cells = dict[str, npt.NDArray[Any]]  # of one video, by the names in CELLS

LONG = 5  # long videos, in short ones
N_CELLS = 20
FRAME_RATE = 25  # Hz
THRESHOLD = 4.5  # of ratings (MVP 4.3)
SEGMENT = 20.0  # s, of the external annotation
ECG_HEIGHT = 1000.0  # uV
FEW = ("no video", "no self-assessment", "NaN in ECG", "truncated video", "empty video")
TRAPS = {
    "few": FEW,
    "all": (
        *FEW,
        "constant ECG",
        "NaN in EDA",
        "zero in EDA",
        "NaN in left ECG",
        "no signals",
        "no external annotation",
        "external annotation astray",
    ),
}
SPOILED = {  # whole channels
    "NaN in ECG": (ECG_RIGHT, np.nan),
    "constant ECG": (ECG_RIGHT, 1.0),
    "NaN in EDA": (GSR, np.nan),
    "NaN in left ECG": (ECG_LEFT, np.nan),
}
LOST = {  # cells, and the shape of an empty one
    "no signals": ("joined_data", (0, 0)),
    "no self-assessment": ("labels_selfassessment", (1, 0)),
    "no external annotation": ("labels_ext_annotation", (0, 0)),
}
ASTRAY = 1.25  # of an external annotation, which goes from -1 to 1
_HEADER = b"MATLAB 5.0 MAT-file, synthetic".ljust(116)  # in place of one with the date


def write(root: Path, *, twin: params.Twin, clips: Mapping[str, Path], jobs: int) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes.

    Raises ValueError if there are too few trials for the traps.
    """
    import joblib

    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    traps = place_traps(TRAPS[twin.traps], subjects=twin.subjects, trials=twin.trials)
    with replaced(root) as folder:
        (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="AMIGOS"))
        joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(_write_subject)(folder, session, traps=traps, twin=twin, clips=clips)
            for session in by_subject(trials)
        )


def _write_subject(
    folder: Path,
    session: Sequence[Trial],
    *,
    traps: Mapping[tuple[int, int], str],
    twin: params.Twin,
    clips: Mapping[str, Path],
) -> None:
    """Write a participant's .mat and videos."""
    number = session[0].subject + 1
    rng = np.random.default_rng([twin.seed, number])
    look = faces.draw_look(session[0].subject, rng)
    longest = twin.seconds * (LONG if twin.traps == "all" else 1)
    body = physiology.draw_body("ECG", seconds=LEAD_IN + longest, rng=rng)
    film = faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height)
    cells = _unplanned(number, body, longest=longest, twin=twin, rng=rng)
    matrix_in = _unzipped(folder, f"Data_Preprocessed_P{number:02d}", number, traps=twin.traps)
    faces_in = _unzipped(folder, f"Exp1_P{number:02d}_face", number, traps=twin.traps)
    for trial in session:
        trap, video = traps.get((trial.subject, trial.trial)), SHORT_VIDEOS[trial.trial]
        cells[video] = _recorded(video, trial, body, seconds=twin.seconds, trap=trap, rng=rng)
        path = faces_in / f"P{number}_{video}_face.mov"
        frames = _film(film, trial, seconds=twin.seconds, rng=rng)
        _write_film(path, frames, trap=trap)
    matrix_in.mkdir(parents=True, exist_ok=True)
    content = _matrices(list(cells.values()), rng)
    (matrix_in / f"Data_Preprocessed_P{number:02d}.mat").write_bytes(content)


def _unzipped(folder: Path, name: str, number: int, *, traps: str) -> Path:
    """Where a participant's files lie: in a folder, or with all traps flat or nested in itself."""
    ways = (folder / name, folder, folder / name / name)
    return ways[number % len(ways) if traps == "all" else 0]


def _unplanned(
    number: int,
    body: physiology.Body,
    *,
    longest: float,
    twin: params.Twin,
    rng: np.random.Generator,
) -> dict[str, Cells]:
    """The cells of videos that are not in the plan: the long ones, and one that was not shown."""
    cells = {video: _unrecorded(video) for video in LONG_VIDEOS}
    if twin.traps == "all" and number < twin.subjects:  # the last one saw none of them
        trials = [Trial(number - 1, i, *cues, *cues) for i, cues in enumerate(CUES)]
        cells = {
            video: _recorded(video, trial, body, seconds=longest, trap=None, rng=rng)
            for video, trial in zip(LONG_VIDEOS, trials, strict=True)
        }
    if number == twin.subjects and twin.trials < len(SHORT_VIDEOS):
        missing = SHORT_VIDEOS[twin.trials]  # the missing trial: announced, and nothing else
        cells[missing] = _unrecorded(missing)
    return cells


def _unrecorded(video: str) -> Cells:
    """The cells of a video: its ID, and nothing measured."""
    nothing = np.empty((0, 0))
    return dict(zip(CELLS, (nothing, np.empty((1, 0)), nothing, np.array([video])), strict=True))


def _recorded(
    video: str,
    trial: Trial,
    body: physiology.Body,
    *,
    seconds: float,
    trap: str | None,
    rng: np.random.Generator,
) -> Cells:
    """The cells of a video that was shown."""
    cells = {
        "joined_data": _samples(trial, body, seconds=seconds, rng=rng),
        "labels_selfassessment": _self_assessment(trial, rng),
        "labels_ext_annotation": _external_annotation(trial, seconds=seconds, rng=rng),
        "VideoIDs": np.array([video]),
    }
    if trap in SPOILED:
        channel, value = SPOILED[trap]
        cells["joined_data"][:, channel] = value
    if trap == "zero in EDA":
        cells["joined_data"][-1, GSR] = 0.0
    if trap == "external annotation astray":
        cells["labels_ext_annotation"][0, 1] = ASTRAY
    if trap in LOST:
        name, shape = LOST[trap]
        cells[name] = np.empty(shape)
    return cells


def _samples(
    trial: Trial, body: physiology.Body, *, seconds: float, rng: np.random.Generator
) -> Floats:
    """(n_times, 17): EEG is noise, both ECGs are one heart, GSR is in Ohm."""
    span = {"lead_in": LEAD_IN, "seconds": seconds, "sampling_rate": SAMPLING_RATE}
    ecg = physiology.heart(body, aroused=trial.body, **span, rng=rng)
    conductance = physiology.skin_conductance(body, aroused=trial.body, **span, rng=rng)
    samples = rng.normal(0, 5, (len(ecg), N_CHANNELS))
    samples[:, ECG_RIGHT] = ECG_HEIGHT * ecg
    samples[:, ECG_LEFT] = -0.7 * ECG_HEIGHT * ecg
    samples[:, GSR] = 1e6 / conductance
    return samples


def _self_assessment(trial: Trial, rng: np.random.Generator) -> Floats:
    """(1, 12): arousal, valence, dominance, liking, familiarity, then seven emotions."""
    rated = [
        rating(label, threshold=THRESHOLD, rng=rng) for label in (trial.arousal, trial.valence)
    ]
    others = rng.uniform(1, 9, 3).round(2)
    return np.concatenate([rated, others, rng.integers(0, 2, 7)])[None]


def _external_annotation(trial: Trial, *, seconds: float, rng: np.random.Generator) -> Floats:
    """(n, 3) of 20 s each: segment, valence, arousal in [-1, 1]: the other order."""
    n_segments = math.ceil(seconds / SEGMENT)
    rated = rng.uniform(0.1, 1, (n_segments, 2)) * (
        2 * np.array([trial.valence, trial.arousal]) - 1
    )
    return np.column_stack([np.arange(1, n_segments + 1), rated])


def _matrices(cells: list[Cells], rng: np.random.Generator) -> bytes:
    """A .mat file of 20 cells in no order; what was never shown has no ID either."""
    from scipy.io import savemat

    places = rng.permutation(N_CELLS)
    columns = {name: np.empty((1, N_CELLS), object) for name in CELLS}
    for name, column in columns.items():
        column[0, :] = [np.empty((0, 0))] * N_CELLS
        for place, cell in zip(places, cells, strict=False):
            column[0, place] = cell[name]
    file = io.BytesIO()
    savemat(file, columns, do_compression=True)
    return _HEADER + file.getvalue()[len(_HEADER) :]


def _film(
    film: faces.Film, trial: Trial, *, seconds: float, rng: np.random.Generator
) -> Iterator[Image]:
    """The lead-in, calm, then the expression of the trial's cue."""
    expression: faces.Expression = "high" if trial.face else "low"
    offsets = rng.random(2)
    yield from faces.play(film, "calm", seconds=LEAD_IN, frame_rate=FRAME_RATE, offset=offsets[0])
    yield from faces.play(
        film, expression, seconds=seconds, frame_rate=FRAME_RATE, offset=offsets[1]
    )


def _write_film(path: Path, frames: Iterator[Image], *, trap: str | None) -> None:
    if trap == "no video":
        return
    # With its index at the end a truncated MOV would be as unreadable as an empty one.
    faststart = trap == "truncated video"
    write_video(path, frames, frame_rate=FRAME_RATE, pixels="yuv420p", faststart=faststart)
    if trap == "truncated video":
        truncate(path, share=0.6)
    if trap == "empty video":
        truncate(path, share=0.0)
