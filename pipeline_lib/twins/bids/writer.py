"""A synthetic data set of one's own in BIDS, with traps, a planted effect and real faces.

Every trial is a run: the clock starts, the camera comes on, then the stimulus. On request the
skin takes on the colour of the PPG's pulse, and the video's clock is wrong.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib import params
from pipeline_lib.twins.folder import NOTICE, replaced, truncate
from pipeline_lib.twins.shared import faces, physiology
from pipeline_lib.twins.shared.plan import SCALE, Trial, by_subject, place_traps, plan, rating
from pipeline_lib.video.encode import Image, write_video

Floats = npt.NDArray[np.float64]

TASK = "watch"
ONSET = 3.0  # s on the run's clock, of the stimulus
CAMERA_START = 0.25  # s on the run's clock
EARLY = -2.0  # s on the run's clock, where an amplifier starts that did not wait
SAMPLING_RATES = {"PPG": 64.0, "EDA": 16.0}  # Hz
FRAME_RATE = 30  # Hz
THRESHOLD = 5.0  # of ratings
IN_OHM = 2  # the subject, from 0, whose EDA is a resistance
GAP = 8  # samples
FEW = ("n/a in PPG", "negative StartTime", "no ratings", "no video")
TRAPS = {"few": FEW, "all": (*FEW, "truncated video", "n/a in EDA", "no arousal", "no EDA",
                             "no sidecar", "rating astray")}  # fmt: skip
ASTRAY = 11.0  # of a rating, which goes from 1 to 9

README = "Ratings of 1 - 9 stand in the events, their scales in task-watch_events.json.\n"


def write(
    root: Path,
    *,
    twin: params.Twin,
    clips: Mapping[str, Path],
    jobs: int,
    offset: float = 0.0,
    pulse: float = 0.0,
) -> None:
    """Write the whole data set in place of `root`; the same twin gives the same bytes.

    offset : s by which the videos are late: what happens at t is shown at t + offset
    pulse  : height of the pulse in the skin's green, 8-bit levels
    """
    import joblib

    trials = plan(subjects=twin.subjects, trials=twin.trials, effect=twin.effect, seed=twin.seed)
    traps = place_traps(TRAPS[twin.traps], subjects=twin.subjects, trials=twin.trials)
    with replaced(root) as folder:
        write_top(folder, twin)
        joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(write_subject)(
                folder, session, traps=traps, twin=twin, clips=clips, offset=offset, pulse=pulse
            )
            for session in by_subject(trials)
        )


def write_subject(
    folder: Path,
    session: Sequence[Trial],
    *,
    traps: Mapping[tuple[int, int], str],
    twin: params.Twin,
    clips: Mapping[str, Path],
    offset: float = 0.0,
    pulse: float = 0.0,
) -> None:
    """Write a subject's runs, and the unit of their EDA, which holds for all of these."""
    index = session[0].subject
    subject = f"sub-{index + 1:02d}"
    rng = np.random.default_rng([twin.seed, index + 1])
    look = faces.draw_look(index, rng)
    body = physiology.draw_body("PPG", seconds=ONSET - EARLY + twin.seconds, rng=rng)
    film = faces.shoot(look, clips[look.actor.clip], width=twin.width, height=twin.height)
    stimuli = rng.permutation(twin.trials) + 1
    runs = folder / subject / "beh"
    runs.mkdir(parents=True)
    unit = "Ohm" if index == IN_OHM else "uS"
    _write_json(folder / subject / f"{subject}_task-{TASK}_recording-eda_physio.json",
                {"EDA": {"Units": unit}})  # fmt: skip
    for trial in session:
        trap = traps.get((index, trial.trial))
        stem = f"{runs}/{subject}_task-{TASK}_run-{trial.trial + 1:02d}"
        start = EARLY if trap == "negative StartTime" else 0.0
        signals = _signals(body, trial, start=start, seconds=twin.seconds, rng=rng)
        blood = pulse * signals["PPG"] if pulse else None
        frames = film_of(film, trial, blood, start=start, offset=offset, twin=twin, rng=rng)
        _write_video(stem, frames, trap=trap)
        if unit == "Ohm":
            signals["EDA"] = 1e6 / signals["EDA"]
        for channel, samples in signals.items():
            _write_physio(stem, channel, samples, start=start, trap=trap)
        _write_events(stem, trial, int(stimuli[trial.trial]), twin, trap=trap, rng=rng)


def _signals(
    body: physiology.Body, trial: Trial, *, start: float, seconds: float, rng: np.random.Generator
) -> dict[str, Floats]:
    """PPG, heights of about 1, and EDA, uS, from `start` on the run's clock."""
    simulators = {"PPG": physiology.heart, "EDA": physiology.skin_conductance}
    return {
        channel: simulate(
            body,
            aroused=trial.body,
            lead_in=ONSET - start,
            seconds=seconds,
            sampling_rate=SAMPLING_RATES[channel],
            rng=rng,
        )
        for channel, simulate in simulators.items()
    }


def film_of(
    film: faces.Film,
    trial: Trial,
    blood: Floats | None,
    *,
    start: float,
    offset: float,
    twin: params.Twin,
    rng: np.random.Generator,
) -> Iterator[Image]:
    """Calm, then from the onset on the expression of the trial's cue, in a camera that is late.

    blood : levels of green at the PPG's samples, from `start` on the run's clock
    """
    n_frames = round((ONSET + twin.seconds - CAMERA_START) * FRAME_RATE)
    n_calm = round((ONSET + offset - CAMERA_START) * FRAME_RATE)
    shown = CAMERA_START - offset + np.arange(n_frames) / FRAME_RATE  # s on the run's clock
    levels = None
    if blood is not None:
        levels = np.interp(shown, start + np.arange(len(blood)) / SAMPLING_RATES["PPG"], blood)
    parts: tuple[tuple[faces.Expression, slice], ...] = (
        ("calm", slice(n_calm)),
        ("high" if trial.face else "low", slice(n_calm, n_frames)),
    )
    for expression, part in parts:
        yield from faces.play(
            film,
            expression,
            seconds=len(shown[part]) / FRAME_RATE,
            frame_rate=FRAME_RATE,
            offset=rng.random(),
            blood=None if levels is None else levels[part],
        )


def _write_video(stem: str, frames: Iterator[Image], *, trap: str | None) -> None:
    if trap == "no video":
        return
    path, is_cut = Path(f"{stem}_video.mp4"), trap == "truncated video"
    # With its index at the end a truncated MP4 would be as unreadable as an empty one.
    write_video(path, frames, frame_rate=FRAME_RATE, pixels="yuv420p", faststart=is_cut)
    _write_json(Path(f"{stem}_video.json"), {"StartTime": CAMERA_START, "FrameRate": FRAME_RATE})
    if is_cut:
        truncate(path, share=0.6)


def _write_physio(
    stem: str, channel: str, samples: Floats, *, start: float, trap: str | None
) -> None:
    name = f"{stem}_recording-{channel.lower()}_physio"
    if trap == f"no {channel}":
        return
    cells = [f"{sample:.6g}" for sample in samples]
    if trap == f"n/a in {channel}":
        cells[-2 * GAP : -GAP] = ["n/a"] * GAP
    # Without a date in it, the same samples give the same bytes.
    content = gzip.compress(("\n".join(cells) + "\n").encode(), mtime=0)
    Path(f"{name}.tsv.gz").write_bytes(content)
    if trap != "no sidecar":
        _write_json(Path(f"{name}.json"), {"StartTime": start})


def _write_events(
    stem: str, trial: Trial, stimulus: int, twin: params.Twin, *, trap: str | None,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """The stimulus, and the moment after it at which a key was pressed."""
    rated = {
        name: f"{rating(label, threshold=THRESHOLD, rng=rng):g}"
        for name, label in (("valence", trial.valence), ("arousal", trial.arousal))
    }
    rated["dominance"] = f"{rng.uniform(*SCALE):.2f}"
    if trap == "no ratings":
        rated = dict.fromkeys(rated, "n/a")
    if trap == "no arousal":
        rated["arousal"] = "n/a"
    if trap == "rating astray":
        rated["valence"] = f"{ASTRAY:g}"
    end = ONSET + twin.seconds
    rows = [
        ["onset", "duration", "trial_type", "stim_id", *rated],
        [f"{ONSET:g}", f"{twin.seconds:g}", "film", f"film-{stimulus:02d}", *rated.values()],
        [f"{end:g}", "0", "key", *["n/a"] * (1 + len(rated))],
    ]
    Path(f"{stem}_events.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))


def write_top(folder: Path, twin: params.Twin) -> None:
    """What holds for the whole data set."""
    (folder / "SYNTHETIC.md").write_text(NOTICE.format(name="a data set in BIDS"))
    (folder / "README").write_text(README)
    (folder / ".bidsignore").write_text("*_video.*\nSYNTHETIC.md\n")
    _write_json(
        folder / "dataset_description.json",
        {"Name": "Synthetic viewers", "BIDSVersion": "1.11.1", "DatasetType": "raw"},
    )
    subjects = [f"sub-{i + 1:02d}" for i in range(twin.subjects)]
    if twin.traps == "all":  # who came, and was not recorded
        subjects.append(f"sub-{twin.subjects + 1:02d}")
        (folder / subjects[-1] / "beh").mkdir(parents=True)
    (folder / "participants.tsv").write_text("\n".join(["participant_id", *subjects]) + "\n")
    for channel, sampling_rate in SAMPLING_RATES.items():
        _write_json(folder / f"task-{TASK}_recording-{channel.lower()}_physio.json",
                    {"SamplingFrequency": sampling_rate, "Columns": [channel]})  # fmt: skip
    low, high = SCALE
    levels = {"Levels": {f"{low:g}": "very low", f"{high:g}": "very high"}}
    _write_json(folder / f"task-{TASK}_events.json", {
        "stim_id": {"Description": "Film that was shown"},
        "valence": {"Description": "How pleasant the film was", **levels},
        "arousal": {"Description": "How exciting the film was", **levels},
        "dominance": {"Description": "How far in control", "Minimum": low, "Maximum": high},
    })  # fmt: skip


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
