"""A synthetic Hume-Reaction: the exact layout of either pack, real faces, a synthesised voice.

Valence shows in the face alone, which changes the earlier the more there is of it, and arousal in
the voice alone, which is as much quicker and higher. `intensities` says what the seven classes
make of them. People stay in one split: half train, a quarter each validation and test.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline_lib import params
from pipeline_lib.datasets.hume_reaction.tables import CLASSES, INFO, LABELS, PARTITION
from pipeline_lib.twins.folder import NOTICE, VOICE, replaced, truncate
from pipeline_lib.twins.hume_reaction.intensities import Reaction, draw, label
from pipeline_lib.twins.shared import faces, voice
from pipeline_lib.twins.shared.plan import Trial, by_subject, place_traps, plan
from pipeline_lib.twins.shared.wav import write_wav
from pipeline_lib.video.encode import Image, Track, write_video

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

    trials = deal(twin)
    traps = place_traps(TRAPS[twin.traps], subjects=twin.subjects, trials=twin.trials)
    rng = np.random.default_rng([twin.seed, twin.subjects])
    names = _file_ids(trials, rng)
    reactions = {(t.subject, t.trial): draw(t, rng) for t in trials}
    rows = _rows(trials, names, reactions, rng, twin=twin)
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
                folder,
                session,
                names=names,
                reactions=reactions,
                traps=traps,
                twin=twin,
                clips=clips,
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
    reactions: Mapping[Place, Reaction],
    rng: np.random.Generator,
    *,
    twin: params.Twin,
) -> list[dict[str, str]]:
    """The rows of data_info.csv, by File_ID; labels of the test split are withheld."""
    rows = []
    for trial in trials:
        split = _split(trial.subject, subjects=twin.subjects)
        place = trial.subject, trial.trial
        intensities = label(reactions[place], trial, effect=twin.effect, rng=rng)
        labels = {name: f"{value:.4f}" for name, value in intensities.items()}
        file_id = f"[{names[place]}]"
        rows.append({"File_ID": file_id, "Split": split} | labels)
    rows.sort(key=lambda row: row["File_ID"])
    tested = [row for row in rows if row["Split"] == "Test"]
    for i, row in enumerate(tested):
        row |= dict.fromkeys(CLASSES, WITHHELD[i % len(WITHHELD)])
    return rows


def deal(twin: params.Twin) -> list[Trial]:
    """All trials, planned split by split: the cues say as much in each, and nothing without effect.

    Planned together, what one split has too much of would be lacking in another, which makes
    scores without effect negative.
    """
    found: list[Trial] = []
    for i, subjects in enumerate(_sizes(twin.subjects).values()):
        first = found[-1].subject + 1 if found else 0
        trials = plan(
            subjects=subjects,
            trials=twin.trials,
            effect=twin.effect,
            seed=len(MUSE_SPLITS) * twin.seed + i,
        )
        found += [replace(trial, subject=first + trial.subject) for trial in trials]
    return found


def _sizes(subjects: int) -> dict[Split, int]:
    """How many people are in each split, in their order: a quarter each to validate and to test."""
    held_out = max(subjects // 4, 1)
    return {"Train": subjects - 2 * held_out, "Val": held_out, "Test": held_out}


def _split(subject: int, *, subjects: int) -> Split:
    sizes = _sizes(subjects)
    if subject < sizes["Train"]:
        return "Train"
    return "Val" if subject < sizes["Train"] + sizes["Val"] else "Test"


def _write_subject(
    folder: Path,
    session: Sequence[Trial],
    *,
    names: Mapping[Place, str],
    reactions: Mapping[Place, Reaction],
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
        shown = reactions[place]
        sound = voice.speak(speaker, aroused=shown.voice, seconds=twin.seconds, rng=rng)
        _write_clip(folder, names[place], film, shown.face, sound, trap=traps.get(place), rng=rng)


def _write_clip(
    folder: Path,
    name: str,
    film: faces.Film,
    intensity: float,
    sound: Track,
    *,
    trap: str | None,
    rng: np.random.Generator,
) -> None:
    seconds = sound.samples.size / sound.sampling_rate
    frames = _react(film, intensity, seconds=seconds, offset=rng.random())
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


def _react(film: faces.Film, intensity: float, *, seconds: float, offset: float) -> Iterator[Image]:
    """The low expression, and then the high one for such a share of the time."""
    n_frames = round(seconds * FRAME_RATE)
    n_high = round(intensity * n_frames)
    expressions: dict[faces.Expression, int] = {"low": n_frames - n_high, "high": n_high}
    for expression, n in expressions.items():
        lasting = n / FRAME_RATE
        yield from faces.play(
            film, expression, seconds=lasting, frame_rate=FRAME_RATE, offset=offset
        )


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
