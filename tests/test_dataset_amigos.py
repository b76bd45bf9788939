"""The AMIGOS adapter on hand-made .mat files: joins, gaps and files that are not what they say."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.io import savemat

from pipeline_lib.datasets.amigos import adapter as amigos
from pipeline_lib.recordings import DatasetError, Reading, RecordingError

N_TIMES = 5 * 128 + 256  # the lead-in and 2 s


def samples(value: float) -> np.ndarray:
    """Channels are told apart by their slope, videos by their level."""
    time = np.linspace(0, 1, N_TIMES)[:, None]
    return value + time * np.arange(1, 18)


def rated(arousal: float, valence: float) -> np.ndarray:
    return np.array([[arousal, valence, 3, 4, 5, 0, 1, 0, 0, 0, 0, 1]], float)


SEEN = np.array([[1, -0.5, 0.5]])  # segment, valence, arousal


def write_matrix(
    root: Path, videos: dict, *, number: int = 1, seen=SEEN, compressed: bool = True, **changes
) -> Path:
    """A .mat of (joined_data, self-assessment) by VideoID, in the order given."""
    columns = {name: np.empty((1, len(videos)), object) for name in amigos.CELLS}
    for i, (video, (joined, rating)) in enumerate(videos.items()):
        columns["joined_data"][0, i], columns["labels_selfassessment"][0, i] = joined, rating
        columns["labels_ext_annotation"][0, i] = seen
        columns["VideoIDs"][0, i] = np.array([video])
    path = root / f"Data_Preprocessed_P{number:02d}" / f"Data_Preprocessed_P{number:02d}.mat"
    path.parent.mkdir(parents=True)
    savemat(path, columns | changes, do_compression=compressed)
    return path


def add_video(root: Path, name: str) -> None:
    path = root / "Exp1_P01_face" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()


def read(root: Path, videos=amigos.SHORT_VIDEOS, **options) -> dict[str, Reading | RecordingError]:
    """All readings by trial, of a data set with one subject."""
    options = {"heart": "ECG", "eda_unit": "Ohm"} | options
    return {s.trial: r for s, r in amigos.read(amigos.discover(root, videos=videos), **options)}


EMPTY, UNRATED = np.empty((0, 0)), np.empty((1, 0))


def test_trials_are_keyed_by_video_id(tmp_path):
    write_matrix(tmp_path, {"138": (samples(100), rated(2, 8)), "U1": (EMPTY, UNRATED),
                            "4": (samples(200), rated(3.5, 7))})  # fmt: skip
    add_video(tmp_path, "P1_4_face.mov")
    sources = amigos.discover(tmp_path)
    assert [s.recording_id for s in sources] == ["P01_4", "P01_138"]  # U1 is a long video
    assert sources[0].video.name == "P1_4_face.mov"
    assert sources[0].order is None
    first, last = (reading for _, reading in amigos.read(sources, heart="ECG", eda_unit="uS"))
    assert (first.ratings["valence"], first.ratings["arousal"]) == (7, 3.5)
    assert (last.ratings["valence"], last.ratings["arousal"]) == (8, 2)
    np.testing.assert_allclose(first.signals[0].samples, samples(200)[:, 14])
    np.testing.assert_allclose(last.signals[1].samples, samples(100)[:, 16])


def test_signals_and_video_share_the_lead_in(tmp_path):
    write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))})
    add_video(tmp_path, "P1_4_face.mov")
    reading = read(tmp_path)["4"]
    ecg, eda = reading.signals
    assert (ecg.channel, ecg.start, ecg.sampling_rate, ecg.samples.size) == (
        "ECG",
        -5,
        128,
        N_TIMES,
    )
    assert (reading.video_start, reading.duration, reading.missing) == (-5, 2, ())
    assert (eda.channel, eda.unit) == ("EDA", "uS")
    np.testing.assert_allclose(eda.samples, 1e6 / samples(100)[:, 16])


def test_gaps_are_partial_and_lose_nothing_else(tmp_path):
    write_matrix(tmp_path, {"4": (samples(100), UNRATED), "5": (EMPTY, rated(2, 8)),
                            "9": (EMPTY, UNRATED), "10": (EMPTY, UNRATED)})  # fmt: skip
    add_video(tmp_path, "P1_5_face.mov")
    add_video(tmp_path, "P1_9_face.mov")
    readings = read(tmp_path)
    assert readings["4"].missing == ("no self-assessment", "no P1_4_face.mov")
    assert len(readings["4"].signals) == 2
    assert readings["5"].missing == ("no signals of video 5",)
    assert readings["5"].ratings["valence"] == 8
    assert readings["9"].missing == ("no signals of video 9", "no self-assessment")
    assert str(readings["10"]) == "nothing recorded: empty cell, no ratings, no video"


def test_video_without_a_matrix_is_kept(tmp_path):
    add_video(tmp_path, "P1_4_face.mov")
    (source,) = amigos.discover(tmp_path)
    assert (source.recording_id, source.signals) == ("P01_4", None)
    assert read(tmp_path)["4"].missing == (
        "no signals of video 4",
        "no self-assessment",
        "no external annotation",
    )


def test_ratings_by_self_and_others_have_their_own_order(tmp_path):
    seen = np.array([[1, -0.5, 0.125], [2, 2.5, 0.375]])  # valence strays out of [-1, 1]
    write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))}, seen=seen)
    assert read(tmp_path)["4"].ratings == {
        "arousal": 2, "valence": 8, "dominance": 3, "liking": 4, "familiarity": 5,
        "neutral": 0, "disgust": 1, "happiness": 0, "surprise": 0, "anger": 0, "fear": 0,
        "sadness": 1, "external_valence": 1, "external_arousal": 0.25,
    }  # fmt: skip


def test_missing_ratings_are_told_one_by_one(tmp_path):
    add_video(tmp_path, "P1_4_face.mov")
    write_matrix(
        tmp_path, {"4": (samples(100), rated(2, np.nan))}, seen=np.array([[1, np.nan, 0.5]])
    )
    reading = read(tmp_path)["4"]
    assert reading.missing == ("no valence",)
    assert reading.ratings["arousal"] == 2
    assert {"valence", "external_valence"}.isdisjoint(reading.ratings)
    assert reading.ratings["external_arousal"] == 0.5


def test_long_videos_are_read_when_asked_for(tmp_path):
    videos = {"U1": (samples(300), rated(2, 8)), "4": (samples(100), rated(3, 7))}
    write_matrix(tmp_path, videos | {"N1": (EMPTY, UNRATED)})  # as of P08, P24 and P28
    readings = read(tmp_path, videos=amigos.LONG_VIDEOS)
    assert list(readings) == ["N1", "U1"]
    assert readings["U1"].ratings["arousal"] == 2
    np.testing.assert_allclose(readings["U1"].signals[0].samples, samples(300)[:, 14])
    assert str(readings["N1"]) == "nothing recorded: empty cell, no ratings, no video"


@pytest.mark.parametrize("matrix", ["Data_Preprocessed_P01.mat", "a/Data_Preprocessed_P1.mat"])
@pytest.mark.parametrize("video", ["P1_4_face.mov", "Exp1_P01_face/P01_4_face.mov"])
def test_folders_and_zeros_make_no_difference(tmp_path, matrix, video):
    written = write_matrix(tmp_path / "written", {"4": (samples(100), rated(2, 8))})
    root = tmp_path / "root"
    for path in (root / matrix, root / video, root / f"._{Path(video).name}"):  # one by a Mac
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    shutil.copy(written, root / matrix)
    (source,) = amigos.discover(root)
    assert (source.recording_id, source.video) == ("P01_4", root / video)
    assert read(root)["4"].missing == ()


def bad(channel: int, value: object) -> np.ndarray:
    changed = samples(100)
    changed[:, channel] = value
    return changed


@pytest.mark.parametrize(
    ("cell", "reason", "other"),
    [
        (bad(14, np.nan), "ECG: 896 of 896 samples are NaN", "EDA"),
        (bad(14, 3.0), "ECG is constant at 3", "EDA"),
        (bad(16, np.nan), "EDA: 896 of 896 samples are NaN", "ECG"),
        (
            bad(16, np.linspace(-1, 1, N_TIMES)),
            "EDA: 448 of 896 samples are not above 0 Ohm (least -1); if its offset was removed, "
            "set eda_unit to relative_Ohm",
            "ECG",
        ),
    ],
)
def test_bad_channel_is_left_out_alone(tmp_path, cell, reason, other):
    write_matrix(tmp_path, {"4": (cell, rated(2, 8)), "5": (samples(100), rated(2, 8))})
    readings = read(tmp_path)
    assert [signal.channel for signal in readings["4"].signals] == [other]
    assert readings["4"].missing == (reason, "no P1_4_face.mov")
    assert len(readings["5"].signals) == 2


def test_trial_of_bad_channels_alone_is_excluded(tmp_path):
    cell = samples(100)
    cell[:, [14, 16]] = np.nan
    write_matrix(tmp_path, {"4": (cell, rated(2, 8))})
    with pytest.raises(RecordingError, match=r"^ECG: .* NaN; EDA: .* NaN; no P1_4_face.mov"):
        raise read(tmp_path)["4"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (samples(100)[:, :14], r"\(896, 14\), expected \(samples, 17\)"),
        (samples(100)[:640], r"\(640, 17\)"),  # nothing after the lead-in
        (np.array(["text"]), "expected a matrix of real numbers"),
        (samples(100) * 1j, "expected a matrix of real numbers"),
    ],
)
def test_bad_trial_is_excluded_alone(tmp_path, cell, reason):
    write_matrix(tmp_path, {"4": (cell, rated(2, 8)), "5": (samples(100), rated(2, 8))})
    readings = read(tmp_path)
    with pytest.raises(RecordingError, match=reason):
        raise readings["4"]
    assert len(readings["5"].signals) == 2


def test_nan_in_a_channel_that_is_not_needed_is_harmless(tmp_path):
    write_matrix(tmp_path, {"4": (bad(15, np.nan), rated(2, 8))})
    assert read(tmp_path)["4"].missing == ("no P1_4_face.mov",)


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [(rated(2, 11), "valence is rated 11, outside 1 - 9"), (np.ones((1, 11)), r"\(1, 11\)")],
)
def test_bad_ratings_are_excluded(tmp_path, ratings, reason):
    write_matrix(tmp_path, {"4": (samples(100), ratings)})
    with pytest.raises(RecordingError, match=reason):
        raise read(tmp_path)["4"]


def test_external_annotation_of_another_shape_is_excluded(tmp_path):
    write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))}, seen=np.ones((4, 2)))
    assert str(read(tmp_path)["4"]) == "labels_ext_annotation is (4, 2), expected (n, 3)"


def test_video_id_that_occurs_twice_is_ambiguous(tmp_path):
    ids = np.empty((1, 2), object)
    ids[0, :] = [np.array(["4"])] * 2
    videos = {"4": (samples(1), rated(2, 8)), "5": (samples(2), rated(8, 2))}
    write_matrix(tmp_path, videos, VideoIDs=ids)
    assert "VideoIDs lists 4 in cells [0, 1]" in str(read(tmp_path)["4"])


@pytest.mark.parametrize(
    ("header", "reason"),
    [(b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "save it with -v7"),
     (b"\x89HDF\r\n\x1a\n", "save it with -v7"),
     (b"", "copy it again"),
     (b"PK\x03\x04", "copy it again")],
)  # fmt: skip
def test_file_of_another_kind_costs_its_subject_only(tmp_path, header, reason):
    path = write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))})
    write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))}, number=2)
    path.write_bytes(header.ljust(len(header) and 512))
    sources = amigos.discover(tmp_path)
    assert [s.subject for s in sources] == ["P01"] * 16 + ["P02"]
    for _, error in amigos.read(sources[:16], heart="ECG", eda_unit="Ohm"):
        with pytest.raises(RecordingError, match=reason):
            raise error
    ((_, reading),) = amigos.read(sources[16:], heart="ECG", eda_unit="Ohm")
    assert len(reading.signals) == 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_an_error_of_all_its_trials(tmp_path, share):
    path = write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert all(isinstance(reading, RecordingError) for reading in read(tmp_path).values())


def test_nested_folders_are_searched(tmp_path):
    write_matrix(tmp_path / "again" / "again", {"4": (samples(100), rated(2, 8))})
    assert [s.recording_id for s in amigos.discover(tmp_path)] == ["P01_4"]


def test_two_copies_of_a_file_are_refused(tmp_path):
    path = write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))})
    shutil.copy(path, tmp_path)
    with pytest.raises(DatasetError, match="keep one"):
        amigos.discover(tmp_path)


def test_wrong_root_is_explained(tmp_path):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            amigos.discover(root)
    (tmp_path / "s01.dat").touch()
    with pytest.raises(DatasetError, match="no AMIGOS files; expected Data_Preprocessed_P01"):
        amigos.discover(tmp_path)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"heart": "PPG"}, "heart"),
        ({"heart": None}, "heart"),
        ({"eda_unit": None}, "eda_unit"),
        ({"eda_unit": {"one": "Ohm"}}, "eda_unit"),
    ],
)
def test_params_that_do_not_fit_are_named(tmp_path, options, key):
    write_matrix(tmp_path, {"4": (samples(100), rated(2, 8))})
    with pytest.raises(DatasetError, match=rf"datasets\.<name>\.{key}"):
        read(tmp_path, **options)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.booleans(), st.floats(0, 1), st.binary(min_size=1, max_size=4))
def test_damaged_file_gives_readings_or_reasons(tmp_path_factory, compressed, place, damage):
    root = tmp_path_factory.mktemp("damaged")
    path = write_matrix(root, {"4": (samples(100), rated(2, 8))}, compressed=compressed)
    content = path.read_bytes()
    at = int(place * (len(content) - len(damage)))
    path.write_bytes(content[:at] + damage + content[at + len(damage) :])
    outcomes = read(root).values()
    assert all(isinstance(outcome, Reading | RecordingError) for outcome in outcomes)
