"""A synthetic DEAP: its exact layout, with its traps, a planted effect and real faces."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib import params
from pipeline_lib.datasets.deap.adapter import (
    BASELINE,
    GSR,
    N_CHANNELS,
    PLETHYSMOGRAPH,
    RATINGS_FILE,
    SAMPLING_RATE,
)
from pipeline_lib.twins import faces, physiology
from pipeline_lib.twins.deap import pickle2
from pipeline_lib.twins.folder import NOTICE, replaced, truncate
from pipeline_lib.twins.plan import Trial, by_subject, place_traps, plan, rating
from pipeline_lib.video.encode import write_video

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, object]]

FRAME_RATE = 50  # Hz
THRESHOLD = 5.0  # of ratings (MVP 4.3)
TRAPS = ("NaN in PPG", "truncated video", "no last video")
WITHOUT_FAMILIARITY = (2, 15)  # participants
PPG_HEIGHT = 1000.0  # a.u.
COLUMNS = ("Participant_id", "Trial", "Experiment_id", "Start_time", "Valence", "Arousal",
           "Dominance", "Liking", "Familiarity")  # fmt: skip
RATINGS = COLUMNS[4:8]  # as in the labels of a .dat


def write(root: Path, *, twin: params.Twin, clips: Mapping[str, Path], jobs: int) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes."""
    import joblib

    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    traps = place_traps(TRAPS, subjects=twin.subjects, trials=twin.trials)
    with replaced(root) as folder:
        (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="DEAP"))
        for name in ("data_preprocessed_python", "metadata_csv"):
            (folder / name).mkdir()
        tables = joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(_write_subject)(folder, session, traps=traps, twin=twin, clips=clips)
            for session in by_subject(trials)
        )
        _write_csv(folder / "metadata_csv" / RATINGS_FILE, [row for rows in tables for row in rows])
        videos: Rows = [
            {"Experiment_id": i + 1, "Title": f"Video {i + 1}"} for i in range(twin.trials)
        ]
        _write_csv(folder / "metadata_csv" / "video_list.csv", videos)


def _write_subject(
    folder: Path,
    session: Sequence[Trial],
    *,
    traps: Mapping[tuple[int, int], str],
    twin: params.Twin,
    clips: Mapping[str, Path],
) -> Rows:
    """Write a participant's .dat and videos; return their rows of participant_ratings.csv.

    Trials are in the order of presentation, rows of the .dat in that of Experiment_id.
    """
    number = session[0].subject + 1
    rng = np.random.default_rng([twin.seed, number])
    look = faces.draw_look(session[0].subject, rng)
    body = physiology.draw_body("PPG", seconds=BASELINE + twin.seconds, rng=rng)
    film = faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height)
    _write_films(folder / "face_video" / f"s{number:02d}", film, session, traps, twin, rng)
    data, rows = {}, {}
    for trial, experiment in zip(session, _experiments(len(session), rng), strict=True):
        data[experiment] = _samples(trial, body, seconds=twin.seconds, rng=rng)
        if traps.get((trial.subject, trial.trial)) == "NaN in PPG":
            data[experiment][PLETHYSMOGRAPH] = np.nan
        rows[experiment] = _row(number, trial, experiment, seconds=twin.seconds, rng=rng)
    labels = [[rows[i][name] for name in RATINGS] for i in sorted(rows)]
    arrays = {"labels": np.array(labels, float), "data": np.stack([data[i] for i in sorted(data)])}
    (folder / "data_preprocessed_python" / f"s{number:02d}.dat").write_bytes(pickle2.dumps(arrays))
    return list(rows.values())


def _write_films(
    folder: Path,
    film: faces.Film,
    session: Sequence[Trial],
    traps: Mapping[tuple[int, int], str],
    twin: params.Twin,
    rng: np.random.Generator,
) -> None:
    for trial in session:
        path = folder / f"{folder.name}_trial{trial.trial + 1:02d}.avi"
        expression: faces.Expression = "high" if trial.face else "low"
        frames = faces.play(
            film, expression, seconds=twin.seconds, frame_rate=FRAME_RATE, offset=rng.random()
        )
        write_video(path, frames, frame_rate=FRAME_RATE, pixels="yuv420p")
        if traps.get((trial.subject, trial.trial)) == "truncated video":
            truncate(path, share=0.6)
    if "no last video" in [traps.get((trial.subject, trial.trial)) for trial in session]:
        path.unlink()


def _experiments(n_trials: int, rng: np.random.Generator) -> list[int]:
    """Experiment_id of each trial as presented, in another order than that of presentation."""
    experiments = rng.permutation(n_trials) + 1
    if (experiments == np.arange(n_trials) + 1).all():
        experiments = np.roll(experiments, 1)
    return [int(experiment) for experiment in experiments]


def _samples(
    trial: Trial, body: physiology.Body, *, seconds: float, rng: np.random.Generator
) -> Floats:
    """(40, n_times): PPG and GSR, a resistance without its offset; the others are noise."""
    span = {"lead_in": BASELINE, "seconds": seconds, "sampling_rate": SAMPLING_RATE}
    ppg = physiology.heart(body, aroused=trial.body, **span, rng=rng)
    resistance = 1e6 / physiology.skin_conductance(body, aroused=trial.body, **span, rng=rng)
    samples = rng.normal(0, 5, (N_CHANNELS, len(ppg)))
    samples[PLETHYSMOGRAPH] = PPG_HEIGHT * ppg
    samples[GSR] = resistance - resistance.mean()
    return samples


def _row(
    number: int, trial: Trial, experiment: int, *, seconds: float, rng: np.random.Generator
) -> dict[str, object]:
    """A row of participant_ratings.csv, its values in the order of COLUMNS."""
    rated = [
        rating(label, threshold=THRESHOLD, rng=rng) for label in (trial.valence, trial.arousal)
    ]
    others = [round(float(x), 2) for x in rng.uniform(1, 9, 2)]
    familiarity = "" if number in WITHOUT_FAMILIARITY else int(rng.integers(1, 6))
    start = round((trial.trial * (seconds + 20) + 120) * 1e6)  # us
    values = (number, trial.trial + 1, experiment, start, *rated, *others, familiarity)
    return dict(zip(COLUMNS, values, strict=True))


def _write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
