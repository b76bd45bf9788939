"""StressID as it is published: a table of signals, a video and a sound file for each task."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.datasets.files import ADVICE, check_root, find
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.datasets.stressid.labels import (
    RECORDING,
    TASKS,
    Ratings,
    read_ratings,
    with_classes,
)
from pipeline_lib.datasets.stressid.physiological import NEEDED, read_columns
from pipeline_lib.recordings import (
    DatasetError,
    Official,
    Reading,
    RecordingError,
    Signal,
    Source,
)

LAYOUT = (
    "Physiological/2ea4/2ea4_Math.csv, Videos/2ea4/2ea4_Math.mp4, Audio/2ea4/2ea4_Math.wav, and "
    "labels.csv or self_assessments.csv"
)
OFFICIAL = Official(
    subjects=65,
    recordings=711,  # [?]
    videos=None,  # fewer than recordings: not all subjects agreed to be filmed
    source="Chaptoukaev et al. 2023: 65 participants, 11 rated tasks, without the baseline",
)
# Endings of files. The signals are text with commas, which are also seen as .txt [?].
SIGNALS, VIDEO, AUDIO = r"\.(?:csv|txt)", r"\.mp4", r"\.wav"
TABLES = r"(labels|self_assessments)\.csv"
SPOKEN = ("Counting1", "Counting2", "Counting3", "Math", "Reading", "Speaking", "Stroop")  # [?]

SAMPLING_RATE = 500.0  # Hz
START = 0.0  # s, of the signals, the video and the sound: the files are cut to the task [?]


def discover(root: Path) -> list[Source]:
    """One source per subject and task, of the tasks that anybody has a file of.

    Raises DatasetError if `root` holds no such files, or a table of ratings that is wrong.
    """
    check_root(root, layout=LAYOUT)
    tables = tuple(find(root, TABLES).values())
    read_ratings(tables)  # what is wrong with them is not wrong with one recording
    signals, videos, audios = (find(root, RECORDING + ending) for ending in (SIGNALS, VIDEO, AUDIO))
    found = {*signals, *videos, *audios}
    if not found:
        raise DatasetError(f"{root}: no StressID files; expected {LAYOUT}; {ADVICE}")
    subjects = sorted({subject for subject, _ in found})
    tasks = [task for task in TASKS if any(task == other for _, other in found)]
    return [
        Source(
            recording_id=f"{subject}_{task}",
            subject=subject,
            trial=task,
            stimulus=task,
            order=None,  # all did the tasks in one order, which is in none of the files
            signals=signals.get((subject, task)),
            video=videos.get((subject, task)),
            audio=audios.get((subject, task)),
            tables=tables,
        )
        for subject in subjects
        for task in tasks
    ]


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one table of signals, or without one
    heart    : ECG
    eda_unit : of the EDA in the file, as physio.units names it; StressID's is uS [?]

    Raises DatasetError if `heart` is no channel of StressID or `eda_unit` is not given.
    """
    if heart != "ECG":
        raise DatasetError("StressID has an ECG and no PPG; set datasets.<name>.heart to ECG")
    if not isinstance(eda_unit, str):
        raise DatasetError(
            "StressID does not say its EDA's unit; set datasets.<name>.eda_unit to one unit"
        )
    ratings = read_ratings(sources[0].tables)
    return each(sources, partial(_read_task, ratings=ratings, eda_unit=eda_unit))


def _read_task(source: Source, *, ratings: Mapping[str, Ratings], eda_unit: str) -> Reading:
    name = source.recording_id
    rated = with_classes(ratings.get(name, {}))
    columns = read_columns(source.signals) if source.signals else {}
    units = {"ECG": "a.u.", "EDA": eda_unit}
    absent = {
        f"no {name}.csv": source.signals is None,
        "no ratings": not rated,
        **{f"no {target}": bool(rated) and target not in rated for target in TARGETS},
        f"no {name}.mp4": source.video is None,
        f"no {name}.wav": source.audio is None and source.trial in SPOKEN,
    }
    missing = tuple(sentence for sentence, is_absent in absent.items() if is_absent)
    if not columns and source.video is None and source.audio is None:
        raise RecordingError(f"nothing recorded that can be used: {'; '.join(missing)}")
    return Reading(
        signals=tuple(
            Signal(channel, units[channel], SAMPLING_RATE, START, samples)
            for channel, samples in columns.items()
        ),
        ratings=rated,
        video_start=START if source.video else None,
        audio_start=START if source.audio else None,
        duration=len(columns[NEEDED[0]]) / SAMPLING_RATE if columns else None,
        missing=missing,
    )
