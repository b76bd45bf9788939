"""The StressID adapter on hand-made tables: columns, gaps, ratings, and files of another kind."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets.stressid import adapter as stressid, labels, physiological
from pipeline_lib.recordings import DatasetError, Reading, RecordingError

NAME = "2ea4_Math"
SIGNALS = "ECG,EDA,RR\n0.5,4,1\n1.5,5,2\n2.5,8,3\n"
ASKED = "Tasks;2ea4;1e44\nMath_relax;2;9\nMath_stress;7;0\nMath_valence;3;8\nMath_arousal;8;1\n"
RATED = {"stress": 7, "relax": 2, "valence": 3, "arousal": 8, "stress_binary": 1, "affect3": 2}
OPTIONS = {"heart": "ECG", "eda_unit": "uS"}


def add(root: Path, name: str, content: str | bytes = SIGNALS) -> Path:
    """A file where StressID has it; the name is <subject>_<task>.<ending>."""
    folder = {".mp4": "Videos", ".wav": "Audio"}.get(Path(name).suffix, "Physiological")
    path = root / folder / name.split("_")[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def add_media(root: Path, name: str = NAME) -> None:
    add(root, f"{name}.mp4", "")
    add(root, f"{name}.wav", "")


def read(root: Path, **options) -> dict[str, Reading | RecordingError]:
    return {
        source.recording_id: reading
        for source in stressid.discover(root)
        for _, reading in stressid.read([source], **OPTIONS | options)
    }


def test_task_is_a_recording(tmp_path):
    add(tmp_path, f"{NAME}.csv")
    add_media(tmp_path)
    (tmp_path / "self_assessments.csv").write_text(ASKED)
    (source,) = stressid.discover(tmp_path)
    assert (source.recording_id, source.subject, source.trial) == (NAME, "2ea4", "Math")
    assert (source.stimulus, source.order) == ("Math", None)
    assert source.tables == (tmp_path / "self_assessments.csv",)
    reading = read(tmp_path)[NAME]
    ecg, eda = reading.signals
    assert (ecg.channel, ecg.sampling_rate, ecg.start) == ("ECG", 500, 0)
    np.testing.assert_array_equal(ecg.samples, [0.5, 1.5, 2.5])
    assert (eda.channel, eda.unit) == ("EDA", "uS")
    np.testing.assert_array_equal(eda.samples, [4, 5, 8])
    assert (reading.video_start, reading.audio_start, reading.duration) == (0, 0, 3 / 500)
    assert (reading.ratings, reading.missing) == (RATED, ())
    assert all(isinstance(rating, float) for rating in reading.ratings.values())


@pytest.mark.parametrize(
    "content",
    [
        "RR,EDA,ECG\n1,4,0.5\n2,5,1.5\n",
        "\ufeff ,ecg,ECG,ecg,EDA\r\n0,9,0.5,9,4\r\n1,9,1.5,9,5\r\n",
        '"ECG","EDA","RR"\n0.5,4,1\n1.5,5,2',
        "ECG,EDA,RR\n0.5,4,broken\n1.5,5\n",  # respiration is not read
        'ECG,EDA,RR\n0.5,4,"\n1.5,5,2\n',  # a quote closes nothing
        "ECG, EDA, RR\r\n 0.5, 4, 1\r\n1.5 ,5 ,2\r\n\r\n",
    ],
)
def test_columns_are_found_by_name(tmp_path, content):
    add(tmp_path, f"{NAME}.txt", content)
    ecg, eda = read(tmp_path)[NAME].signals
    np.testing.assert_array_equal(ecg.samples, [0.5, 1.5])
    np.testing.assert_array_equal(eda.samples, [4, 5])


@pytest.mark.parametrize("gap", ["", "NaN", "nan"])
def test_channel_with_a_gap_is_left_out_and_told(tmp_path, gap):
    add(tmp_path, f"{NAME}.csv", f"ECG,EDA,RR\n0.5,4,1\n{gap},5,{gap}\n2.5,8,3\n")
    add_media(tmp_path)
    reading = read(tmp_path)[NAME]
    assert [signal.channel for signal in reading.signals] == ["EDA"]
    assert reading.missing == ("ECG: 1 of 3 samples are NaN", "no ratings")


def test_without_anything_to_use_there_is_no_recording(tmp_path):
    add(tmp_path, f"{NAME}.csv", "ECG,EDA,RR\n,4,1\n,4,2\n")
    reason = "ECG: 2 of 2 samples are NaN; EDA is constant at 4; no ratings"
    with pytest.raises(RecordingError, match=reason):
        raise read(tmp_path)[NAME]


def test_gap_in_respiration_is_harmless(tmp_path):
    add(tmp_path, f"{NAME}.csv", "ECG,EDA,RR\n0.5,4,\n1.5,5,\n")
    assert len(read(tmp_path)[NAME].signals) == 2


def test_resistance_becomes_conductance(tmp_path):
    add(tmp_path, f"{NAME}.csv")
    _, eda = read(tmp_path, eda_unit="Ohm")[NAME].signals
    np.testing.assert_allclose(eda.samples, [250_000, 200_000, 125_000])
    assert (eda.unit, eda.source_unit) == ("uS", "Ohm")


def test_files_of_a_task_that_others_did_are_missed(tmp_path):
    for name in ("2ea4_Math.csv", "2ea4_Relax.csv", "1e44_Relax.txt", "._9zzz_Math.csv"):
        add(tmp_path, name)
    add_media(tmp_path, "1e44_Relax")
    readings = read(tmp_path)
    assert list(readings) == ["1e44_Math", "1e44_Relax", "2ea4_Math", "2ea4_Relax"]
    assert readings["1e44_Relax"].missing == ("no ratings",)
    assert readings["2ea4_Relax"].missing == ("no ratings", "no 2ea4_Relax.mp4")  # silent
    assert readings["2ea4_Math"].missing[-1] == "no 2ea4_Math.wav"
    assert "no 1e44_Math.csv" in str(readings["1e44_Math"])


def test_video_without_signals_is_kept(tmp_path):
    add_media(tmp_path)
    reading = read(tmp_path)[NAME]
    assert reading.missing == (f"no {NAME}.csv", "no ratings")
    assert (reading.signals, reading.duration) == ((), None)


@pytest.mark.parametrize(("stress", "binary"), [(0, 0), (4, 0), (4.9, 0), (5, 1), (10, 1)])
def test_stress_begins_in_the_middle_of_the_scale(stress, binary):
    assert labels.stress_binary(stress=stress) == binary


@pytest.mark.parametrize(
    ("valence", "arousal", "stress", "relax", "affect"),
    [
        (8, 2, 0, 9, 0),
        (5, 2, 0, 9, 1),  # the middle is on neither side
        (8, 5, 0, 9, 1),
        (8, 2, 0, 5, 1),
        (2, 8, 9, 0, 2),
        (5, 8, 9, 0, 1),
        (2, 5, 9, 0, 1),
        (2, 8, 5, 0, 1),
        (8, 8, 9, 0, 1),  # excited, stressed, but pleased
    ],
)
def test_three_classes_of_affect(valence, arousal, stress, relax, affect):
    found = labels.affect3(valence=valence, arousal=arousal, stress=stress, relax=relax)
    assert found == affect


@pytest.mark.parametrize(
    ("name", "table", "ratings"),
    [
        ("self_assessments", ASKED, RATED),
        ("self_assessments", ASKED.replace("\n", "\r\n") + ";;\n", RATED),
        ("self_assessments", "Tasks;2ea4\nMath_stress;5\nMath_valence;\nMath_age;31\n",
         {"stress": 5, "stress_binary": 1}),
        ("labels", "subject/task,binary-stress,affect3-class\n2ea4_Math,1,1\n1e44_Math,0,0\n",
         {"binary-stress": 1, "affect3-class": 1}),
        ("labels", ",subject/task,Valence,Arousal\n0,2ea4_Math,6,7\n",
         {"valence": 6, "arousal": 7}),
        ("labels", "Subject;Task;Stress\n2ea4;Relax;8\n2ea4;Math;3\n",
         {"stress": 3, "stress_binary": 0}),
    ],
)  # fmt: skip
def test_tables_of_ratings(tmp_path, name, table, ratings):
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / f"{name}.csv").write_bytes(table.encode("utf-8-sig"))
    assert read(tmp_path)[NAME].ratings == ratings


def test_blank_lines_are_no_rows(tmp_path):
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / "labels.csv").write_bytes(b"id , stress\r\n\r\n , \r\n2ea4_Math, 3\r\n \r\n,\r\n")
    assert read(tmp_path)[NAME].ratings == {"stress": 3, "stress_binary": 0}


def test_both_tables_count(tmp_path):
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / "labels.csv").write_text("subject/task,binary-stress\n2ea4_Math,0\n")
    (tmp_path / "self_assessments.csv").write_text(ASKED)
    assert read(tmp_path)[NAME].ratings == {"binary-stress": 0} | RATED


def test_rating_of_one_target_is_kept_and_the_other_missed(tmp_path):
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / "labels.csv").write_text("id,valence,arousal\n2ea4_Math,n/a,7\n")
    reading = read(tmp_path)[NAME]
    assert reading.ratings == {"arousal": 7}
    assert reading.missing[0] == "no valence"


def test_rating_outside_its_scale_costs_one_recording(tmp_path):
    for task in ("Math", "Relax"):
        add(tmp_path, f"2ea4_{task}.csv")
    (tmp_path / "labels.csv").write_text("id,relax\n2ea4_Math,11\n2ea4_Relax,10\n")
    readings = read(tmp_path)
    assert str(readings["2ea4_Math"]) == "relax is rated 11, outside 0 - 10"
    assert readings["2ea4_Relax"].ratings == {"relax": 10}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "an empty table"),
        ("subject/task,stress\n2ea4_Math,high\n", r"line 2: stress of 2ea4_Math is 'high'"),
        ("subject/task,stress\n2ea4_Math,inf\n", "is 'inf', expected a number"),
        ("subject/task,stress\n2ea4_Math,3\n2ea4_Math,4\n", "line 3: stress of 2ea4_Math occurs"),
        ("subject/task,stress\n2ea4_Math\n", "line 2: 1 cells under 2 columns"),
        ("subject/task,mood\n2ea4_Math,3\n", r"columns .*'mood'.*, expected some of .*'stress'"),
        ("number,stress\n17,3\n", "none holds names such as 2ea4_Math"),
        ("Tasks;2ea4\nMath_stress;3\nMath_stress;4\n", "line 3: stress of 2ea4_Math occurs twice"),
        ("Tasks;2ea4\nMath_stress;3;4\n", "line 2: 3 cells under 2 columns"),
        ('id,stress,note\n2ea4_Math,3,"so so\n2ea4_Relax,4,\n', "not a readable table"),
        ("\x00\udcff", "not a readable table"),
    ],
)
def test_wrong_table_is_an_error_of_the_whole_set(tmp_path, table, reason):
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / "labels.csv").write_bytes(table.encode(errors="surrogateescape"))
    with pytest.raises(DatasetError, match=rf"labels\.csv.*{reason}"):
        stressid.discover(tmp_path)


def test_large_table_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "MAX_BYTES", 10)
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / "labels.csv").write_text(ASKED)
    with pytest.raises(DatasetError, match=rf"{len(ASKED)} bytes, above the limit of 10"):
        stressid.discover(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", r"begins with b'', expected columns with one each of \('ECG', 'EDA'\)"),
        ("0.5,4,1\n1.5,5,2\n", "begins with b'0.5,4,1'"),
        ("ECG,RR\n0.5,1\n", "begins with b'ECG,RR'"),
        ("ECG,EDA,EDA\n0.5,4,1\n", "begins with"),
        ("x" * 5000 + ",ECG,EDA\n", "begins with"),
        ("ECG,EDA,RR\n0.5,four,1\n", "of numbers"),
        ("ECG,EDA,RR\n0.5,4,1,1\n", "of numbers"),
        ('ECG,EDA,RR\n",4,1\n', "of numbers"),
        (b"ECG,EDA,RR\n\xff\xfe,4,1\n", "of numbers"),
        (gzip.compress(SIGNALS.encode(), mtime=0), "begins with"),
    ],
)
def test_file_of_another_kind_costs_its_recording_only(tmp_path, content, reason):
    add(tmp_path, f"{NAME}.csv", content)
    add(tmp_path, "2ea4_Relax.csv")
    readings = read(tmp_path)
    with pytest.raises(RecordingError, match=rf"^2ea4_Math\.csv: .*{reason}"):
        raise readings[NAME]
    assert len(readings["2ea4_Relax"].signals) == 2


def test_large_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(physiological, "MAX_BYTES", 10)
    add(tmp_path, f"{NAME}.csv")
    assert str(read(tmp_path)[NAME]) == f"{NAME}.csv: {len(SIGNALS)} bytes, above the limit of 10"


def test_folder_in_place_of_a_file_is_told(tmp_path):
    (tmp_path / "labels.csv").mkdir()
    add(tmp_path, f"{NAME}.csv").unlink()
    (source,) = [stressid.Source(NAME, "2ea4", "Math", "Math", None, tmp_path, None)]
    ((_, error),) = stressid.read([source], **OPTIONS)
    assert str(error).endswith("cannot be read (Is a directory)")


def test_file_without_rows_has_empty_channels(tmp_path):
    add(tmp_path, f"{NAME}.csv", "ECG,EDA,RR\n")
    assert "ECG is empty; EDA is empty" in str(read(tmp_path)[NAME])


def test_two_copies_of_a_file_are_refused(tmp_path):
    add(tmp_path, f"{NAME}.csv")
    add(tmp_path, f"{NAME}.txt")
    with pytest.raises(DatasetError, match="keep one"):
        stressid.discover(tmp_path)


def test_wrong_root_is_explained(tmp_path):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            stressid.discover(root)
    (tmp_path / "self_assessments.csv").write_text(ASKED)
    with pytest.raises(DatasetError, match="no StressID files; expected Physiological/2ea4"):
        stressid.discover(tmp_path)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"heart": "PPG"}, "heart"),
        ({"heart": None}, "heart"),
        ({"eda_unit": None}, "eda_unit"),
        ({"eda_unit": {"one": "uS"}}, "eda_unit"),
    ],
)
def test_params_that_do_not_fit_are_named(tmp_path, options, key):
    add(tmp_path, f"{NAME}.csv")
    with pytest.raises(DatasetError, match=rf"datasets\.<name>\.{key}"):
        read(tmp_path, **options)


def mutate(content: bytes, place: float, damage: bytes) -> bytes:
    at = int(place * len(content))
    return content[:at] + damage + content[at + len(damage) :]


mutations = given(st.floats(0, 1), st.binary(min_size=1, max_size=6))
many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@many
@mutations
def test_damaged_signals_give_a_reading_or_a_reason(tmp_path, place, damage):
    add(tmp_path, f"{NAME}.csv", mutate(SIGNALS.encode(), place, damage))
    assert isinstance(read(tmp_path)[NAME], Reading | RecordingError)


@many
@mutations
def test_damaged_table_gives_ratings_or_a_reason(tmp_path, place, damage):
    add(tmp_path, f"{NAME}.csv")
    (tmp_path / "labels.csv").write_bytes(mutate(ASKED.encode(), place, damage))
    try:
        reading = read(tmp_path)[NAME]
    except DatasetError as error:
        assert "labels.csv" in str(error)  # noqa: PT017
    else:
        assert isinstance(reading, Reading | RecordingError)


@many
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_no_signals(tmp_path, content):
    add(tmp_path, f"{NAME}.csv", b"ECG,EDA,RR\n" + content)
    assert isinstance(read(tmp_path)[NAME], Reading | RecordingError)
