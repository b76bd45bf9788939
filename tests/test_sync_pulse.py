"""The pulse is read from the skin's colour alone: not from light, motion or what is beside it."""

import numpy as np
import polars as pl
import pytest

from pipeline_lib.core.schema import LANDMARKS
from pipeline_lib.recordings import RecordingError
from pipeline_lib.sync.pulse import Skin, blood_volume, mean_colour, pos, skin_colour
from pipeline_lib.video.encode import write_video

RATE = 30.0
TIMES = np.arange(600) / RATE
SKIN = np.array([200.0, 140.0, 110.0])  # levels
ABSORBED = np.array([0.33, 0.77, 0.53])  # of each colour's own level (de Haan and van Leest 2014)
PULSE = np.sin(2 * np.pi * 1.2 * TIMES)
INNER = slice(60, -60)


def seen(*, pulse: float, light: float) -> np.ndarray:
    """(n_times, 3): blood takes light, and the lamp flickers at another rate."""
    lamp = 1 + light * np.sin(2 * np.pi * 1.9 * TIMES)
    return SKIN * (1 - pulse * PULSE[:, None] * ABSORBED) * lamp[:, None]


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x[INNER], y[INNER])[0, 1])


def test_pos_finds_the_volume_of_blood():
    assert correlation(pos(seen(pulse=0.01, light=0.0), RATE), PULSE) > 0.999
    # Light that changes ten times as much hides the pulse in each colour, but not in POS.
    flickering = seen(pulse=0.005, light=0.05)
    assert (
        correlation(pos(flickering, RATE), PULSE)
        > 0.9
        > 0.2
        > correlation(-flickering[:, 1], PULSE)
    )


def test_light_alone_is_no_pulse():
    with_pulse = pos(seen(pulse=0.005, light=0.0), RATE).std()
    assert pos(seen(pulse=0.0, light=0.05), RATE).std() < 1e-9 * with_pulse


@pytest.mark.parametrize("rgb", [np.full((600, 3), 7.0), np.ones((5, 3))])
def test_nothing_to_see_is_zero(rgb):
    assert not pos(rgb, RATE).any()


def test_frames_that_are_missing_are_bridged():
    kept = np.random.default_rng(0).random(600) > 0.1
    skin = Skin(TIMES[kept], seen(pulse=0.01, light=0.0)[kept], 0)
    wave, rate = blood_volume(skin)
    assert rate == pytest.approx(RATE)
    assert correlation(wave, PULSE[: len(wave)]) > 0.95
    with pytest.raises(RecordingError, match=r"4 frames with a face in 20 s"):
        blood_volume(Skin(np.array([0.0, 0.03, 0.06, 20.0]), np.ones((4, 3)), 0))


# A face of 100 px around (160, 120), as iBUG's points lie in one.
FACE = np.zeros((68, 2))
FACE[:17] = np.column_stack([np.linspace(-50, 50, 17), 60 * np.cos(np.linspace(-1.5, 1.5, 17))])
FACE[17:27] = np.column_stack([np.linspace(-40, 40, 10), np.full(10, -30)])
FACE[27:36] = [(0, -20), (0, -10), (0, 0), (0, 10), (-8, 14), (-4, 16), (0, 17), (4, 16), (8, 14)]
FACE[36:42] = [(-30, -18), (-24, -22), (-18, -22), (-12, -18), (-18, -14), (-24, -14)]
FACE[42:48] = [(12, -18), (18, -22), (24, -22), (30, -18), (24, -14), (18, -14)]
FACE[48:55] = np.column_stack([np.linspace(-24, 24, 7), np.full(7, 35)])


def at(x: int) -> np.ndarray:
    """Landmarks of the face whose middle is at x, 120."""
    return FACE + np.array([x, 120])


def picture(skin: tuple[int, int, int], shift: int = 0) -> np.ndarray:
    """A face with dark eyes and a red mouth in a green room, `shift` px to the right."""
    image = np.zeros((240, 320, 3), np.uint8)
    image[:] = (0, 200, 0)
    x, y = np.meshgrid(np.arange(320) - 160 - shift, np.arange(240) - 120)
    image[(x / 52) ** 2 + (y / 75) ** 2 < 1] = skin
    image[(np.abs(np.abs(x) - 21) < 10) & (np.abs(y + 18) < 5)] = 0
    image[(np.abs(x) < 20) & (np.abs(y - 36) < 5)] = (255, 0, 0)
    return image


def test_colour_is_that_of_the_skin():
    colour = mean_colour(picture((200, 140, 110)), at(160))
    np.testing.assert_allclose(colour, (200, 140, 110), atol=2)
    np.testing.assert_array_equal(mean_colour(picture((1, 1, 1)), at(1000)), 0)


def openface(places: dict[int, int], *, success: bool = True) -> pl.DataFrame:
    """Rows with a face `shift` px to the right, by frame."""
    rows = [
        {"frame": frame, "success": success}
        | dict(zip(LANDMARKS, at(160 + shift).T.ravel(), strict=True))
        for frame, shift in places.items()
    ]
    return pl.DataFrame(rows)


def test_skin_is_followed_through_every_frame(tmp_path):
    shifts, levels = np.arange(0, 60, 2), np.arange(30) % 5
    frames = [
        picture((200, 100 + 20 * int(level), 110), int(shift))
        for shift, level in zip(shifts, levels, strict=True)
    ]
    write_video(tmp_path / "video.mp4", frames, frame_rate=30)
    skin = skin_colour(tmp_path / "video.mp4", openface({3: 4, 30: 58}))
    np.testing.assert_allclose(skin.times, np.arange(2, 30) / 30, atol=1e-3)
    np.testing.assert_allclose(skin.rgb[:, 1], 100 + 20 * levels[2:], atol=8)
    assert skin.n_repeated == 0


def test_frames_that_show_the_same_are_counted(tmp_path):
    shades = [50, 50, 90, 90, 90, 50, 130]
    frames = [np.full((48, 64, 3), shade, np.uint8) for shade in shades]
    write_video(tmp_path / "video.mp4", frames, frame_rate=30)
    small = openface({1: 0, 7: 0}).with_columns(pl.col(LANDMARKS) / 5)
    assert skin_colour(tmp_path / "video.mp4", small).n_repeated == 3


@pytest.mark.parametrize(
    "rows", [openface({1: 0, 9: 0}, success=False), openface({5: 0}), openface({1: 999, 9: 999})]
)
def test_too_few_faces_are_an_error(tmp_path, rows):
    write_video(tmp_path / "video.mp4", [picture((200, 140, 110))] * 9, frame_rate=30)
    with pytest.raises(RecordingError, match="too few for a pulse"):
        skin_colour(tmp_path / "video.mp4", rows)
