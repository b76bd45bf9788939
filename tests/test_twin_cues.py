"""The planted cues can be seen by independent means: MediaPipe in faces, peaks in signals."""

import numpy as np
import pytest
from scipy.signal import butter, find_peaks, sosfiltfilt

from pipeline_lib.twins.shared import faces, physiology

RATE, LEAD_IN, SECONDS = 128.0, 5.0, 20.0
SPAN = {"lead_in": LEAD_IN, "seconds": SECONDS, "sampling_rate": RATE}


def beats_a_minute(x: np.ndarray, *, high: float) -> float:
    sos = butter(3, [0.7, high], "bandpass", fs=RATE, output="sos")
    clean = sosfiltfilt(sos, x)
    peaks, _ = find_peaks(clean, height=0.4 * np.quantile(clean, 0.995), distance=int(0.4 * RATE))
    return float(60 * RATE / np.median(np.diff(peaks)))


@pytest.mark.parametrize(("channel", "high"), [("ECG", 30.0), ("PPG", 4.0)])
def test_arousal_raises_the_heart_rate_after_onset(channel, high):
    rises = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        body = physiology.draw_body(channel, seconds=LEAD_IN + SECONDS, rng=rng)
        calm, aroused = (
            physiology.heart(body, aroused=cue, **SPAN, rng=rng)[int((LEAD_IN + 3) * RATE) :]
            for cue in (0, 1)
        )
        assert len(calm) == (SECONDS - 3) * RATE
        assert beats_a_minute(calm, high=high) == pytest.approx(body.heart_rate, abs=6)
        rises.append(beats_a_minute(aroused, high=high) - beats_a_minute(calm, high=high))
    assert 23 < np.median(rises) < 37


def test_arousal_brings_skin_conductance_responses():
    seen = {0: [], 1: []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        body = physiology.draw_body("PPG", seconds=1.0, rng=rng)
        eda = physiology.skin_conductance(body, aroused=seed % 2, **SPAN, rng=rng)
        assert eda.min() > 0.5  # uS, so that its resistance is finite
        smooth = sosfiltfilt(butter(2, 1.0, fs=RATE, output="sos"), eda)
        before, after = np.split(smooth, [int(LEAD_IN * RATE)])
        assert np.ptp(before) < 0.3 * body.response
        peaks, _ = find_peaks(after, prominence=0.3 * body.response)
        seen[seed % 2].append(len(peaks))
    assert set(seen[0]) <= {0, 1}
    assert set(seen[1]) <= {2, 3}


def test_disturbances_are_added():
    time = np.arange(0, 20, 1 / RATE)
    options = {"hum": 0.1, "drift": 0.0, "time": time}
    noise = physiology.disturb(np.zeros(len(time)), **options, rng=np.random.default_rng(5))
    spectrum = 2 * np.abs(np.fft.rfft(noise)) / len(time)
    assert spectrum[50 * 20] == pytest.approx(0.1, rel=0.1)


@pytest.fixture(scope="module")
def landmarker(asset):
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(asset("face_landmarker"))),
        output_face_blendshapes=True,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    yield landmarker
    landmarker.close()


def smiles(landmarker, images) -> list[float]:
    """How much each face smiles, 0 - 1; images without a face are left out."""
    import mediapipe as mp
    from av import VideoFrame

    found = []
    for image in images:
        rgb = VideoFrame.from_ndarray(image, format="yuv420p").to_ndarray(format="rgb24")
        result = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(rgb)))
        for shapes in result.face_blendshapes:
            score = {shape.category_name: shape.score for shape in shapes}
            found.append((score["mouthSmileLeft"] + score["mouthSmileRight"]) / 2)
    return found


@pytest.mark.parametrize(("subject", "size"), [(0, (320, 180)), (3, (240, 192))])
def test_faces_are_found_and_show_the_cue(asset, landmarker, subject, size):
    look = faces.draw_look(subject, np.random.default_rng(subject))
    film = faces.shoot(look, asset(look.actor.clip), width=size[0], height=size[1])
    options = {"seconds": 8.0, "frame_rate": 5, "offset": 0.3}
    shown = {
        name: smiles(landmarker, faces.play(film, name, **options)) for name in ("low", "high")
    }
    assert min(map(len, shown.values())) > 0.85 * 40
    assert np.mean(shown["high"]) > 0.25 + np.mean(shown["low"])


def test_films_are_played_to_and_fro():
    film = faces.Film({"low": list("abcd")}, frame_rate=10.0)
    played = faces.play(film, "low", seconds=0.8, frame_rate=10, offset=0.0)
    assert "".join(played) == "abcdcbab"


def test_mirrored_subject_is_the_other_one_from_behind(asset):
    look = faces.draw_look(3, np.random.default_rng(0))
    clip = asset(look.actor.clip)
    one, other = (
        faces.shoot(faces.Look(**{**vars(look), "mirrored": mirrored}), clip, width=64, height=48)
        for mirrored in (False, True)
    )
    luma = [film.frames["calm"][0][:48].astype(float) for film in (one, other)]
    assert np.abs(luma[0][:, ::-1] - luma[1]).mean() < 3 < np.abs(luma[0] - luma[1]).mean()
