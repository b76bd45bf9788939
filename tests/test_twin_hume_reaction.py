"""The Hume-Reaction twin: both packs as other readers see them, its traps, voice and effect."""

import csv
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.io import wavfile

from metrics.bootstrap import interval, resamples
from metrics.regression import moments, of_moments
from pipeline_lib import params
from pipeline_lib.datasets.hume_reaction import adapter as layout
from pipeline_lib.media import DECODED, completed
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.hume_reaction import intensities, writer
from pipeline_lib.twins.shared import faces, voice
from pipeline_lib.twins.shared.plan import plan
from pipeline_lib.video.encode import Track
from tests.contents import hashes

CLASSES = ["Adoration", "Amusement", "Anxiety", "Disgust", "Empathic-Pain", "Fear", "Surprise"]
TWIN = params.Twin(
    subjects=5, trials=3, seconds=5.0, effect=0.8, traps="all", seed=3, width=96, height=64
)


@pytest.fixture(scope="module")
def root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "hume_reaction"
    writer.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


@pytest.fixture(scope="module")
def muse(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "hume_reaction"
    writer.write(root, twin=TWIN, clips=clips, jobs=1, pack="muse")
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def outcomes(root: Path):
    read = layout.read(layout.discover(root), heart=None, eda_unit=None)
    return [(source, completed(source, reading, DECODED)) for source, reading in read]


def planted() -> dict[str, tuple[int, int]]:
    """File_ID -> valence and arousal."""
    trials = writer.deal(TWIN)
    names = writer._file_ids(trials, np.random.default_rng([3, 5]))
    return {names[t.subject, t.trial]: (t.valence, t.arousal) for t in trials}


def test_table_is_that_of_the_abaw_pack(root):
    table = rows(root / "data_info.csv")
    assert list(table[0]) == ["File_ID", *CLASSES, "Split"]
    assert len(table) == 14  # and a clip that has no row
    ids = [row["File_ID"] for row in table]
    assert all(len(name) == 7 and name[0] + name[-1] == "[]" for name in ids)
    assert any(name.startswith("[00") for name in ids)
    splits = [row["Split"] for row in table]
    assert [splits.count(split) for split in ("Train", "Val", "Test")] == [9, 2, 3]
    withheld = {row[name] for row in table if row["Split"] == "Test" for name in CLASSES}
    assert withheld == {"", "nan", "-1"}


def test_labels_follow_the_plan(root):
    for row in rows(root / "data_info.csv"):
        if row["Split"] == "Test":
            continue
        valence, arousal = planted()[row["File_ID"][1:-1]]
        strong = {name: float(row[name]) >= 0.6 for name in CLASSES}
        assert all(0 <= float(row[name]) <= 1 for name in CLASSES)
        assert (strong["Amusement"], strong["Disgust"]) == (valence == 1, valence == 0)
        assert strong["Surprise"] == (arousal == 1)
        assert strong["Fear"] == strong["Anxiety"] == (valence == 0 and arousal == 1)


def test_clips_have_sound_that_others_read(root):
    whole = {path.stem for path in root.glob("mp4/*.mp4")} & {
        path.stem for path in root.glob("wav/*.wav") if path.stat().st_size
    }
    checked = 0
    for name in whole:
        rate, samples = wavfile.read(root / "wav" / f"{name}.wav")
        try:
            container = av.open(str(root / "mp4" / f"{name}.mp4"))
        except av.error.InvalidDataError:
            continue
        with container:
            (video,), (audio,) = container.streams.video, container.streams.audio
            assert (video.codec_context.name, video.average_rate) == ("h264", 30)
            assert (audio.codec_context.name, audio.rate) == ("aac", rate)
            assert (video.width, video.height) == (96, 64)
            assert len(list(container.decode(video=0))) == 150
            container.seek(0)
            track = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        assert samples.dtype == np.int16
        assert 4.7 * rate < samples.size <= 5 * rate
        assert samples.astype(float).std() > 500
        assert np.corrcoef(track[: samples.size], samples)[0, 1] > 0.9
        checked += 1
    assert checked == 8


def test_index_is_the_table_but_for_the_traps(root):
    bad, lacking = {}, []
    for source, reading in outcomes(root):
        if isinstance(reading, RecordingError):
            bad[source.recording_id] = str(reading)
        else:
            lacking += reading.missing
    assert len(bad) == 2
    for reason in ("no video, no sound", "has no row in data_info.csv"):
        assert sum(reason in text for text in bad.values()) == 1
    assert sum("cannot be read as video" in text for text in lacking) == 1  # its sound can
    partial = [text.split(":")[0] for text in lacking]
    assert partial.count("no sound") == 2  # a clip without any, and a broken .wav
    assert sum(text.startswith("no ") and text.endswith(".mp4") for text in partial) == 1
    assert partial.count("labels withheld") == 2


def test_late_sound_is_found(root):
    starts = [
        reading.audio_start
        for _, reading in outcomes(root)
        if not isinstance(reading, RecordingError) and reading.audio_start is not None
    ]
    late = [start for start in starts if start > 0.1]
    assert late == [pytest.approx(0.25 - 1024 / 22_050, abs=2e-3)]  # AAC begins with silence
    assert all(start == pytest.approx(0, abs=2e-3) for start in starts if start not in late)


def test_muse_pack_has_features_only(muse):
    folder = muse / "c2_muse_reaction"
    labels, partition = rows(folder / "labels.csv"), rows(folder / "partition.csv")
    assert list(labels[0]) == ["File_ID", *CLASSES]
    assert len(partition) == 15 > len(labels)  # withheld labels may have no row at all
    assert {list(row.values())[-1] for row in partition} == {"train", "devel", "test"}
    for name, width in (("FAUs", 20), ("DeepSpectrum", 1024), ("VGGFace2", 512), ("eGeMAPS", 88)):
        files = sorted((folder / "feats" / name).glob("*.csv"))
        assert [f"[{path.stem}]" for path in files] == [
            next(iter(row.values())) for row in partition
        ]
        assert len(rows(files[0])[0]) == 2 + width
    for _, error in outcomes(muse):
        assert "pack A carries features only" in str(error)


def test_same_params_same_bytes(muse, clips, tmp_path):
    writer.write(tmp_path / "muse", twin=TWIN, clips=clips, jobs=1, pack="muse")
    assert hashes(tmp_path / "muse") == hashes(muse)


def test_twin_says_that_it_is_synthetic(root):
    notice = (root / "SYNTHETIC.md").read_text()
    assert "layout of Hume-Reaction" in notice
    assert "eSpeak NG" in notice


def pitch(track: Track) -> float:
    """Hz, median over voiced windows, by autocorrelation."""
    found, samples, rate = [], track.samples, track.sampling_rate
    width = rate // 20
    for start in range(0, samples.size - width, width):
        window = samples[start : start + width].astype(float)
        window -= window.mean()
        correlation = np.correlate(window, window, "full")[width - 1 :]
        lags = np.arange(rate // 400, rate // 70)
        best = lags[correlation[lags].argmax()]
        if correlation[0] > width * 1e5 and correlation[best] > 0.5 * correlation[0]:
            found.append(rate / best)
    return float(np.median(found))


@pytest.mark.parametrize("timbre", voice.TIMBRES)
def test_aroused_voices_are_quicker_and_higher(timbre):
    speaker = voice.Speaker(timbre, pitch=45)
    calm, aroused = (voice.say(voice.LINES[2], speaker, m) for m in (voice.CALM, voice.AROUSED))
    assert aroused.samples.size < 0.8 * calm.samples.size
    assert pitch(aroused) > 1.1 * pitch(calm)


def test_speech_lasts_as_long_as_it_is_asked_to():
    rng = np.random.default_rng(0)
    track = voice.speak(voice.draw_speaker(rng), aroused=1, seconds=7.2, rng=rng)
    assert track.samples.size == round(7.2 * track.sampling_rate)
    loud = np.abs(track.samples.astype(float)) > 300
    assert 0.3 < loud.mean() < 0.95
    assert loud[-track.sampling_rate :].any()


def test_the_same_line_is_the_same_sound():
    speaker = voice.Speaker("en-us+f2", pitch=50)
    first, again = (voice.say("Look at that.", speaker, voice.CALM) for _ in range(2))
    np.testing.assert_array_equal(first.samples, again.samples)


def test_unknown_voice_is_an_error():
    with pytest.raises(RuntimeError, match=r"'Hm\.' cannot be said: eSpeak NG has no voice nobody"):
        voice.say("Hm.", voice.Speaker("nobody", pitch=50), voice.CALM)


def shown_and_labelled(*, effect, subjects=250, seed=0):
    """Levels (n, 2) of face and voice, and labels by class (n,), of 4 clips a subject."""
    trials = plan(subjects=subjects, trials=4, effect=effect, seed=seed)
    rng = np.random.default_rng(seed)
    reactions = [intensities.draw(trial, rng) for trial in trials]
    labels = [
        intensities.label(reaction, trial, effect=effect, rng=rng)
        for reaction, trial in zip(reactions, trials, strict=True)
    ]
    levels = np.array([(reaction.face, reaction.voice) for reaction in reactions])
    return levels, {name: np.array([of[name] for of in labels]) for name in CLASSES}


def linear_model(columns, labels):
    """Estimates of the second half by a linear model of the first."""
    x, half = np.column_stack([np.ones(len(labels)), *columns]), len(labels) // 2
    weights, *_ = np.linalg.lstsq(x[:half], labels[:half])
    return x[half:] @ weights


@pytest.mark.parametrize("effect", [1.0, 0.9])
def test_a_linear_model_of_the_levels_comes_to_the_best_possible(effect):
    levels, labels = shown_and_labelled(effect=effect)
    face, voice_level = levels.T
    least = intensities.planted(face, voice_level)
    for what in ("face", "voice", "both"):
        for name, best in intensities.best_pearson(effect)[what].items():
            columns = {"face": [face], "voice": [voice_level], "both": [*levels.T, least[name]]}
            estimates = linear_model(columns[what], labels[name])[:, None]
            truth = labels[name][500:, None]
            sums = moments(truth, estimates, np.array([f"{i:03d}" for i in range(500)]))
            drawn = of_moments(resamples(500, n_resamples=500, seed=0) @ sums)[0]
            low, high = interval(drawn, confidence=0.999, n_subjects=500)
            assert low <= best <= high, (what, name)


def test_the_full_set_beats_each_part_and_no_effect_is_nothing():
    mean = {what: np.mean([*of.values()]) for what, of in intensities.best_pearson(0.9).items()}
    assert mean["both"] > mean["face"] + 0.2 > mean["voice"] + 0.3
    found = intensities.best_pearson(0.9)
    assert found["voice"]["Amusement"] == found["voice"]["Disgust"] == found["face"]["Surprise"]
    assert found["face"]["Surprise"] == pytest.approx(0, abs=1e-9)
    assert all(b == 0 for of in intensities.best_pearson(0.0).values() for b in of.values())
    levels, labels = shown_and_labelled(effect=0.0)
    columns = [*levels.T, levels.prod(axis=1), *(np.abs(levels.T - 0.5))]
    for name in CLASSES:
        estimates = linear_model(columns, labels[name])
        assert abs(np.corrcoef(estimates, labels[name][500:])[0, 1]) < 0.12  # 2.7 / sqrt(500)


@pytest.mark.parametrize(("effect", "turned"), [(0.0, 6), (0.5, 3), (1.0, 0)])
def test_cues_say_as_much_in_each_split(effect, turned):
    trials = writer.deal(TWIN.model_copy(update={"subjects": 16, "effect": effect}))
    assert [(t.subject, t.trial) for t in trials] == [(s, t) for s in range(16) for t in range(3)]
    for split, n in (("Train", 2), ("Val", 1), ("Test", 1)):
        own = [t for t in trials if writer._split(t.subject, subjects=16) == split]
        assert len(own) == 12 * n
        assert sum(t.face != t.valence for t in own) == turned * n
        assert sum(t.body != t.arousal for t in own) == turned * n


def test_a_clip_shows_the_high_expression_for_its_share_of_the_time():
    dark, bright = (np.full((96, 64), value, np.uint8) for value in (10, 200))
    film = faces.Film({"low": [dark] * 5, "high": [bright] * 5}, frame_rate=30)
    for intensity, n_high in ((0.0, 0), (0.25, 30), (1.0, 120)):
        frames = [frame[0, 0] for frame in writer._react(film, intensity, seconds=4, offset=0.3)]
        assert frames == [10] * (120 - n_high) + [200] * n_high


def test_a_voice_is_as_quick_and_high_as_it_is_aroused():
    speaker = voice.Speaker("en-us+f2", pitch=45)
    tracks = [voice.say(voice.LINES[2], speaker, voice.manner(level)) for level in (0, 0.5, 1)]
    assert voice.manner(0) == voice.CALM
    assert voice.manner(1) == voice.AROUSED
    lengths, pitches = [t.samples.size for t in tracks], [*map(pitch, tracks)]
    assert lengths == sorted(lengths, reverse=True)
    assert pitches == sorted(pitches)
