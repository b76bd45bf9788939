"""The BIDS twin lies as BIDS says, traps included, and other readers read what was planted."""

import csv
import gzip
import json
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline_lib import params
from pipeline_lib.datasets.bids import adapter
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.bids import writer
from pipeline_lib.twins.shared import faces
from pipeline_lib.twins.shared.plan import place_traps, plan
from tests.contents import hashes

TWIN = params.Twin(subjects=5, trials=3, seconds=5.0, effect=0.8, traps="all", seed=3,
                   width=96, height=64)  # fmt: skip
RUN = "sub-{subject:02d}_task-watch_run-{trial:02d}"
BAD = {  # recordings that cannot be used, by subject and run
    (5, 1): "valence is rated 11, outside 1 - 9",
    (
        5,
        3,
    ): "sub-05_task-watch_run-03_recording-eda_physio.json: StartTime is None, expected a number",
}
PARTIAL = {
    (1, 1): ("PPG: 8 of 512 samples are NaN",),
    (3, 3): ("EDA: 8 of 128 samples are NaN",),
    (2, 1): ("no video",),
    (2, 3): ("no ratings",),
    (4, 1): ("no arousal",),
    (4, 2): ("no EDA",),
}
EARLY, TRUNCATED = (1, 2), (3, 2)
N_FRAMES = round((3 + 5 - 0.25) * 30)


@pytest.fixture(scope="module")
def root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "bids"
    writer.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


def outcomes(root: Path) -> dict:
    """By recording."""
    found = {}
    for source in adapter.discover(root):
        found |= {s.recording_id: r for s, r in adapter.read([source], heart="PPG", eda_unit=None)}
    return found


def stem(root: Path, *, subject: int, trial: int) -> Path:
    name = RUN.format(subject=subject, trial=trial)
    return root / f"sub-{subject:02d}" / "beh" / name


def test_index_is_the_plan_but_for_the_traps(root):
    bad, partial, rated = {}, {}, {}
    for name, reading in outcomes(root).items():
        place = int(name[4:6]), int(name[22:24] or 0)
        if isinstance(reading, RecordingError):
            bad[place] = str(reading)
            continue
        if reading.missing:
            partial[place] = reading.missing
        if {"valence", "arousal"} <= set(reading.ratings):
            rated[place] = reading.ratings["valence"] > 5, reading.ratings["arousal"] > 5
            assert 1 <= reading.ratings["dominance"] <= 9
    assert bad == BAD | {(6, 0): "nothing recorded: no PPG, no EDA, no video"}
    assert partial == PARTIAL
    planned = {
        (t.subject + 1, t.trial + 1): (bool(t.valence), bool(t.arousal))
        for t in plan(subjects=5, trials=3, effect=0.8, seed=3)
    }
    unrated = {*BAD, (2, 3), (4, 1)}
    assert rated == {place: labels for place, labels in planned.items() if place not in unrated}


def test_signals_are_what_another_reader_reads(root):
    names = {(1, 2): "uS", (3, 1): "Ohm"}
    for (subject, trial), unit in names.items():
        base = stem(root, subject=subject, trial=trial)
        reading = outcomes(root)[f"{base.name}_01"]
        for signal, rate in zip(reading.signals, (16, 64), strict=True):
            channel = signal.channel.lower()
            with gzip.open(f"{base}_recording-{channel}_physio.tsv.gz", "rt") as file:
                raw = np.loadtxt(file)
            start = -2 if (subject, trial) == EARLY else 0
            assert (signal.sampling_rate, len(raw)) == (rate, (3 + 5 - start) * rate)
            expected = 1e6 / raw if (channel, unit) == ("eda", "Ohm") else raw
            np.testing.assert_allclose(signal.samples, expected)
            assert signal.start == start - 3  # from the onset
        assert reading.signals[0].source_unit == ("Ohm" if unit == "Ohm" else "")
        assert 0.5 < np.median(reading.signals[0].samples) < 20  # uS, of a person
        assert reading.video_start == 0.25 - 3


def test_sidecars_inherit(root):
    assert json.loads((root / "task-watch_recording-ppg_physio.json").read_text()) == {
        "SamplingFrequency": 64.0,
        "Columns": ["PPG"],
    }
    base = stem(root, subject=1, trial=2)
    sidecar = json.loads(Path(f"{base}_recording-ppg_physio.json").read_text())
    assert sidecar == {"StartTime": -2.0}
    description = json.loads((root / "dataset_description.json").read_text())
    assert description["BIDSVersion"] == "1.11.1"
    assert "*_video.*" in (root / ".bidsignore").read_text()


def test_events_have_the_columns_of_bids(root):
    paths = sorted(root.glob("sub-*/beh/*_events.tsv"))
    assert len(paths) == 5 * 3
    stimuli = []
    for path in paths:
        with path.open() as file:
            film, key = csv.DictReader(file, delimiter="\t")
        assert (film["onset"], film["duration"], key["duration"]) == ("3", "5", "0")
        assert key["valence"] == "n/a"
        stimuli.append(film["stim_id"])
    assert sorted(stimuli) == sorted(["film-01", "film-02", "film-03"] * 5)
    assert stimuli != ["film-01", "film-02", "film-03"] * 5


def test_videos(root):
    paths = sorted(root.glob("sub-*/beh/*_video.mp4"))
    assert len(paths) == 5 * 3 - 1
    for path in paths:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.average_rate) == ("h264", 30)
            assert (stream.width, stream.height) == (96, 64)
            n_frames = count(container)
        if path.name.startswith(RUN.format(subject=TRUNCATED[0], trial=TRUNCATED[1])):
            assert 50 < n_frames < 200
        else:
            assert n_frames == N_FRAMES


def count(container) -> int:
    n_frames = 0
    try:
        for _ in container.decode(video=0):
            n_frames += 1
    except av.error.InvalidDataError:
        pass  # the end of a truncated file
    return n_frames


def test_same_params_same_bytes(root, clips, tmp_path):
    writer.write(tmp_path / "again", twin=TWIN, clips=clips, jobs=2)
    assert hashes(tmp_path / "again") == hashes(root)
    assert "layout of a data set in BIDS" in (root / "SYNTHETIC.md").read_text()


@pytest.mark.parametrize("subjects", [5, 7, 20])
def test_every_trap_has_a_place(subjects):
    traps = writer.TRAPS["all"]
    assert set(writer.TRAPS["few"]) < set(traps)
    assert sorted(place_traps(traps, subjects=subjects, trials=2).values()) == sorted(traps)


def test_late_video_shows_everything_later(clips, tmp_path):
    """But for the offset the films are the same: the onset of the expression comes later."""
    films = {}
    for offset in (0.0, 0.4):
        film = faces.Film({"calm": ["c"] * 9, "low": ["l"] * 9, "high": ["h"] * 9}, 30.0)
        frames = writer.film_of(film, plan(subjects=5, trials=2, effect=1.0, seed=0)[0], None,
                                start=0.0, offset=offset, twin=TWIN,
                                rng=np.random.default_rng(0))  # fmt: skip
        films[offset] = "".join(frames)
    assert {len(film) for film in films.values()} == {N_FRAMES}
    assert films[0.4].count("c") == films[0.0].count("c") + 12


def test_blood_darkens_the_skin_and_nothing_else(asset):
    look = faces.draw_look(0, np.random.default_rng(0))
    film = faces.shoot(look, asset(look.actor.clip), width=240, height=180)
    frame = film.frames["calm"][0]
    rgb, flushed = (
        av.VideoFrame.from_ndarray(image, format="yuv420p").to_ndarray(format="rgb24").astype(float)
        for image in (frame, faces.flush(frame, level=2.0))
    )
    np.testing.assert_array_equal(faces.flush(frame, level=0.0), frame)
    change = flushed - rgb
    skin = np.abs(change).sum(axis=2) > 0
    assert 0.1 < skin.mean() < 0.9
    red, green, blue = change[90:130, 100:140].mean(axis=(0, 1))  # inside the face
    assert green == pytest.approx(-2.0, abs=0.3)
    assert -2 < red < -0.5
    assert -2 < blue < -0.5
