"""The Hume-Reaction adapter on hand-made packs: ids, splits, withheld labels, sound."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets.hume_reaction import adapter as hume, tables
from pipeline_lib.media import DECODED, Look, completed
from pipeline_lib.recordings import DatasetError, Reading, RecordingError
from pipeline_lib.twins.shared.wav import write_wav
from pipeline_lib.video.encode import Track, write_video

CLASSES = ["Adoration", "Amusement", "Anxiety", "Disgust", "Empathic-Pain", "Fear", "Surprise"]
LABELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0]
RATE = 16_000
LATE = 0.3  # s from the first frame to the first sample, which is of AAC's own silence
HUM = Track(np.resize(np.array([0, 9000, 0, -9000], np.int16), RATE), RATE)


def row(file_id: str, split: str, *labels: object) -> dict[str, object]:
    """Of data_info.csv."""
    return {"File_ID": file_id, **dict(zip(CLASSES, labels or LABELS, strict=True)), "Split": split}


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_muse(root: Path, rows: list[dict[str, object]], splits: Mapping[str, str]) -> None:
    folder = root / "c2_muse_reaction"
    labels = [{k: v for k, v in row.items() if k != "Split"} for row in rows]
    write_csv(folder / "labels.csv", labels)
    write_csv(folder / "partition.csv", [{"a": k, "b": 0, "c": v} for k, v in splits.items()])
    write_csv(folder / "feats" / "FAUs" / "00012.csv", [{"File_ID": "[00012]", "t": 0, "AU1": 0.5}])


@pytest.fixture(scope="session")
def media(tmp_path_factory) -> Path:
    """2 s of video at 30 Hz: with sound from the start, with late sound, silent; and 1 s of wav."""
    folder = tmp_path_factory.mktemp("media")
    frames = [np.full((48, 64, 3), 4 * i, np.uint8) for i in range(60)]
    write_video(folder / "sound.mp4", frames, frame_rate=30, sound=HUM)
    late = Track(HUM.samples, RATE, start=LATE + 1024 / RATE)
    write_video(folder / "late.mp4", frames, frame_rate=30, sound=late)
    write_video(folder / "silent.mp4", frames, frame_rate=30)
    write_wav(folder / "sound.wav", HUM)
    return folder


def add(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def read(root: Path, look: Look = DECODED) -> dict[str, Reading | RecordingError]:
    outcomes = hume.read(hume.discover(root), heart=None, eda_unit=None)
    return {source.recording_id: completed(source, o, look) for source, o in outcomes}


def test_clip_is_read_with_its_own_row(tmp_path, media):
    other = [1 - label for label in LABELS]
    write_csv(tmp_path / "data_info.csv", [row("[12]", "Val", *other), row("[00012]", "Train")])
    add(media / "late.mp4", tmp_path / "mp4" / "00012.mp4")
    add(media / "sound.mp4", tmp_path / "mp4" / "12.mp4")
    add(media / "sound.wav", tmp_path / "wav" / "12.wav")
    val, train = hume.discover(tmp_path)
    assert (val.recording_id, val.subject, val.split) == ("12", "12", "validation")
    assert (train.recording_id, train.subject, train.split) == ("00012", "00012", "train")
    assert (train.video.name, train.audio.name, val.audio.name) == (*["00012.mp4"] * 2, "12.wav")
    readings = read(tmp_path)
    assert readings["00012"].ratings == dict(zip(CLASSES, LABELS, strict=True))
    assert list(readings["12"].ratings.values()) == other
    assert (readings["12"].missing, readings["12"].signals) == ((), ())
    assert (readings["12"].video_start, readings["12"].duration) == (0, pytest.approx(2))
    assert readings["12"].audio_start == pytest.approx(0, abs=2e-3)
    assert readings["00012"].audio_start == pytest.approx(LATE, abs=2e-3)


def test_blank_lines_are_no_clips(tmp_path):
    path = write_csv(tmp_path / "data_info.csv", [row("[1]", "Train"), row("[2]", "Val")])
    header, *lines = path.read_text().replace("Split", "Split ").splitlines()
    text = "\r\n".join([header, lines[0], "", "  ", lines[1] + " ", ",,,,,,,,", "", ""])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    first, second = hume.discover(tmp_path)
    assert (first.recording_id, second.recording_id, second.split) == ("1", "2", "validation")
    path.write_text(text + "\n?,,,,,,,,")
    with pytest.raises(DatasetError, match=r"data_info\.csv, line 9: '\?', expected a File_ID"):
        hume.discover(tmp_path)


def test_wav_begins_with_the_sound_track_of_the_clip(tmp_path, media):
    write_csv(tmp_path / "data_info.csv", [row(f"[{i}]", "Train") for i in (1, 2, 3)])
    for number, name in ((1, "late"), (2, "silent")):
        add(media / f"{name}.mp4", tmp_path / "mp4" / f"{number}.mp4")
    for number in (1, 2, 3):
        add(media / "sound.wav", tmp_path / "wav" / f"{number}.wav")
    first, second, third = read(tmp_path).values()
    assert first.audio_start == pytest.approx(LATE, abs=2e-3)
    assert (second.audio_start, third.audio_start) == (0, 0)
    assert (third.video_start, third.duration, third.missing) == (None, 1, ("no 3.mp4",))


@pytest.mark.parametrize("withheld", ["", "nan", "NaN", -1, "-1.0"])
def test_withheld_labels_are_none(tmp_path, media, withheld):
    rows = [row("[1]", "Test", *[withheld] * 7), row("[2]", "Train", *[withheld] * 7)]
    write_csv(tmp_path / "data_info.csv", [*rows, row("[3]", "Test")])
    for number in (1, 2, 3):
        add(media / "sound.mp4", tmp_path / "mp4" / f"{number}.mp4")
    first, second, third = read(tmp_path).values()
    assert (first.ratings, first.missing) == ({}, ("labels withheld",))
    assert (second.ratings, second.missing) == ({}, ("no labels",))
    assert third.ratings["Surprise"] == 1.0


def test_test_clips_need_no_row_in_the_labels_of_the_muse_pack(tmp_path, media):
    splits = {"[00012]": "train", "[00013]": "devel", "[00014]": "test"}
    write_muse(tmp_path, [row("[00013]", "", *LABELS[::-1]), row("[00012]", "")], splits)
    for name in ("00012", "00013", "00014"):
        add(media / "sound.mp4", tmp_path / "elsewhere" / f"{name}.mp4")
    sources = hume.discover(tmp_path)
    assert [source.split for source in sources] == ["train", "validation", "test"]
    readings = read(tmp_path)
    assert readings["00012"].ratings["Adoration"] == 0.1
    assert readings["00013"].ratings["Adoration"] == 1.0
    assert readings["00014"].missing == ("labels withheld",)


def test_features_alone_are_nothing_to_read(tmp_path):
    write_muse(tmp_path, [row("[00012]", "")], {"[00012]": "train"})
    with pytest.raises(RecordingError, match=r"no video, no sound: pack A.*datasets\.<name>\.root"):
        raise read(tmp_path)["00012"]


def test_rows_and_files_that_lack_the_other_are_told(tmp_path, media):
    write_csv(tmp_path / "data_info.csv", [row("[00001]", "Train")])
    add(media / "sound.mp4", tmp_path / "mp4" / "00002.mp4")
    add(media / "sound.wav", tmp_path / "wav" / "00003.wav")
    reasons = {name: str(reason) for name, reason in read(tmp_path).items()}
    assert reasons == {
        "00001": "no video, no sound: neither 00001.mp4 nor 00001.wav",
        "00002": "00002 has no row in data_info.csv",
        "00003": "00003 has no row in data_info.csv",
    }
    assert [source.split for source in hume.discover(tmp_path)] == ["train", None, None]


def test_labels_of_a_clip_in_no_split_are_told(tmp_path, media):
    write_muse(tmp_path, [row("[1]", ""), row("[2]", "")], {"[1]": "train"})
    add(media / "sound.mp4", tmp_path / "2.mp4")
    assert str(read(tmp_path)["2"]) == "2 has no row in partition.csv"


def test_unreadable_clip_costs_itself_only(tmp_path, media):
    write_csv(tmp_path / "data_info.csv", [row(f"[{i}]", "Train") for i in range(1, 4)])
    for number in (1, 2, 3):
        add(media / "sound.mp4", tmp_path / "mp4" / f"{number}.mp4")
    (tmp_path / "mp4" / "1.mp4").write_bytes(b"")
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "2.wav").write_bytes(b"RIFF")
    first, second, third = read(tmp_path).values()
    assert "1.mp4: cannot be read as video" in str(first)
    assert second.audio_start is None
    assert second.missing[0].startswith(f"no sound: {tmp_path}/wav/2.wav: cannot be read")
    assert third.missing == ()


def test_silent_clip_is_partial(tmp_path, media):
    write_csv(tmp_path / "data_info.csv", [row("[1]", "Train")])
    path = add(media / "silent.mp4", tmp_path / "mp4" / "1.mp4")
    reading = read(tmp_path)["1"]
    assert reading.missing == (f"no sound: {path}: no audio stream in it",)
    assert (reading.audio_start, reading.video_start) == (None, 0)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([*LABELS[:6], 1.5], "Surprise is labelled 1.5, outside 0 - 1"),
        ([*LABELS[:6], "inf"], "Surprise is labelled inf"),
        ([*LABELS[:6], "high"], "a label is 'high', expected a number"),
        ([*LABELS[:5], -1, ""], "labels of Fear, Surprise are absent"),
    ],
)
def test_bad_labels_cost_their_clip_only(tmp_path, media, labels, reason):
    write_csv(tmp_path / "data_info.csv", [row("[1]", "Train", *labels), row("[2]", "Train")])
    for number in (1, 2):
        add(media / "sound.mp4", tmp_path / f"{number}.mp4")
    readings = read(tmp_path)
    with pytest.raises(RecordingError, match=reason):
        raise readings["1"]
    assert readings["2"].missing == ()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row("[1]", "Train"), row("[1]", "Val")], r"line 3: \[1\] occurs twice"),
        ([row("[../1]", "Train")], r"line 2: '\[\.\./1\]', expected a File_ID like \[00012\]"),
        ([row("", "Train")], "line 2: None, expected a File_ID"),
        ([row("[1]", "Dev")], r"\[1\] is in split 'Dev', expected one of \['train', 'devel'"),
        ([{"File_ID": "[1]", "Split": "Train"}], r"lacks \['Adoration', .*'Surprise'\]"),
    ],
)
def test_bad_table_is_an_error(tmp_path, rows, reason):
    write_csv(tmp_path / "data_info.csv", rows)
    with pytest.raises(DatasetError, match=rf"data_info\.csv.*{reason}"):
        hume.discover(tmp_path)


def test_table_is_parsed_anew_when_it_changed(tmp_path, media):
    add(media / "sound.mp4", tmp_path / "1.mp4")
    for label in (0.25, 0.75):
        write_csv(tmp_path / "data_info.csv", [row("[1]", "Train", *[label] * 7)])
        assert read(tmp_path)["1"].ratings["Fear"] == label


def test_wrong_root_is_explained(tmp_path, monkeypatch):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            hume.discover(root)
    labels = write_csv(tmp_path / "labels.csv", [row("[1]", "Train")])
    with pytest.raises(DatasetError, match=r"no partition\.csv beside it"):
        hume.discover(tmp_path)
    info = write_csv(tmp_path / "data_info.csv", [row("[1]", "Train")])
    with pytest.raises(DatasetError, match=f"{info} and {labels} are of two packs"):
        hume.discover(tmp_path)
    labels.unlink()
    info.rename(tmp_path / "info.csv")
    with pytest.raises(DatasetError, match="no Hume-Reaction tables"):
        hume.discover(tmp_path)


def test_partition_of_one_column_is_an_error(tmp_path):
    write_csv(tmp_path / "labels.csv", [row("[1]", "Train")])
    write_csv(tmp_path / "partition.csv", [{"id": "[1]"}])
    with pytest.raises(DatasetError, match=r"partition\.csv: has \['id'\], expected File_IDs"):
        hume.discover(tmp_path)


fields = st.text(max_size=12) | st.sampled_from(["[1]", "[00012]", "-1", "nan", "0.5", "Train"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(fields, max_size=10), max_size=5), junk=st.binary(max_size=40))
def test_any_table_is_read_or_refused(tmp_path, lines, junk):
    header = ",".join(["File_ID", *CLASSES, "Split"])
    text = "\n".join([header, *map(",".join, lines)])
    path = tmp_path / "data_info.csv"
    for content in (text.encode("utf-8", "surrogatepass"), header.encode() + junk, junk):
        path.write_bytes(content)
        tables._read_rows.cache_clear()
        try:
            outcomes = read(tmp_path).values()
        except DatasetError as error:
            assert "data_info.csv" in str(error)  # noqa: PT017
        else:
            assert all(isinstance(outcome, RecordingError) for outcome in outcomes)
