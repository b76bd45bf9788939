"""A synthetic Kinetics-400: its exact layout, flat or in class folders, with real faces.

A clip's class follows valence and arousal: valence shows in the expression, arousal in how fast
it is played.
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline_lib import params
from pipeline_lib.datasets.kinetics.adapter import REPLACEMENTS
from pipeline_lib.twins.folder import NOTICE, replaced, truncate
from pipeline_lib.twins.shared import faces
from pipeline_lib.twins.shared.plan import Trial, by_subject, place_traps, plan
from pipeline_lib.video.encode import write_video

Layout = Literal["flat", "folders"]
Split = Literal["train", "val", "test"]

FRAME_RATE = 30  # Hz
CLASSES = {  # by valence and arousal
    (0, 0): "crying",
    (0, 1): "shaking head",
    (1, 0): "tasting food",
    (1, 1): "laughing",
}
SPEED = 2.0  # of an aroused clip
TRAPS = {
    "few": ("corrupt, replaced",),
    "all": ("corrupt, replaced", "corrupt", "empty", "no file", "no row", "replaced for nothing"),
}
HEADER = ("label", "youtube_id", "time_start", "time_end", "split")
_ALPHABET = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_ODD_IDS = ("-{}", "_{}", "--{}", "__{}", "{}-", "{}_")  # in turn, filled up to eleven


@dataclass(frozen=True)
class Clip:
    trial: Trial
    youtube_id: str
    start: int  # s of the video
    end: int
    split: Split
    trap: str | None

    @property
    def label(self) -> str:
        return CLASSES[self.trial.valence, self.trial.arousal]

    @property
    def name(self) -> str:
        return f"{self.youtube_id}_{self.start:06d}_{self.end:06d}.mp4"


def write(
    root: Path,
    *,
    twin: params.Twin,
    clips: Mapping[str, Path],
    jobs: int,
    layout: Layout = "flat",
) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes."""
    import joblib

    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    traps = place_traps(TRAPS[twin.traps], subjects=twin.subjects, trials=twin.trials)
    rng = np.random.default_rng([twin.seed, twin.subjects])
    announced = [
        _clip(i, trial, traps.get((trial.subject, trial.trial)), rng, twin)
        for i, trial in enumerate(trials)
    ]
    with replaced(root) as folder:
        (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="Kinetics-400"))
        if layout == "flat":
            for split in ("train", "val", "test"):
                _write_annotations(folder / "k400" / "annotations" / f"{split}.csv", announced)
        sessions = iter(announced)
        joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(_write_person)(
                folder, list(islice(sessions, len(session))), twin=twin, clips=clips, layout=layout
            )
            for session in by_subject(trials)
        )


def _clip(
    number: int, trial: Trial, trap: str | None, rng: np.random.Generator, twin: params.Twin
) -> Clip:
    letters = "".join(rng.choice(_ALPHABET, 11))
    pattern = _ODD_IDS[number % len(_ODD_IDS)]
    start = int(rng.integers(0, 300))
    return Clip(
        trial,
        youtube_id=pattern.format(letters[: 11 - len(pattern.format(""))]),
        start=start,
        end=start + round(twin.seconds),
        split=_split(trial.subject, subjects=twin.subjects),
        trap=trap,
    )


def _split(subject: int, *, subjects: int) -> Split:
    """The last fifth is for tests, the one before for validation."""
    held_out = max(subjects // 5, 1)
    if subject >= subjects - held_out:
        return "test"
    return "val" if subject >= subjects - 2 * held_out else "train"


def _write_annotations(path: Path, clips: Sequence[Clip]) -> None:
    """The rows of a split; in one of them all is quoted, as some copies of the set have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        if path.stem == "val":
            writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        else:
            writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for clip in clips:
            if clip.split == path.stem and clip.trap != "no row":
                writer.writerow((clip.label, clip.youtube_id, clip.start, clip.end, clip.split))


def _write_person(
    folder: Path,
    session: Sequence[Clip],
    *,
    twin: params.Twin,
    clips: Mapping[str, Path],
    layout: Layout,
) -> None:
    """Write the clips in which one person is seen."""
    subject = session[0].trial.subject
    rng = np.random.default_rng([twin.seed, subject])
    look = faces.draw_look(subject, rng)
    film = faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height)
    for clip in session:
        place = (
            folder / "k400" / clip.split if layout == "flat" else folder / clip.split / clip.label
        )
        _write_clip(place / clip.name, clip, film, seconds=twin.seconds, rng=rng)
        if "replaced" in (clip.trap or ""):
            above = folder / "k400" if layout == "flat" else folder
            replacement = above / "replacement" / REPLACEMENTS / clip.name
            replacement.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place / clip.name, replacement)
        _spoil(place / clip.name, clip.trap)


def _write_clip(
    path: Path, clip: Clip, film: faces.Film, *, seconds: float, rng: np.random.Generator
) -> None:
    expression: faces.Expression = "high" if clip.trial.face else "low"
    played = replace(film, frame_rate=film.frame_rate * (SPEED if clip.trial.body else 1.0))
    frames = faces.play(
        played, expression, seconds=seconds, frame_rate=FRAME_RATE, offset=rng.random()
    )
    write_video(path, frames, frame_rate=FRAME_RATE, pixels="yuv420p")


def _spoil(path: Path, trap: str | None) -> None:
    if trap == "no file":
        path.unlink()
    if trap in ("corrupt, replaced", "corrupt"):
        truncate(path, share=0.6)
    if trap == "empty":
        truncate(path, share=0.0)
