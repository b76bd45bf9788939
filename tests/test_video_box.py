"""The box around the face: steady, where the face is, and by rule where there is none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from pipeline_lib.core.schema import LANDMARKS
from pipeline_lib.face.feature_extraction import WRITTEN, main as extract
from pipeline_lib.face.openface_csv import read_csv
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.box import MAX_GAP, face_boxes, gaps, steady
from pipeline_lib.video.steadiness import main as report, share_inside, trembling

Floats = npt.NDArray[np.float64]

RATE = 25
TIMES = np.arange(250) / RATE
EDGE = 40.0  # px
CLIPS = ("talking", "neutral_then_smiling", "sad_then_laughing")


def track(x: Floats, *, without: slice = slice(0, 0)) -> Floats:
    """Boxes whose centre moves along x; NaN in the frames without a face."""
    boxes = np.stack([x, np.full_like(x, 60.0), np.full_like(x, EDGE), np.zeros_like(x)], axis=1)
    boxes[without] = np.nan
    return boxes


def ramp(times: Floats = TIMES) -> Floats:
    return 60 + 8 * times


def landmarks(points: Floats, *, success: list[bool]) -> pl.DataFrame:
    """Rows with these landmarks, (n_frames, 2, 68) px."""
    columns = dict(zip(LANDMARKS, points.reshape(len(points), -1).T, strict=True))
    table = pl.DataFrame({"success": success, **columns})
    return table.select("success", pl.when("success").then(pl.col(LANDMARKS)))


def oval(turned: float) -> Floats:
    """A face of 30 by 40 px about (100, 80) whose eyes lie level before it is turned, rad."""
    around = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([15 * np.cos(around), 20 * np.sin(around)])
    points[:, 36:42], points[:, 42:48] = [[-7.0], [-5.0]], [[7.0], [-5.0]]
    cosine, sine = np.cos(turned), np.sin(turned)
    middle = np.array([[100.0], [80.0]])
    return np.asarray(np.array([[cosine, -sine], [sine, cosine]]) @ points + middle)


@pytest.fixture(scope="module")
def rows(
    asset: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pl.DataFrame]:
    """What the embedded extractor sees in real clips."""
    out = tmp_path_factory.mktemp("openface")
    words = [word for name in CLIPS for word in ("-f", str(asset(name)), "-of", name)]
    model = str(asset("face_landmarker"))
    assert extract(["-q", "-fps", "15", "-model", model, "-out_dir", str(out), *words]) == WRITTEN
    return {name: read_csv(out / f"{name}.csv") for name in CLIPS}


@pytest.mark.parametrize("name", CLIPS)
def test_on_real_clips_an_eighth_of_the_trembling_is_left(
    rows: dict[str, pl.DataFrame], name: str
) -> None:
    times = rows[name]["timestamp"].to_numpy()
    raw = face_boxes(rows[name], align="none")
    centre, edge = trembling(steady(raw, times, smoothing=2.0), times)
    raw_centre, raw_edge = trembling(raw, times)
    assert centre < raw_centre / 8
    assert edge < raw_edge / 8
    assert max(centre, edge) < 0.003 * raw[:, 2].mean()


@pytest.mark.parametrize("name", CLIPS)
def test_on_real_clips_the_box_follows_the_face(rows: dict[str, pl.DataFrame], name: str) -> None:
    times = rows[name]["timestamp"].to_numpy()
    boxes = steady(face_boxes(rows[name], align="none"), times, smoothing=2.0)
    assert share_inside(rows[name], boxes, margin=0.0) > 0.94
    assert share_inside(rows[name], boxes, margin=0.05) > 0.99
    assert share_inside(rows[name], boxes, margin=0.6) == 1.0


@pytest.mark.parametrize(("period", "share"), [(1.0, 1 / 17), (2.0, 1 / 2), (4.0, 16 / 17)])
def test_half_of_a_movement_of_the_smoothing_period_is_taken_up(
    period: float, share: float
) -> None:
    wave = 5 * np.sin(2 * np.pi * TIMES / period)
    found = steady(track(60 + wave), TIMES, smoothing=2.0)[:, 0] - 60
    middle = slice(2 * RATE, -2 * RATE)  # the ends have neighbours on one side only
    np.testing.assert_allclose(found[middle], share * wave[middle], atol=0.1)


def test_even_movement_is_followed_without_lag_at_any_rate() -> None:
    for n_frames in (50, 250):
        times = np.linspace(0, 10, n_frames)
        found = steady(track(ramp(times)), times, smoothing=2.0)
        np.testing.assert_allclose(found, track(ramp(times)), atol=1e-4)


def test_a_variable_frame_rate_bends_no_straight_path() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.1, 200))
    found = steady(track(ramp(times)), times, smoothing=2.0)
    np.testing.assert_allclose(found[:, 0], ramp(times), atol=1e-4)


def test_times_that_stand_still_are_no_error() -> None:
    times = TIMES.copy()
    times[100] = times[99]
    assert np.abs(steady(track(ramp()), times, smoothing=2.0)[:, 0] - ramp()).max() < 1.0


def test_noise_and_a_detection_elsewhere_move_nothing() -> None:
    noisy = track(ramp())
    noisy[:, :3] += np.random.default_rng(0).normal(0, 1.0, (len(TIMES), 3))
    noisy[100, :2] += 80
    found = steady(noisy, TIMES, smoothing=2.0)
    assert np.abs(found[:, 0] - ramp()).max() < 1.0
    assert trembling(found, TIMES)[0] < 0.01 * trembling(noisy, TIMES)[0]


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        (slice(0, 30), np.maximum(ramp(), ramp()[30])),  # start: waits where the face will be
        (slice(220, 250), np.minimum(ramp(), ramp()[219])),  # end: stays where it was
        (slice(100, 120), ramp()),  # short gap in the middle: straight on
        (slice(100, 160), np.where(TIMES[130] > TIMES, np.minimum(ramp(), ramp()[99]),
                                   np.maximum(ramp(), ramp()[160]))),  # long: the nearer one
    ],
    ids=["start", "end", "short", "long"],
)  # fmt: skip
def test_frames_without_a_face_have_a_rule(without: slice, expected: Floats) -> None:
    found = steady(track(ramp(), without=without), TIMES, smoothing=2.0)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-3)
    np.testing.assert_allclose(found[:, 2], EDGE)


def test_a_gap_is_long_from_the_limit_on() -> None:
    for n_lost, held in ((RATE - 1, False), (RATE, True)):
        assert (n_lost + 1) / RATE > MAX_GAP or not held
        found = steady(track(ramp(), without=slice(100, 100 + n_lost)), TIMES, smoothing=2.0)
        assert (abs(found[105, 0] - ramp()[99]) < 1e-3) == held


def test_a_cut_is_not_crossed_by_a_gliding_box() -> None:
    two_shots = np.where(TIMES[100] > TIMES, 60.0, 140.0)
    found = steady(track(two_shots), TIMES, smoothing=2.0)
    np.testing.assert_allclose(found[:, 0], two_shots, atol=1e-6)


def test_a_few_frames_are_enough_and_none_is_an_error() -> None:
    lonely = steady(track(ramp(), without=slice(2, 250)), TIMES, smoothing=2.0)
    np.testing.assert_allclose(lonely[:, 0], ramp()[:2].mean())
    one = steady(track(ramp())[:1], TIMES[:1], smoothing=2.0)
    np.testing.assert_allclose(one, track(ramp())[:1])
    with pytest.raises(RecordingError, match="no frame has a face"):
        steady(track(ramp(), without=slice(0, 250)), TIMES, smoothing=2.0)


def test_gap_is_the_time_to_the_nearest_face() -> None:
    seen = np.array([False, True, False, False, False, True])
    times = np.array([0.0, 0.1, 0.2, 0.4, 0.5, 0.6])
    np.testing.assert_allclose(gaps(seen, times), [0.1, 0, 0.1, 0.2, 0.1, 0])


@pytest.mark.parametrize("turned", [-0.4, 0.0, 0.3])
def test_an_aligned_box_turns_with_the_eyes_and_fits_as_the_upright_one(turned: float) -> None:
    table = landmarks(np.stack([oval(turned), oval(0.0)]), success=[True, False])
    boxes = face_boxes(table, align="roll")
    np.testing.assert_allclose(boxes[0], [100, 80, 40, turned], atol=0.05)
    assert np.isnan(boxes[1]).all()


def test_an_upright_box_holds_all_landmarks() -> None:
    table = landmarks(oval(0.3)[None], success=[True])
    boxes = face_boxes(table, align="none")
    assert boxes[0, 3] == 0
    assert share_inside(table, boxes, margin=0.0) == 1.0
    assert share_inside(table, boxes, margin=-0.1) < 1.0


def test_trembling_is_the_second_difference() -> None:
    zigzag = track(60 + 0.5 * (-1.0) ** np.arange(250))
    assert trembling(zigzag, TIMES) == pytest.approx((2.0, 0.0))  # 0.5, -0.5, 0.5: bends by 2
    assert trembling(track(ramp()), TIMES) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_the_command_prints_before_and_after(
    asset: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, video = str(asset("face_landmarker")), str(asset("talking"))
    extract(
        ["-q", "-fps", "10", "-model", model, "-f", video, "-of", "x", "-out_dir", str(tmp_path)]
    )
    report([str(tmp_path / "x.csv")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines[1:]] == [["x", "raw"], ["x", "steady"]]
    assert float(lines[2][2]) < float(lines[1][2])
