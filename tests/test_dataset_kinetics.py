"""The Kinetics-400 adapter on hand-made trees: odd ids, folders, replacements, speed."""

import shutil
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets import files
from pipeline_lib.datasets.kinetics import adapter as kinetics
from pipeline_lib.media import DECODED, Look, completed
from pipeline_lib.recordings import DatasetError, Reading, RecordingError
from pipeline_lib.video.encode import write_video

HEADER = "label,youtube_id,time_start,time_end,split"
ODD_IDS = ("-bcdefghijk", "_bcdefghijk", "--cd_fgh_jk", "a_000001_00", "abcdefghij_", "___________")


def annotate(root: Path, split: str, *rows: str, header: str = HEADER) -> None:
    path = root / "annotations" / f"{split}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """2 s of video."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    frames = [np.full((48, 64, 3), 4 * i, np.uint8) for i in range(60)]
    write_video(path, frames, frame_rate=30)
    return path


def add(clip: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(clip, target)
    return target


def read(root: Path, look: Look = DECODED) -> dict[str, Reading | RecordingError]:
    outcomes = kinetics.read(kinetics.discover(root), heart=None, eda_unit=None)
    return {source.recording_id: completed(source, o, look) for source, o in outcomes}


@pytest.mark.parametrize("video", ODD_IDS)
def test_odd_ids_are_the_first_eleven_characters(tmp_path, video):
    touch(tmp_path / "k400" / "train" / f"{video}_000012_000022.mp4")
    annotate(tmp_path / "k400", "train", f'"playing guitar",{video},12,22,train')
    (source,) = kinetics.discover(tmp_path)
    assert (source.subject, source.trial) == (f"yt_{video}", "000012_000022")
    assert source.recording_id == f"yt_{video}_000012_000022"
    assert (source.stimulus, source.split) == ("playing guitar", "train")
    assert source.video.name == f"{video}_000012_000022.mp4"


def test_clips_of_one_video_keep_their_rows(tmp_path):
    rows = ('"running, slowly",abcdefghijk,1,11,val', "crying,abcdefghijk,40,50,val")
    annotate(tmp_path, "val", *rows)
    for times in ("000040_000050", "000001_000011"):
        touch(tmp_path / "val" / f"abcdefghijk_{times}.mp4")
    first, second = kinetics.discover(tmp_path)
    assert (first.trial, first.stimulus) == ("000001_000011", "running, slowly")
    assert (second.trial, second.stimulus) == ("000040_000050", "crying")
    assert (first.split, first.subject) == ("validation", second.subject)


def test_folders_tell_class_and_split(tmp_path):
    touch(tmp_path / "train" / "playing guitar" / "abcdefghijk_000001_000011.mp4")
    touch(tmp_path / "val" / "shooting goal (soccer)" / "bbcdefghijk_000001_000011.mp4")
    touch(tmp_path / "test" / "test" / "cbcdefghijk_000001_000011.mp4")  # unzipped in itself
    found = [(source.stimulus, source.split) for source in kinetics.discover(tmp_path)]
    assert found == [
        ("playing guitar", "train"),
        ("shooting goal (soccer)", "validation"),
        ("n/a", "test"),
    ]
    assert kinetics.discover(tmp_path / "train")[0].stimulus == "playing guitar"


def test_replacement_is_taken_before_the_original(tmp_path, clip):
    annotate(tmp_path, "train", "crying,abcdefghijk,1,11,train")
    name = "abcdefghijk_000001_000011.mp4"
    touch(tmp_path / "train" / name)  # corrupt
    add(clip, tmp_path / "replacement" / "replacement_for_corrupted_k400" / name)
    (source,) = kinetics.discover(tmp_path)
    assert source.video.parent.name == "replacement_for_corrupted_k400"
    assert (source.stimulus, source.split) == ("crying", "train")
    (reading,) = read(tmp_path).values()
    assert (reading.video_start, reading.duration) == (0, pytest.approx(2))
    assert (reading.missing, reading.ratings, reading.signals) == ((), {}, ())


def test_replacement_among_the_class_folders_keeps_class_and_split(tmp_path, clip):
    name = "abcdefghijk_000001_000011.mp4"
    touch(tmp_path / "train" / "crying" / name)
    add(clip, tmp_path / "train" / "replacement_for_corrupted_k400" / name)
    (source,) = kinetics.discover(tmp_path)
    assert (source.stimulus, source.split) == ("crying", "train")
    assert read(tmp_path)[source.recording_id].missing == ()


def test_corrupt_clip_costs_itself_only(tmp_path, clip):
    folder = tmp_path / "train" / "crying"
    add(clip, folder / "abcdefghijk_000001_000011.mp4")
    broken = add(clip, folder / "bbcdefghijk_000001_000011.mp4")
    broken.write_bytes(broken.read_bytes()[:2000])
    touch(folder / "cbcdefghijk_000001_000011.mp4")
    first, second, third = read(tmp_path).values()
    assert first.missing == ()
    for error in (second, third):
        with pytest.raises(RecordingError, match=r"_000011\.mp4: cannot be read as video"):
            raise error


def test_rows_and_files_that_lack_the_other_are_told(tmp_path, clip):
    annotate(tmp_path, "train", "crying,abcdefghijk,1,11,train")
    annotate(tmp_path, "test", "crying,xbcdefghijk,1,11,test")  # nothing of this split is there
    add(clip, tmp_path / "train" / "bbcdefghijk_000001_000011.mp4")
    add(clip, tmp_path / "elsewhere" / "cbcdefghijk_000001_000011.mp4")
    first, second, third = read(tmp_path).values()
    assert str(first) == "no abcdefghijk_000001_000011.mp4, and no replacement of it"
    assert second.missing == ("no class",)
    assert third.missing == ("no class", "no split")


def test_file_named_after_its_video_alone_takes_its_only_row(tmp_path):
    annotate(tmp_path, "train", "crying,abcdefghijk,1,11,train")
    touch(tmp_path / "train" / "abcdefghijk.mp4")
    touch(tmp_path / "train" / "bbcdefghijk.mp4")
    first, second = kinetics.discover(tmp_path)
    assert (first.recording_id, first.stimulus) == ("yt_abcdefghijk_000001_000011", "crying")
    assert (second.recording_id, second.trial) == ("yt_bbcdefghijk", "clip")
    annotate(tmp_path, "val", "crying,abcdefghijk,30,40,val")
    with pytest.raises(DatasetError, match=r"abcdefghijk\.mp4: is it .*_000011 or .*_000040\?"):
        kinetics.discover(tmp_path)


def test_the_official_split_wins_over_the_folder(tmp_path):
    annotate(tmp_path, "test", "crying,abcdefghijk,1,11,test")
    touch(tmp_path / "train" / "laughing" / "abcdefghijk_000001_000011.mp4")
    (source,) = kinetics.discover(tmp_path)
    assert (source.stimulus, source.split) == ("crying", "test")


def test_lists_for_training_are_no_annotations(tmp_path):
    touch(tmp_path / "train" / "playing guitar" / "abcdefghijk_000001_000011.mp4")
    (tmp_path / "train.csv").write_text("train/playing guitar/abcdefghijk_000001_000011.mp4 0\n")
    (source,) = kinetics.discover(tmp_path)
    assert source.stimulus == "playing guitar"


def test_one_file_in_two_places_is_refused_unless_it_is_a_link(tmp_path):
    name = "abcdefghijk_000001_000011.mp4"
    first = touch(tmp_path / "train" / name)
    second = tmp_path / "train" / "crying" / name
    second.parent.mkdir()
    second.symlink_to(first)
    (source,) = kinetics.discover(tmp_path)
    assert source.video == first
    second.unlink()
    second.touch()
    with pytest.raises(DatasetError, match="both claim the same place; keep one"):
        kinetics.discover(tmp_path)


def test_links_that_go_round_in_circles_end(tmp_path):
    touch(tmp_path / "train" / "crying" / "abcdefghijk_000001_000011.mp4")
    for name in ("a", "b"):
        (tmp_path / "train" / "crying" / name).symlink_to(tmp_path)
    assert len(kinetics.discover(tmp_path)) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("crying,../../../../x,1,11,train", "line 2: expected a youtube_id"),
        ("crying,abcdefghijk,one,11,train", "line 2: expected a youtube_id, time_start"),
        ("crying,abcdefghijk,-1,11,train", "line 2: expected"),
        ("crying,abcdefghijk,1,11,holdout", "a split of .'train', 'val'"),
        ("crying,abcdefghijk,1,11", "line 2: expected"),
        ("a,abcdefghijk,1,11,train\nb,abcdefghijk,1,11,train", "line 3: .* occurs twice"),
    ],
)
def test_bad_annotation_is_an_error(tmp_path, row, reason):
    touch(tmp_path / "train" / "abcdefghijk_000001_000011.mp4")
    annotate(tmp_path, "train", row)
    with pytest.raises(DatasetError, match=rf"train\.csv, {reason}|train\.csv.*{reason}"):
        kinetics.discover(tmp_path)


def test_blank_lines_are_no_clips(tmp_path):
    touch(tmp_path / "train" / "abcdefghijk_000001_000011.mp4")
    row = "crying,abcdefghijk, 1,11 ,train"
    annotate(tmp_path, "train", row, "", ",,,,", " ", header="\ufeff" + HEADER.replace(",", " ,"))
    assert [source.stimulus for source in kinetics.discover(tmp_path)] == ["crying"]
    annotate(tmp_path, "train", "", row, row)
    with pytest.raises(DatasetError, match=r"line 4: abcdefghijk_000001_000011 occurs twice"):
        kinetics.discover(tmp_path)


def test_column_that_is_missing_is_named(tmp_path):
    touch(tmp_path / "train" / "abcdefghijk_000001_000011.mp4")
    annotate(tmp_path, "train", "crying,abcdefghijk,1,11", header="label,id,time_start,time_end")
    with pytest.raises(DatasetError, match=r"train\.csv: lacks \['youtube_id', 'split'\]"):
        kinetics.discover(tmp_path)


def test_table_too_large_is_not_read(tmp_path, monkeypatch):
    touch(tmp_path / "train" / "abcdefghijk_000001_000011.mp4")
    annotate(tmp_path, "train", "crying,abcdefghijk,1,11,train")
    monkeypatch.setattr(files, "MAX_TABLE", 50)
    with pytest.raises(DatasetError, match=r"train\.csv: 73 bytes, above the 50 of a table"):
        kinetics.discover(tmp_path)


def test_wrong_root_is_explained(tmp_path):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            kinetics.discover(root)
    touch(tmp_path / "train" / "intro.mp4")
    with pytest.raises(DatasetError, match="no Kinetics clips"):
        kinetics.discover(tmp_path)


def test_large_trees_are_indexed_fast_and_in_little_memory(tmp_path):
    """306,245 clips in 60 s and 1 GiB, in proportion."""
    n_clips = 20_000
    (tmp_path / "train").mkdir()
    videos = [f"{i:09d}_-" for i in range(n_clips)]
    for video in videos:
        (tmp_path / "train" / f"{video}_000001_000011.mp4").touch()
    annotate(tmp_path, "train", *(f"crying,{video},1,11,train" for video in videos))
    started = time.process_time()
    assert len(kinetics.discover(tmp_path)) == n_clips
    assert time.process_time() - started < 60 * n_clips / 306_245
    tracemalloc.start()
    kinetics.discover(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**30 * n_clips / 306_245


fields = st.text(max_size=14) | st.sampled_from(["abcdefghijk", "1", "11", "train", "-1", '"'])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(fields, max_size=6), max_size=5), junk=st.binary(max_size=40))
def test_any_annotations_are_read_or_refused(tmp_path, lines, junk):
    touch(tmp_path / "train" / "abcdefghijk_000001_000011.mp4")
    annotate(tmp_path, "train")
    text = "\n".join([HEADER, *map(",".join, lines)])
    for content in (text.encode("utf-8", "surrogatepass"), HEADER.encode() + junk, junk):
        (tmp_path / "annotations" / "train.csv").write_bytes(content)
        try:
            outcomes = read(tmp_path).values()
        except DatasetError as error:
            assert "train.csv" in str(error)  # noqa: PT017
        else:
            assert all(isinstance(outcome, RecordingError) for outcome in outcomes)
