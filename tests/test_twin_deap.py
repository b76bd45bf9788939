"""The DEAP twin with all traps: as MNE, EDFlib, pickle and PyAV see it, and as both adapters do."""

import csv
import pickle
from itertools import groupby
from pathlib import Path

import av
import mne
import numpy as np
import pyedflib
import pytest

from pipeline_lib import params
from pipeline_lib.datasets.deap import adapter as deap, original as deap_bdf
from pipeline_lib.physio.filters import resample
from pipeline_lib.recordings import Reading, RecordingError
from pipeline_lib.twins.deap import writer
from pipeline_lib.twins.shared.plan import plan
from tests.contents import hashes

SIZE = {"effect": 0.8, "traps": "all", "seed": 3, "width": 96, "height": 64}
TWIN = params.Twin(subjects=5, trials=3, seconds=5.0, **SIZE)
NUMBERS = (2, 3, 24, 28, 29)
SITES = {"twente": "nS", "geneva": "Ohm"}


@pytest.fixture(scope="module")
def root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "deap"
    writer.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


def readings(layout, root: Path, **options) -> dict[str, Reading | RecordingError]:
    """By recording_id."""
    found = {}
    sources = layout.discover(root)
    for _, group in groupby(sources, key=lambda source: source.signals):
        for source, reading in layout.read(list(group), heart="PPG", **options):
            found[source.recording_id] = reading
    return found


@pytest.fixture(scope="module")
def preprocessed(root):
    return readings(deap, root, eda_unit="relative_Ohm")


@pytest.fixture(scope="module")
def recorded(root):
    return readings(deap_bdf, root, eda_unit=SITES)


def recording(root: Path, number: int) -> Path:
    (path,) = root.rglob(f"s{number:02d}.bdf")
    return path


def status(path: Path) -> np.ndarray:
    """The last channel, by EDFlib."""
    with pyedflib.EdfReader(str(path)) as oracle:
        return oracle.readSignal(oracle.signals_in_file - 1, digital=True)


def onsets(codes: np.ndarray) -> list[int]:
    """Where 4 begins, one sample after the other."""
    return [i for i in range(1, len(codes)) if codes[i] == 4 != codes[i - 1]]


def table(root: Path) -> dict[str, dict[str, str]]:
    """Rows of the ratings by recording_id."""
    with (root / "metadata_csv" / "participant_ratings.csv").open() as file:
        return {
            f"s{int(row['Participant_id']):02d}_t{int(row['Trial']):02d}": row
            for row in csv.DictReader(file)
        }


def test_files_lie_as_unzipping_leaves_them(root):
    nested = root / "data_preprocessed_python" / "data_preprocessed_python"
    assert [path.name for path in sorted(nested.iterdir())] == [f"s{n:02d}.dat" for n in NUMBERS]
    assert {n: recording(root, n).parent.name for n in NUMBERS} == {
        **dict.fromkeys((2, 3, 28, 29), "data_original"), 24: root.name
    }  # fmt: skip
    assert {path.name for path in (root / "face_video").iterdir()} == {"s02", "s03"}


@pytest.mark.parametrize(
    ("number", "unlabelled", "unit"),
    [(2, 0, "nS"), (3, 0, "nS"), (24, 1, "Ohm"), (28, 1, "Ohm"), (29, 2, "Ohm")],
)
def test_wirings(root, number, unlabelled, unit):
    with pyedflib.EdfReader(str(recording(root, number))) as oracle:
        labels = oracle.getSignalLabels()
        assert labels[47:] == ([""] * unlabelled or ["Status"])
        assert set(oracle.getSampleFrequencies()) == {512}
        assert oracle.getPhysicalDimension(labels.index("GSR1")) == unit
        last = oracle.signals_in_file - 1
        assert oracle.getPhysicalMinimum(last) == oracle.getDigitalMinimum(last) == -(2**23)
        assert oracle.getPhysicalMaximum(last) == oracle.getDigitalMaximum(last) == 2**23 - 1
    assert labels[:4] == (
        ["Fp1", "AF3", "F7", "F3"] if unit == "nS" else ["Fp1", "AF3", "F3", "F7"]
    )


def test_status_codes(root):
    for number in NUMBERS:
        codes = status(recording(root, number))
        high = set((codes >> 8).tolist())
        assert high == ({0} if number < 24 else {0x18FF, 0x19FF, 0x08FF})
        assert len(onsets(codes & 0xFF)) == (2 if number == 28 else 3)
        if number >= 24:  # the high bits change while 4 stands
            changes = np.flatnonzero(np.diff(codes)) + 1
            assert (codes[changes] & 0xFF == 4).sum() == 2 * len(onsets(codes & 0xFF))


@pytest.mark.parametrize("number", NUMBERS)
def test_mne_finds_the_same_onsets_and_signals(root, recorded, number):
    raw = mne.io.read_raw_bdf(recording(root, number), preload=True, verbose="ERROR")
    codes = raw.get_data()[-1].astype(int) & 0xFF
    trials = [1, 3] if number == 28 else [1, 2, 3]
    for trial, onset in zip(trials, onsets(codes), strict=True):
        ppg, eda = recorded[f"s{number:02d}_t{trial:02d}"].signals
        window = slice(onset - 3 * 512, onset + 60 * 512)
        np.testing.assert_allclose(ppg.samples, 1e6 * raw.get_data("Plet")[0, window], rtol=1e-9)
        gsr = raw.get_data("GSR1")[0, window]
        conductance = 1e-3 * gsr if number < 23 else 1e6 / gsr
        np.testing.assert_allclose(eda.samples, conductance, rtol=1e-9)


def similarity(preprocessed: Reading, recorded: Reading) -> tuple[float, float]:
    """Correlation of the PPGs and of the skin resistances, at 128 Hz."""
    (ppg, eda), (raw_ppg, raw_eda) = (reading.signals for reading in (preprocessed, recorded))
    pairs = ((ppg.samples, raw_ppg.samples), (-eda.samples, 1 / raw_eda.samples))
    low, high = (
        np.corrcoef(one, resample(other, 512, to=128)[: one.size])[0, 1] for one, other in pairs
    )
    return float(low), float(high)


def test_both_layouts_give_the_same_trials(preprocessed, recorded):
    assert list(preprocessed) == list(recorded)
    both = [
        key for key in recorded
        if isinstance(recorded[key], Reading) and len(preprocessed[key].signals) == 2
    ]  # fmt: skip
    assert len(both) == 15 - 2
    for key in both:
        assert min(similarity(preprocessed[key], recorded[key])) > 0.99, key
        assert preprocessed[key].ratings == recorded[key].ratings
        assert preprocessed[key].missing == recorded[key].missing
        others = [other for other in both if other != key]
        assert max(similarity(preprocessed[key], recorded[other])[0] for other in others) < 0.9


def test_what_is_lost_is_said(preprocessed, recorded):
    def bad(found):
        return {key: str(r) for key, r in found.items() if isinstance(r, RecordingError)}

    assert bad(preprocessed) == {}
    assert preprocessed["s02_t01"].missing == ("PPG: 1024 of 1024 samples are NaN",)
    assert bad(recorded) == {
        "s28_t02": "nothing recorded: s28.bdf: 2 onsets of videos for 3 trials; none for Trial 2, "
        "no video"
    }
    partial = {key: r.missing for key, r in recorded.items() if isinstance(r, Reading)}
    assert partial["s02_t01"] == ()
    assert partial["s03_t03"] == ("no s03_trial03.avi",)
    assert partial["s24_t01"] == ("no s24_trial01.avi",)


def test_ratings_are_the_plan_in_both_orders(root, recorded):
    planned = plan(subjects=5, trials=3, effect=0.8, seed=3)
    rated = table(root)
    for trial in planned:
        number = NUMBERS[trial.subject]
        row = rated[f"s{number:02d}_t{trial.trial + 1:02d}"]
        assert (float(row["Valence"]) > 5, float(row["Arousal"]) > 5) == (
            trial.valence, trial.arousal
        )  # fmt: skip
        assert (row["Familiarity"] == "") == (number == 2)
        (path,) = root.rglob(f"s{number:02d}.dat")
        loaded = pickle.loads(path.read_bytes(), encoding="latin1")
        assert loaded["data"].shape == (3, 40, 8 * 128)
        labels = loaded["labels"][int(row["Experiment_id"]) - 1]
        names = ("Valence", "Arousal", "Dominance", "Liking")
        np.testing.assert_array_equal(labels, [float(row[name]) for name in names])
    assert set(recorded["s24_t01"].ratings) - set(recorded["s02_t01"].ratings) == {"familiarity"}


def test_start_times_are_those_of_the_onsets(root):
    rated = table(root)
    for number in (2, 24):
        samples = onsets(status(recording(root, number)) & 0xFF)
        starts = [int(rated[f"s{number:02d}_t{trial:02d}"]["Start_time"]) for trial in (1, 2, 3)]
        np.testing.assert_allclose(np.diff(starts) / 1e6, np.diff(samples) / 512, atol=1e-5)


def test_videos(root):
    decoded, announced = {}, {}
    for path in sorted(root.rglob("*.avi")):
        with av.open(str(path)) as container:
            announced[path.stem] = container.streams.video[0].frames
            decoded[path.stem] = 0
            try:
                for _ in container.decode(video=0):
                    decoded[path.stem] += 1
            except av.error.InvalidDataError:
                pass  # the end of a truncated file
    assert "s03_trial03" not in decoded
    assert 30 < decoded.pop("s02_trial02") < 150  # truncated
    assert set(decoded.values()) == {(5 - 1) * 50}  # a second shorter than the trial
    assert announced.pop("s02_trial03") == 3000
    assert {announced[name] for name in decoded if name != "s02_trial03"} == {200}


def test_same_params_same_bytes(root, clips, tmp_path):
    writer.write(tmp_path / "again", twin=TWIN, clips=clips, jobs=1)
    assert hashes(tmp_path / "again") == hashes(root)


@pytest.mark.parametrize(
    ("subjects", "trials", "reason"), [(5, 2, "do not fit into"), (33, 3, "twins.deap.subjects")]
)
def test_twin_that_cannot_hold_all_traps_is_refused(tmp_path, subjects, trials, reason):
    twin = params.Twin(subjects=subjects, trials=trials, seconds=5.0, **SIZE)
    with pytest.raises(ValueError, match=reason):
        writer.write(tmp_path / "deap", twin=twin, clips={}, jobs=1)
    assert not any(tmp_path.iterdir())
