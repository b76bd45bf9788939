"""A synthetic Hume-Reaction: the exact layout of either pack, real faces, a synthesised voice.

Valence shows in the face alone and arousal in the voice alone, which is quicker and higher. Each
of the seven classes is strong for some of their values. People stay in one split.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline_lib import params
from pipeline_lib.audio.encode import write_wav
from pipeline_lib.datasets.hume_reaction.tables import CLASSES, INFO, LABELS, PARTITION
from pipeline_lib.twins import voice
from pipeline_lib.twins.folder import NOTICE, VOICE, replaced, truncate
from pipeline_lib.twins.shared import faces
from pipeline_lib.twins.shared.plan import Trial, by_subject, place_traps, plan
from pipeline_lib.video.encode import Track, write_video

Split = Literal["Train", "Val", "Test"]
Place = tuple[int, int]  # subject and trial

FRAME_RATE = 30  # Hz
TRAPS = {
    "few": ("unreadable video", "no wav"),
    "all": ("unreadable video", "no wav", "late sound", "no sound", "wav alone", "no row",
            "broken wav", "no files"),
}  # fmt: skip
LATE = 0.25  # s from the first frame to the beginning of speech
WITHHELD = ("", "nan", "-1")  # in turn, in place of the labels of the test clips
STRONG = {  # classes, by the valence and arousal for which they are; None: for both
    "Adoration": (1, 0),
    "Amusement": (1, None),
    "Anxiety": (0, 1),
    "Disgust": (0, None),
    "Empathic-Pain": (0, 0),
    "Fear": (0, 1),
    "Surprise": (None, 1),
}
STRENGTHS = ((0.0, 0.4), (0.6, 1.0))  # of labels, weak and strong
MUSE_SPLITS = {"Train": "train", "Val": "devel", "Test": "test"}
FEATURES = {"FAUs": 20, "DeepSpectrum": 1024, "VGGFace2": 512, "eGeMAPS": 88}  # a set [?]
FEATURE_RATE = 2  # Hz [?]


def write(
    root: Path,
    *,
    twin: params.Twin,
    clips: Mapping[str, Path],
    jobs: int,
    pack: Literal["abaw", "muse"] = "abaw",
) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes."""
    import joblib

    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    traps = place_traps(TRAPS[twin.traps], subjects=twin.subjects, trials=twin.trials)
    rng = np.random.default_rng([twin.seed, twin.subjects])
    names = _file_ids(trials, rng)
    rows = _rows(trials, names, rng, subjects=twin.subjects)
    with replaced(root) as folder:
        (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="Hume-Reaction") + VOICE)
        if pack == "muse":
            _write_muse(folder / "c2_muse_reaction", rows, rng, seconds=twin.seconds)
            return
        unlisted = {names[place] for place, trap in traps.items() if trap == "no row"}
        listed = [row for row in rows if row["File_ID"].strip("[]") not in unlisted]
        _write_csv(folder / INFO, ("File_ID", *CLASSES, "Split"), listed)
        joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(_write_subject)(
                folder, session, names=names, traps=traps, twin=twin, clips=clips
            )
            for session in by_subject(trials)
        )


def _file_ids(trials: Sequence[Trial], rng: np.random.Generator) -> dict[Place, str]:
    """Five digits, many of them zeros in front, in no order."""
    numbers = rng.choice(100 * len(trials), len(trials), replace=False)
    return {(t.subject, t.trial): f"{i:05d}" for t, i in zip(trials, numbers, strict=True)}


def _rows(
    trials: Sequence[Trial],
    names: Mapping[Place, str],
    rng: np.random.Generator,
    *,
    subjects: int,
) -> list[dict[str, str]]:
    """The rows of data_info.csv, by File_ID; labels of the test split are withheld."""
    rows = []
    for trial in trials:
        split = _split(trial.subject, subjects=subjects)
        labels = {name: f"{_label(name, trial, rng):.4f}" for name in CLASSES}
        file_id = f"[{names[trial.subject, trial.trial]}]"
        rows.append({"File_ID": file_id, "Split": split} | labels)
    rows.sort(key=lambda row: row["File_ID"])
    tested = [row for row in rows if row["Split"] == "Test"]
    for i, row in enumerate(tested):
        row |= dict.fromkeys(CLASSES, WITHHELD[i % len(WITHHELD)])
    return rows


def _split(subject: int, *, subjects: int) -> Split:
    """The last fifth is for tests, the one before for validation."""
    held_out = max(subjects // 5, 1)
    if subject >= subjects - held_out:
        return "Test"
    return "Val" if subject >= subjects - 2 * held_out else "Train"


def _label(name: str, trial: Trial, rng: np.random.Generator) -> float:
    valence, arousal = STRONG[name]
    strong = valence in (None, trial.valence) and arousal in (None, trial.arousal)
    return float(rng.uniform(*STRENGTHS[strong]))


def _write_subject(
    folder: Path,
    session: Sequence[Trial],
    *,
    names: Mapping[Place, str],
    traps: Mapping[Place, str],
    twin: params.Twin,
    clips: Mapping[str, Path],
) -> None:
    """Write a person's clips and sounds."""
    rng = np.random.default_rng([twin.seed, session[0].subject])
    look = faces.draw_look(session[0].subject, rng)
    speaker = voice.draw_speaker(rng)
    film = faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height)
    for trial in session:
        place = trial.subject, trial.trial
        sound = voice.speak(speaker, aroused=trial.body, seconds=twin.seconds, rng=rng)
        _write_clip(folder, names[place], film, trial, sound, trap=traps.get(place), rng=rng)


def _write_clip(
    folder: Path,
    name: str,
    film: faces.Film,
    trial: Trial,
    sound: Track,
    *,
    trap: str | None,
    rng: np.random.Generator,
) -> None:
    expression: faces.Expression = "high" if trial.face else "low"
    seconds = sound.samples.size / sound.sampling_rate
    frames = faces.play(
        film, expression, seconds=seconds, frame_rate=FRAME_RATE, offset=rng.random()
    )
    video, wav = folder / "mp4" / f"{name}.mp4", folder / "wav" / f"{name}.wav"
    if trap == "late sound":
        late = round(LATE * sound.sampling_rate)
        sound = Track(sound.samples[:-late], sound.sampling_rate, start=LATE)
    if trap not in ("no files", "wav alone"):
        track = None if trap == "no sound" else sound
        write_video(video, frames, frame_rate=FRAME_RATE, pixels="yuv420p", sound=track)
    if trap not in ("no files", "no wav", "late sound", "no sound"):
        write_wav(wav, sound)
    if trap == "unreadable video":
        truncate(video, share=0.6)
    if trap == "broken wav":
        truncate(wav, share=0.0)


def _write_muse(
    folder: Path, rows: Sequence[dict[str, str]], rng: np.random.Generator, *, seconds: float
) -> None:
    """The tables and features of the MuSe pack; features are noise."""
    labelled = [row for row in rows if row["Adoration"]]  # rows of the others are not there at all
    _write_csv(folder / LABELS, ("File_ID", *CLASSES), labelled)
    partition = [{"Id": row["File_ID"], "Partition": MUSE_SPLITS[row["Split"]]} for row in rows]
    _write_csv(folder / PARTITION, ("Id", "Partition"), partition)
    for row in rows:
        for name, width in FEATURES.items():
            values = rng.random((round(seconds * FEATURE_RATE), width))
            features = (
                {"File_ID": row["File_ID"], "timestamp": f"{1000 * i // FEATURE_RATE}"}
                | {f"{name}_{j}": f"{value:.4f}" for j, value in enumerate(line)}
                for i, line in enumerate(values)
            )
            path = folder / "feats" / name / f"{row['File_ID'].strip('[]')}.csv"
            columns = ("File_ID", "timestamp", *(f"{name}_{j}" for j in range(width)))
            _write_csv(path, columns, features)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
