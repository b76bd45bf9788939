"""A synthetic StressID: its exact layout, its traps, a planted effect, real faces, a made voice.

Arousal shows in the voice as well as in the body. Stress and relaxation follow from both targets.
"""

import csv
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline_lib import params
from pipeline_lib.core import tables
from pipeline_lib.datasets.stressid.adapter import SAMPLING_RATE, SPOKEN
from pipeline_lib.datasets.stressid.labels import CLASSES, SCALES, TASKS, affect3, stress_binary
from pipeline_lib.twins.folder import NOTICE, VOICE, replaced, truncate
from pipeline_lib.twins.shared import faces, physiology, voice
from pipeline_lib.twins.shared.plan import Trial, by_subject, place_traps, plan
from pipeline_lib.twins.shared.wav import write_wav
from pipeline_lib.video.encode import write_video

Answers = dict[str, int]  # ratings by scale

REST, *RATED = TASKS  # the baseline is neither rated nor filmed [?]
FRAME_RATE = 15  # Hz [?]
LOW, BETWEEN, HIGH = (0, 5), (3, 8), (6, 11)  # ratings: from, and up to but not including
GAP = 25  # samples
FEW = ("gap in ECG", "no video", "no ratings", "truncated video")
TRAPS = {
    "few": FEW,
    "all": (*FEW, "no signals", "no sound", "NaN in EDA", "constant EDA", "NaN in RR"),
}
SPOILED = {"NaN in EDA": ("EDA", np.nan), "constant EDA": ("EDA", 0.0), "NaN in RR": ("RR", np.nan)}


@dataclass(frozen=True)
class Subject:
    name: str
    body: physiology.Body
    film: faces.Film
    speaker: voice.Speaker
    oddity: str | None  # with all traps, what is true of all files of theirs

    def path(self, folder: Path, kind: str, task: str, suffix: str) -> Path:
        return folder / kind / self.name / f"{self.name}_{task}{suffix}"


def write(root: Path, *, twin: params.Twin, clips: Mapping[str, Path], jobs: int) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes.

    Raises ValueError if there are more trials than tasks.
    """
    import joblib

    if twin.trials > len(RATED):
        raise ValueError(f"twins.stressid.trials is {twin.trials}, above {len(RATED)} rated tasks")
    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    traps = place_traps(TRAPS[twin.traps], subjects=twin.subjects, trials=twin.trials)
    ids = subject_ids(twin)
    with replaced(root) as folder:
        (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="StressID") + VOICE)
        answers = joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(_write_subject)(
                folder, name, session, traps=traps, twin=twin, clips=clips
            )
            for name, session in zip(ids, by_subject(trials), strict=True)
        )
        rated = dict(zip(ids, answers, strict=True))
        _write_rows(folder / "self_assessments.csv", _self_assessments(rated), delimiter=";")
        _write_rows(folder / "labels.csv", _labels(rated), delimiter=",")


def subject_ids(twin: params.Twin) -> list[str]:
    """Four letters and digits for each subject, in alphabetic order."""
    rng = np.random.default_rng(twin.seed)
    signs = list(string.digits + string.ascii_lowercase)
    ids: set[str] = set()
    while len(ids) < twin.subjects:
        ids.add("".join(rng.choice(signs, 4)))
    return sorted(ids)


def _write_subject(
    folder: Path,
    name: str,
    session: Sequence[Trial],
    *,
    traps: Mapping[tuple[int, int], str],
    twin: params.Twin,
    clips: Mapping[str, Path],
) -> dict[str, Answers]:
    """Write a subject's signals, videos and sound; return their answers by task."""
    index = session[0].subject
    oddities = {0: "text files", 1: "half asked", twin.subjects - 1: "not filmed"}
    rng = np.random.default_rng([twin.seed, index + 1])
    look = faces.draw_look(index, rng)
    subject = Subject(
        name,
        physiology.draw_body("ECG", seconds=twin.seconds, rng=rng),
        faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height),
        voice.draw_speaker(rng),
        oddities.get(index) if twin.traps == "all" else None,
    )
    rest = _signals(subject.body, aroused=0, seconds=twin.seconds, trap=None, rng=rng)
    _write_signals(folder, subject, REST, rest)
    answers = {}
    for trial in session:
        trap = traps.get((index, trial.trial))
        _write_task(folder, subject, trial, seconds=twin.seconds, trap=trap, rng=rng)
        scales = SCALES[:2] if subject.oddity == "half asked" else SCALES
        told = _answers(trial, rng)
        answers[RATED[trial.trial]] = {
            scale: told[scale] for scale in scales if trap != "no ratings"
        }
    return answers


def _write_task(
    folder: Path,
    subject: Subject,
    trial: Trial,
    *,
    seconds: float,
    trap: str | None,
    rng: np.random.Generator,
) -> None:
    task = RATED[trial.trial]
    if trap != "no signals":
        signals = _signals(subject.body, aroused=trial.body, seconds=seconds, trap=trap, rng=rng)
        _write_signals(folder, subject, task, signals)
    if trap != "no video" and subject.oddity != "not filmed":
        path = subject.path(folder, "Videos", task, ".mp4")
        _write_film(path, subject.film, trial, seconds=seconds, trap=trap, rng=rng)
        if subject.oddity == "text files":  # and what a Mac leaves beside a file
            path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
    if trap != "no sound" and task in SPOKEN:
        sound = voice.speak(subject.speaker, aroused=trial.body, seconds=seconds, rng=rng)
        write_wav(subject.path(folder, "Audio", task, ".wav"), sound)


def _write_signals(folder: Path, subject: Subject, task: str, signals: pl.DataFrame) -> None:
    suffix = ".txt" if subject.oddity == "text files" else ".csv"
    tables.write_csv(signals, subject.path(folder, "Physiological", task, suffix))


def _signals(
    body: physiology.Body, *, aroused: int, seconds: float, trap: str | None,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """ECG, EDA (uS) and respiration; a missing sample is null, as it is blank in the file."""
    span = {"lead_in": 0.0, "seconds": seconds, "sampling_rate": SAMPLING_RATE}
    ecg = physiology.heart(body, aroused=aroused, **span, rng=rng)
    eda = physiology.skin_conductance(body, aroused=aroused, **span, rng=rng)
    breath = np.sin(2 * np.pi * (0.25 * np.arange(len(ecg)) / SAMPLING_RATE + rng.random()))
    columns = {"ECG": ecg, "EDA": eda, "RR": breath + rng.normal(0, 0.02, len(ecg))}
    if trap == "gap in ECG":
        columns["ECG"][-2 * GAP : -GAP] = np.nan
    if trap in SPOILED:
        channel, value = SPOILED[trap]
        columns[channel][:] = value
    return pl.DataFrame(columns).with_columns(pl.all().round(6).fill_nan(None))


def _write_film(
    path: Path,
    film: faces.Film,
    trial: Trial,
    *,
    seconds: float,
    trap: str | None,
    rng: np.random.Generator,
) -> None:
    """Film the expression of the trial's cue, from the beginning of the task on."""
    expression: faces.Expression = "high" if trial.face else "low"
    frames = faces.play(
        film, expression, seconds=seconds, frame_rate=FRAME_RATE, offset=rng.random()
    )
    is_cut = trap == "truncated video"  # with its index at the end it would be unreadable
    write_video(path, frames, frame_rate=FRAME_RATE, pixels="yuv420p", faststart=is_cut)
    if is_cut:
        truncate(path, share=0.6)


def _answers(trial: Trial, rng: np.random.Generator) -> Answers:
    """Ratings of 0 - 10: aroused and not pleased is stressed, pleased and not aroused relaxed."""
    stressed = trial.arousal - trial.valence
    sides = {
        "stress": (LOW, BETWEEN, HIGH)[1 + stressed],
        "relax": (LOW, BETWEEN, HIGH)[1 - stressed],
        "valence": HIGH if trial.valence else LOW,
        "arousal": HIGH if trial.arousal else LOW,
    }
    return {name: int(rng.integers(*side)) for name, side in sides.items()}


def _self_assessments(rated: Mapping[str, Mapping[str, Answers]]) -> list[list[object]]:
    """A row for each task and scale, a column for each subject; blank: not rated."""
    rows: list[list[object]] = [
        [f"{task}_{scale}", *(answers.get(task, {}).get(scale, "") for answers in rated.values())]
        for task in RATED
        for scale in SCALES
    ]
    return [["Tasks", *rated], *rows]


def _labels(rated: Mapping[str, Mapping[str, Answers]]) -> list[list[object]]:
    """A row for each recording that is rated on all scales."""
    rows: list[list[object]] = [
        [f"{subject}_{task}", stress_binary(stress=answer["stress"]), affect3(**answer)]
        for subject, answers in rated.items()
        for task, answer in answers.items()
        if len(answer) == len(SCALES)
    ]
    return [["subject/task", *CLASSES], *rows]


def _write_rows(path: Path, rows: Sequence[Sequence[object]], *, delimiter: str) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
