"""A synthetic DEAP: its exact layout, with its traps, a planted effect and real faces.

With all traps, participants have numbers of both sites, and .bdf files beside the .dat.
"""

import csv
import struct
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
    SAMPLING_RATE,
)
from pipeline_lib.datasets.deap.presentations import FIRST_IN_GENEVA, RATINGS_FILE
from pipeline_lib.twins.deap import amplifier, pickle2
from pipeline_lib.twins.folder import NOTICE, replaced, truncate
from pipeline_lib.twins.shared import faces, physiology
from pipeline_lib.twins.shared.plan import Trial, by_subject, place_traps, plan, rating
from pipeline_lib.video.encode import write_video

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, object]]
Traps = Mapping[tuple[int, int], str]  # (subject, trial) -> trap

FRAME_RATE = 50  # Hz
THRESHOLD = 5.0  # of ratings (MVP 4.3)
TRAPS = {
    "few": ("NaN in PPG", "truncated video", "no last video"),
    "all": ("NaN in PPG", "truncated video", "lying header"),
}
# With all traps, the participants in the order in which they are taken: both sites, all wirings,
# blank familiarity, lost onsets and a lost video are among the first five.
NUMBERS = (2, 3, 24, 28, 29, 1, 23, 32, *range(4, 23), *range(25, 28), 30, 31)
WITHOUT_LAST_VIDEO = 3  # participant
WITHOUT_FAMILIARITY = (2, 15, 23)  # participants
AT_THE_ROOT = 24  # participant, whose .bdf was not unzipped into a folder
LOST_SECONDS = {"few": 0.0, "all": 1.0}  # of each video
ANNOUNCED = 60 * FRAME_RATE  # frames, by a header that lies
PPG_HEIGHT = 1000.0  # a.u.
COLUMNS = ("Participant_id", "Trial", "Experiment_id", "Start_time", "Valence", "Arousal",
           "Dominance", "Liking", "Familiarity")  # fmt: skip
RATINGS = COLUMNS[4:8]  # as in the labels of a .dat


def write(root: Path, *, twin: params.Twin, clips: Mapping[str, Path], jobs: int) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes.

    Raises ValueError if there are too few trials or too many subjects for all traps.
    """
    import joblib

    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    numbers = _numbers(twin)
    traps = _traps(twin, numbers)
    with replaced(root) as folder:
        (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="DEAP"))
        (folder / "metadata_csv").mkdir()
        tables = joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(_write_subject)(
                folder, session, number=number, traps=traps, twin=twin, clips=clips
            )
            for number, session in zip(numbers, by_subject(trials), strict=True)
        )
        _write_csv(folder / "metadata_csv" / RATINGS_FILE, [row for rows in tables for row in rows])
        videos: Rows = [
            {"Experiment_id": i + 1, "Title": f"Video {i + 1}"} for i in range(twin.trials)
        ]
        _write_csv(folder / "metadata_csv" / "video_list.csv", videos)


def _numbers(twin: params.Twin) -> list[int]:
    """The number of each subject among DEAP's participants, rising."""
    if twin.traps == "few":
        return list(range(1, twin.subjects + 1))
    if twin.subjects > len(NUMBERS):
        raise ValueError(f"twins.deap.subjects is {twin.subjects}, above {len(NUMBERS)}")
    return sorted(NUMBERS[: twin.subjects])


def _traps(twin: params.Twin, numbers: Sequence[int]) -> Traps:
    names = TRAPS[twin.traps]
    if twin.traps == "few":
        return place_traps(names, subjects=twin.subjects, trials=twin.trials)
    last = numbers.index(WITHOUT_LAST_VIDEO)
    others = [i for i, number in enumerate(numbers) if number < FIRST_IN_GENEVA and i != last]
    places = place_traps(names, subjects=len(others), trials=twin.trials)
    traps = {(others[i], trial): trap for (i, trial), trap in places.items()}
    return {**traps, (last, twin.trials - 1): "no last video"}


def _write_subject(
    folder: Path,
    session: Sequence[Trial],
    *,
    number: int,
    traps: Traps,
    twin: params.Twin,
    clips: Mapping[str, Path],
) -> Rows:
    """Write a participant's signals and videos; return their rows of participant_ratings.csv.

    Trials are in the order of presentation, rows of the .dat in that of Experiment_id.
    """
    rng = np.random.default_rng([twin.seed, number])
    look = faces.draw_look(session[0].subject, rng)
    body = physiology.draw_body("PPG", seconds=BASELINE + twin.seconds, rng=rng)
    if twin.traps == "few" or number < FIRST_IN_GENEVA:
        film = faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height)
        _write_films(folder / "face_video" / f"s{number:02d}", film, session, traps, twin, rng)
    slots = amplifier.schedule(len(session), seed=[twin.seed, number])
    experiments, bodies, samples, rows = _experiments(len(session), rng), [], [], []
    for trial, experiment, slot in zip(session, experiments, slots, strict=True):
        bodies.append(_body(trial, body, seconds=twin.seconds, rng=rng))
        samples.append(_samples(bodies[-1], rng))
        if traps.get((trial.subject, trial.trial)) == "NaN in PPG":
            samples[-1][PLETHYSMOGRAPH] = np.nan
        start = slot.start_time if twin.traps == "all" else _start_time(trial, twin.seconds)
        rows.append(_row(number, trial, experiment, start=start, rng=rng))
    dat, bdf = _places(folder, number, twin.traps)
    dat.parent.mkdir(parents=True, exist_ok=True)
    dat.write_bytes(_pickle(experiments, samples, rows))
    if twin.traps == "all":
        bdf.parent.mkdir(exist_ok=True)
        amplifier.write(bdf, number=number, slots=slots, bodies=bodies, seed=[twin.seed, number])
    return rows


def _places(folder: Path, number: int, traps: str) -> tuple[Path, Path]:
    """Where the .dat and the .bdf lie: with all traps, as unzipping may leave them."""
    python, original = folder / "data_preprocessed_python", folder / "data_original"
    if traps == "all":
        python /= python.name
    if number == AT_THE_ROOT:
        original = folder
    return python / f"s{number:02d}.dat", original / f"s{number:02d}.bdf"


def _pickle(experiments: Sequence[int], samples: Sequence[Floats], rows: Rows) -> bytes:
    """The .dat of trials in the order of presentation."""
    order = np.argsort(experiments)
    labels = [[rows[i][name] for name in RATINGS] for i in order]
    data = np.stack([samples[i] for i in order])
    return pickle2.dumps({"labels": np.array(labels, float), "data": data})


def _write_films(
    folder: Path,
    film: faces.Film,
    session: Sequence[Trial],
    traps: Traps,
    twin: params.Twin,
    rng: np.random.Generator,
) -> None:
    seconds = twin.seconds - LOST_SECONDS[twin.traps]
    for trial in session:
        path = folder / f"{folder.name}_trial{trial.trial + 1:02d}.avi"
        expression: faces.Expression = "high" if trial.face else "low"
        frames = faces.play(
            film, expression, seconds=seconds, frame_rate=FRAME_RATE, offset=rng.random()
        )
        write_video(path, frames, frame_rate=FRAME_RATE, pixels="yuv420p")
        trap = traps.get((trial.subject, trial.trial))
        if trap == "truncated video":
            truncate(path, share=0.6)
        if trap == "lying header":
            _lie(path)
    if "no last video" in [traps.get((trial.subject, trial.trial)) for trial in session]:
        path.unlink()


def _lie(path: Path) -> None:
    """Let both headers of an AVI announce frames that are not there."""
    content = bytearray(path.read_bytes())
    # After tag and size, a header's 4-byte fields: the 5th of the file, the 9th of the stream.
    for tag, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        struct.pack_into("<I", content, content.index(tag) + offset, ANNOUNCED)
    path.write_bytes(content)


def _experiments(n_trials: int, rng: np.random.Generator) -> list[int]:
    """Experiment_id of each trial as presented, in another order than that of presentation."""
    experiments = rng.permutation(n_trials) + 1
    if (experiments == np.arange(n_trials) + 1).all():
        experiments = np.roll(experiments, 1)
    return [int(experiment) for experiment in experiments]


def _body(
    trial: Trial, body: physiology.Body, *, seconds: float, rng: np.random.Generator
) -> amplifier.Body:
    span = {"lead_in": BASELINE, "seconds": seconds, "sampling_rate": SAMPLING_RATE}
    ppg = physiology.heart(body, aroused=trial.body, **span, rng=rng)
    conductance = physiology.skin_conductance(body, aroused=trial.body, **span, rng=rng)
    return amplifier.Body(PPG_HEIGHT * ppg, conductance, round(SAMPLING_RATE), BASELINE)


def _samples(body: amplifier.Body, rng: np.random.Generator) -> Floats:
    """(40, n_times): PPG and GSR, a resistance without its offset; the others are noise."""
    samples = rng.normal(0, 5, (N_CHANNELS, len(body.ppg)))
    resistance = 1e6 / body.conductance
    samples[PLETHYSMOGRAPH] = body.ppg
    samples[GSR] = resistance - resistance.mean()
    return samples


def _start_time(trial: Trial, seconds: float) -> float:
    """s from the beginning of the experiment"""
    return trial.trial * (seconds + 20) + 120


def _row(
    number: int, trial: Trial, experiment: int, *, start: float, rng: np.random.Generator
) -> dict[str, object]:
    """A row of participant_ratings.csv, its values in the order of COLUMNS."""
    rated = [
        rating(label, threshold=THRESHOLD, rng=rng) for label in (trial.valence, trial.arousal)
    ]
    others = [round(float(x), 2) for x in rng.uniform(1, 9, 2)]
    familiarity = "" if number in WITHOUT_FAMILIARITY else int(rng.integers(1, 6))
    micros = round(start * 1e6)
    values = (number, trial.trial + 1, experiment, micros, *rated, *others, familiarity)
    return dict(zip(COLUMNS, values, strict=True))


def _write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
