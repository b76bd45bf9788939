"""One person is followed, and success tells frame by frame whether the face was really seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from face_clips import (
    Picture,
    altered,
    black,
    covered,
    first_face,
    pictures,
    resized,
    side_by_side,
    sightings,
    success,
    turned,
)
from PIL import Image, ImageFilter
from scipy.spatial.transform import Rotation

from pipeline_lib.face.confidence import SUCCESS_ABOVE
from pipeline_lib.face.detector import face_detector
from pipeline_lib.face.landmarker import DetectionError, Face, face_tracker
from pipeline_lib.face.tracking import Follower
from pipeline_lib.video.decode import Frame
from pipeline_lib.video.encode import write_video

Asset = Callable[[str], Path]
N = 8


@pytest.fixture(scope="module")
def model(asset: Asset) -> Path:
    return asset("face_landmarker")


@pytest.fixture(scope="module")
def man(asset: Asset) -> list[Picture]:
    return pictures(asset("neutral_then_smiling"), range(0, 3 * N))


@pytest.fixture(scope="module")
def woman(asset: Asset) -> list[Picture]:
    return pictures(asset("sad_then_laughing"), range(245, 245 + 3 * N))


def place(clip: list[Picture], model: Path) -> list[int | None]:
    """Half of the picture in which the face is, by frame; None without success."""
    faces: list[Face | None] = [sighting.face for sighting in sightings(clip, model)]
    width = clip[0].shape[1]
    return [None if f is None else int(f.points[:, 0].mean() > width / 2) for f in faces]


def test_success_begins_and_ends_with_the_face(asset: Asset, model: Path) -> None:
    # The pictures change between 95 and 96, and between 71 and 72.
    entering = success(pictures(asset("face_enters"), range(84, 102)), model)
    assert entering == [False] * 12 + [True] * 6
    leaving = success(pictures(asset("face_leaves"), range(66, 80)), model)
    assert leaving == [True] * 6 + [False] * 8


def test_letters_in_the_sky_are_no_face(asset: Asset, model: Path) -> None:
    assert not any(success(pictures(asset("no_face"), range(60, 95, 2)), model))


def test_nothing_is_invented_in_a_gap(man: list[Picture], model: Path) -> None:
    gap = [*man[:N], *black(man[N : 2 * N]), *man[2 * N :]]
    assert success(gap, model) == [True] * N + [False] * N + [True] * N


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_half_hidden_face_is_no_success(
    man: list[Picture], woman: list[Picture], model: Path, side: str
) -> None:
    for clip in (man[:N], woman[:N]):
        assert not any(success(covered(clip, model, side=side, share=0.5), model))


def test_a_grey_bar_hides_as_a_black_one_does(man: list[Picture], model: Path) -> None:
    assert not any(success(covered(man[:N], model, side="left", share=0.5, level=128), model))


@pytest.mark.parametrize("side", ["left", "bottom"])
def test_a_seventh_may_be_hidden(man: list[Picture], model: Path, side: str) -> None:
    assert all(success(covered(man[:N], model, side=side, share=0.15), model))


def test_a_hand_before_the_face_costs_confidence(asset: Asset, model: Path) -> None:
    def mean(first: int) -> float:
        clip = pictures(asset("sad_then_laughing"), range(first, first + N))
        return float(np.mean([sighting.confidence for sighting in sightings(clip, model)]))

    assert mean(104) < mean(245) - 0.05


def test_a_bar_that_comes_and_goes_is_told_in_its_frames(man: list[Picture], model: Path) -> None:
    barred = covered(man, model, side="left", share=0.5)
    clip = [*man[:N], *barred[N : 2 * N], *man[2 * N :]]
    assert success(clip, model) == [True] * N + [False] * N + [True] * N


def test_the_darker_the_less_confident(man: list[Picture], model: Path) -> None:
    levels = [1.0, 0.1, 0.05, 0.01]
    confidences = [
        sightings(altered(man[:2], lambda p, level=level: (p * level).astype(np.uint8)), model)[
            -1
        ].confidence
        for level in levels
    ]
    assert sorted(confidences, reverse=True) == confidences
    assert confidences[1] > SUCCESS_ABOVE > confidences[2] > confidences[3] == 0


def test_the_more_blurred_the_less_confident(man: list[Picture], model: Path) -> None:
    def blurred(radius: float) -> float:
        blur = ImageFilter.GaussianBlur(radius)
        clip = altered(man[:2], lambda p: np.asarray(Image.fromarray(p).filter(blur)))
        return sightings(clip, model)[-1].confidence

    assert blurred(0) > blurred(8) > SUCCESS_ABOVE > blurred(24) == 0


def test_a_small_picture_is_enough(asset: Asset, woman: list[Picture], model: Path) -> None:
    assert all(success(pictures(asset("talking"), range(0, 120, 5)), model))  # 176x144
    small = altered(woman[:N], lambda p: resized(p, width=176, height=99))
    assert all(success(small, model))


@pytest.mark.parametrize("width", [270, 340, 360, 540, 854])
def test_rows_that_a_decoder_pads_are_read(
    woman: list[Picture], model: Path, width: int, tmp_path: Path
) -> None:
    height = width * 9 // 32 * 2
    pixels = [resized(picture, width=width, height=height) for picture in woman[:2]]
    write_video(tmp_path / "clip.mp4", pixels, frame_rate=25)
    decoded = pictures(tmp_path / "clip.mp4", range(2))
    assert decoded[0].strides[0] > 3 * width
    assert all(success(decoded, model))


def test_a_face_lost_in_a_large_picture_is_no_success(woman: list[Picture], model: Path) -> None:
    def lost(picture: Picture) -> Picture:
        wall = np.full((720, 1280, 3), 90, dtype=np.uint8)
        wall[300:390, 560:720] = resized(picture, width=160, height=90)  # a face of 45 px
        return wall

    assert not any(success(altered(woman[:2], lost), model))


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_a_face_half_out_of_the_picture_is_no_success(
    man: list[Picture], edge: str, model: Path
) -> None:
    cut = {
        "left": lambda p: p[:, 297:],
        "right": lambda p: p[:, :297],
        "top": lambda p: p[185:],
        "bottom": lambda p: p[:185],
    }[edge]
    assert not any(success(altered(man[:N], cut), model))


def test_a_face_turned_to_the_side_is_no_success(man: list[Picture], model: Path) -> None:
    points = first_face(man[:1], model).points
    seen = {}
    for yaw in (-60, -20, 20, 60):
        rotation = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        (seen[yaw],) = success([turned(man[0], points, rotation)], model)
    assert seen == {-60: False, -20: True, 20: True, 60: False}


@pytest.mark.parametrize("swapped", [False, True])
def test_the_larger_of_two_is_followed_and_waited_for(
    man: list[Picture], woman: list[Picture], model: Path, swapped: bool
) -> None:
    gone = [*woman[:N], *black(woman[N : 2 * N]), *woman[2 * N :]]
    clip = side_by_side(man, gone) if swapped else side_by_side(gone, man)
    her = int(swapped)
    assert place(clip, model) == [her] * N + [None] * N + [her] * N


def test_somebody_who_becomes_larger_is_not_taken(
    man: list[Picture], woman: list[Picture], model: Path
) -> None:
    def enlarged(picture: Picture, factor: float) -> Picture:
        width, height = int(640 / factor), int(360 / factor)
        left, top = 300 - width // 2, (360 - height) // 2  # the face is about 300
        part = picture[top : top + height, max(left, 0) : max(left, 0) + width]
        return resized(part, width=640, height=360)

    growing = [enlarged(p, 1 + 0.04 * i) for i, p in enumerate(man)]
    assert place(side_by_side(woman, growing), model) == [0] * 3 * N


def test_after_long_enough_the_other_is_followed(
    man: list[Picture], woman: list[Picture], model: Path
) -> None:
    clip = side_by_side([*woman[:2], *black(man[:6])], man[:8])
    with_times = [0.0, 0.5, 1.0, 2.0, 2.4, 3.0, 3.1, 3.2]  # she is away from 0.5 s on
    with face_tracker(model, quiet=True) as detect, face_detector(model, quiet=True) as detect_all:
        follow = Follower(detect, detect_all)
        seen = [
            follow(Frame(i, time, rgb)).face is not None
            for i, (time, rgb) in enumerate(zip(with_times, clip, strict=True))
        ]
    assert seen == [True, True, False, False, False, True, True, True]


def test_after_a_cut_whoever_is_there_is_followed(
    man: list[Picture], woman: list[Picture], model: Path
) -> None:
    right = side_by_side(black(woman[:N]), woman[:N])
    left = side_by_side(man[:N], altered(man[:N], lambda p: 255 - 0 * p))
    assert place(right + left, model) == [1] * N + [0] * N


def test_a_refused_frame_is_told_once(model: Path) -> None:
    with (
        pytest.raises(DetectionError, match="frame 1: "),
        face_tracker(model, quiet=True) as detect,
    ):
        detect(Frame(0, 0.0, np.zeros((360, 0, 3), dtype=np.uint8)))
