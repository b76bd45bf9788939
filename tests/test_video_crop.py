"""Crops: whole clips at the right times, around the face, without trembling."""

from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from PIL import Image

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import CROPS, LANDMARKS, LEDGER, OPENFACE, validate
from pipeline_lib.incremental import Result
from pipeline_lib.params import Crop
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.clips import clip_times, nearest
from pipeline_lib.video.crop import crop_recording, cut, share_outside
from pipeline_lib.video.encode import write_video

Floats = npt.NDArray[np.float64]

RATE, SECONDS = 25, 10
WIDTH, HEIGHT, FACE = 160, 120, 40  # px
TIMES = np.arange(RATE * SECONDS) / RATE
PARAMS = Crop(
    clip_seconds=4.0,
    clip_frames=16,
    large=0.5,
    small=0.0,
    smoothing=1.0,
    size={"tiny": 64},
    jpeg_quality=95,
)
RECORDING: dict[str, Any] = {
    "recording_id": "s1_1",
    "subject": "s1",
    "video": "face.mp4",
    "video_start": -1.0,
}


def openface_rows(centres: Floats, *, success: list[bool] | None = None) -> pl.DataFrame:
    """Rows with landmarks on the outline of a square of FACE px around each centre (x, y)."""
    around = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    outline = np.clip(np.stack([np.cos(around), np.sin(around)]) * 2, -1, 1) * FACE / 2
    landmarks = (centres[:, :, None] + outline).reshape(len(centres), -1)
    known = dict(zip(LANDMARKS, landmarks.T, strict=True))
    found = pl.Series(success or [True] * len(centres))
    return pl.DataFrame(
        {
            "recording_id": RECORDING["recording_id"],
            "frame": np.arange(len(centres)) + 1,
            "time": TIMES[: len(centres)],
            "success": found,
            "backend": "embedded",
            **{name: known.get(name) for name in OPENFACE if name in known},
            **{name: 0.0 for name in OPENFACE if name.startswith(("AU", "gaze", "pose", "conf"))},
        }
    ).select(
        pl.when("success").then(pl.col(name)).cast(dtype).alias(name)
        if name in known
        else pl.col(name).cast(dtype)
        for name, dtype in OPENFACE.items()
    )


def still(n_frames: int) -> Floats:
    return np.tile([WIDTH / 2, HEIGHT / 2], (n_frames, 1))


def crop(
    tmp_path: Path,
    rows: pl.DataFrame,
    *,
    status: str = "ok",
    reason: str = "",
    n_frames: int = len(TIMES),
    window_start: float = 0.0,
    align: Literal["none", "roll"] = "none",
) -> Result:
    """Crop a video that is blue with a red square of FACE px in its middle."""
    image = np.full((HEIGHT, WIDTH, 3), [0, 0, 255], np.uint8)
    edge = FACE // 2
    middle_y, middle_x = HEIGHT // 2, WIDTH // 2
    image[middle_y - edge : middle_y + edge, middle_x - edge : middle_x + edge] = [255, 0, 0]
    write_video(tmp_path / "face.mp4", [image] * n_frames, frame_rate=RATE)
    ledger = [{"recording_id": "s1_1", "subject": "s1", "status": status, "reason": reason}]
    tables.write_table(
        pl.DataFrame(ledger, schema=dict(LEDGER)), paths.ledger(tmp_path / "openface")
    )
    tables.write_table(rows, tables.shard(tmp_path / "openface", "s1"))
    return crop_recording(
        RECORDING,
        root=tmp_path,
        openface=tmp_path / "openface",
        window_start=window_start,
        crop=PARAMS.model_copy(update={"align": align}),
        size=32,
    )


def pixels(jpeg: bytes) -> npt.NDArray[np.int64]:
    return np.asarray(Image.open(BytesIO(jpeg)), dtype=np.int64)


def test_clips_are_whole_and_evenly_spaced() -> None:
    found = clip_times(TIMES - 1.0, window_start=0.0, seconds=4.0, n_frames=16)
    np.testing.assert_allclose(found, np.arange(32).reshape(2, 16) * 0.25)
    assert clip_times(TIMES[:90], window_start=0.0, seconds=4.0, n_frames=16).shape == (0, 16)


def test_the_first_clip_waits_for_the_video() -> None:
    found = clip_times(TIMES + 1.5, window_start=0.0, seconds=4.0, n_frames=16)
    assert found[:, 0].tolist() == [1.5, 5.5]


def test_a_clip_may_lack_a_frame_at_its_end_but_not_a_quarter() -> None:
    for n_missing, n_clips in ((0, 1), (3, 1), (25, 0)):
        times = TIMES[: 4 * RATE - n_missing]
        found = clip_times(times, window_start=0.0, seconds=4.0, n_frames=16)
        assert len(found) == n_clips


def test_nearest_is_the_argmin_of_distances() -> None:
    targets = np.linspace(-1, 11, 77).reshape(7, 11)
    times = np.sort(np.random.default_rng(0).uniform(0, 10, 40))
    expected = np.abs(targets[..., None] - times).argmin(-1)
    np.testing.assert_array_equal(nearest(times, targets), expected)


def test_crops_have_the_times_of_the_trial(tmp_path: Path) -> None:
    result = crop(tmp_path, openface_rows(still(len(TIMES))))
    table = validate(result.table, CROPS, "crops")  # type: ignore[arg-type]
    assert table.height == 2 * 2 * 16  # margins, clips, frames
    large = table.filter(crop="large")
    assert large["clip"].to_list() == [0] * 16 + [1] * 16
    assert large["position"].to_list() == [*range(16)] * 2
    # 25 Hz has a frame within 20 ms of each quarter of a second.
    np.testing.assert_allclose(large["time"], np.arange(32) * 0.25, atol=0.0201)
    np.testing.assert_allclose(large["time"], (large["frame"] - 1) / RATE - 1.0, atol=1e-9)
    assert (result.status, result.frames, result.faces) == ("ok", 32, 32)


def test_the_small_crop_is_the_face_and_the_large_one_shows_what_is_around(tmp_path: Path) -> None:
    table = crop(tmp_path, openface_rows(still(len(TIMES)))).table
    assert table is not None
    small = pixels(table.filter(crop="small")["jpeg"][0])
    large = pixels(table.filter(crop="large")["jpeg"][0])
    assert small.shape == large.shape == (32, 32, 3)
    is_red = [(image[..., 0] > image[..., 2]) for image in (small, large)]
    assert is_red[0].mean() > 0.95
    assert is_red[1].mean() == pytest.approx(1 / 4, abs=0.05)  # margin 0.5: twice the edge
    assert is_red[1][9:23, 9:23].all()


def test_frames_without_a_face_are_marked_and_take_the_box_between(tmp_path: Path) -> None:
    success = [not 50 <= i < 60 for i in range(len(TIMES))]
    result = crop(tmp_path, openface_rows(still(len(TIMES)), success=success))
    assert result.table is not None
    small = result.table.filter(crop="small")
    expected = [success[frame - 1] for frame in small["frame"]]
    assert small["face"].to_list() == expected
    assert not all(expected)
    assert all(pixels(jpeg)[..., 0].mean() > 200 for jpeg in small["jpeg"])
    assert result.faces == sum(expected)
    away = [0 if 1 <= f <= 50 or f > 60 else min(f - 50, 61 - f) for f in small["frame"]]
    seconds = np.array(away) / RATE
    np.testing.assert_allclose(small["gap"], seconds, atol=1e-6)


def test_where_the_crop_lies_is_recorded(tmp_path: Path) -> None:
    table = crop(tmp_path, openface_rows(still(len(TIMES)))).table
    assert table is not None
    for name, edge, outside in (("small", FACE, 0.0), ("large", 2 * FACE, 0.0)):
        of_crop = table.filter(crop=name)
        found = of_crop.select("x", "y", "edge", "roll", "outside").unique().row(0)
        assert found == pytest.approx((WIDTH / 2, HEIGHT / 2, edge, 0.0, outside), abs=0.1)


def test_a_face_at_the_border_is_letterboxed_and_that_is_recorded(tmp_path: Path) -> None:
    at_the_corner = np.tile([FACE / 2, FACE / 2], (len(TIMES), 1))
    table = crop(tmp_path, openface_rows(at_the_corner)).table
    assert table is not None
    large = table.filter(crop="large")
    np.testing.assert_allclose(large["outside"], 1 - 0.75**2, atol=0.02)
    np.testing.assert_allclose(table.filter(crop="small")["outside"], 0, atol=0.05)
    picture = pixels(large["jpeg"][0])
    assert picture[:7].max() < 30  # a quarter of 32 px: black
    assert picture[9:, 9:, 2].min() > 200  # then the blue picture


def test_beyond_the_picture_is_black() -> None:
    white = Image.new("RGB", (100, 60), (255, 255, 255))
    corner = np.asarray(cut(white, np.array([0.0, 0.0, 40.0, 0.0]), margin=0.0, size=20))
    assert (corner[:9, :] == 0).all()
    assert (corner[:, :9] == 0).all()
    assert (corner[11:, 11:] == 255).all()


@pytest.mark.parametrize("turned", [-0.5, 0.2])
def test_a_turned_crop_sets_a_turned_picture_upright(turned: float) -> None:
    upright = np.zeros((200, 200, 3), np.uint8)
    upright[70:100, 60:140] = [255, 0, 0]
    upright[100:130, 60:140] = [0, 255, 0]
    rotated = Image.fromarray(upright).rotate(-np.rad2deg(turned), Image.Resampling.BICUBIC)
    box = np.array([100.0, 100.0, 60.0, turned])
    found = np.asarray(cut(rotated, box, margin=0.2, size=42), dtype=float)
    expected = cut(
        Image.fromarray(upright), np.array([100.0, 100.0, 60.0, 0.0]), margin=0.2, size=42
    )
    assert np.abs(found - np.asarray(expected)).mean() < 6
    assert found.shape == (42, 42, 3)


def test_aligned_crops_hold_the_eyes_level(tmp_path: Path) -> None:
    rows = openface_rows(still(len(TIMES)))
    tilted = rows.with_columns(  # the outline is a square; these are its eyes
        *(pl.lit(70.0 + 4 * (i >= 42), dtype=pl.Float32).alias(f"x_{i}") for i in range(36, 48)),
        *(pl.lit(60.0 + 3 * (i >= 42), dtype=pl.Float32).alias(f"y_{i}") for i in range(36, 48)),
    )
    table = crop(tmp_path, tilted, align="roll").table
    assert table is not None
    np.testing.assert_allclose(table["roll"], np.arctan2(3, 4), atol=1e-5)


def test_share_outside_is_of_the_area() -> None:
    picture = {"width": 100, "height": 60}
    for box, share in (
        ([50.0, 30.0, 40.0, 0.0], 0.0),
        ([0.0, 30.0, 40.0, 0.0], 0.5),
        ([0.0, 0.0, 40.0, 0.7], 0.75),  # a corner shows a quarter, however it is turned
        ([-50.0, 30.0, 40.0, 0.0], 1.0),
    ):
        found = share_outside(np.array(box), margin=0.0, **picture)
        assert found == pytest.approx(share, abs=0.01)


def test_a_box_moves_by_fractions_of_a_pixel() -> None:
    ramp = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2)
    picture = Image.fromarray(ramp)
    levels = [
        np.asarray(cut(picture, np.array([x, 30.0, 40.0, 0.0]), margin=0.0, size=4)).mean()
        for x in (50.0, 50.5, 51.0)
    ]
    np.testing.assert_allclose(np.diff(levels), 0.5, atol=0.13)


def test_a_part_stays_a_part(tmp_path: Path) -> None:
    rows = openface_rows(still(140))
    result = crop(tmp_path, rows, status="partial", reason="140 of 250 frames", n_frames=140)
    assert (result.status, result.reason) == ("partial", "140 of 250 frames")
    assert result.table is not None
    assert result.table["clip"].max() == 0


def test_what_cannot_be_cropped_says_why(tmp_path: Path) -> None:
    nothing = pl.DataFrame(schema=dict(OPENFACE))
    no_face = crop(tmp_path, nothing, status="failed", reason="face in 2 of 90")
    assert (no_face.status, no_face.reason) == ("excluded", "no face to crop: face in 2 of 90")
    short = crop(tmp_path, openface_rows(still(len(TIMES))), window_start=6.0)
    assert (short.status, short.table) == ("excluded", None)
    assert "no whole clip of crop.clip_seconds = 4 s" in short.reason
    with pytest.raises(RecordingError, match="no frame has a face"):
        crop(tmp_path, openface_rows(still(len(TIMES)), success=[False] * len(TIMES)))
