"""Videos for tests of faces: real clips, covered, darkened, cut, or side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.interpolate import LinearNDInterpolator

from pipeline_lib.face.detector import face_detector
from pipeline_lib.face.landmarker import Face, face_tracker
from pipeline_lib.face.tracking import Follower, Sighting
from pipeline_lib.video.decode import Frame, read_frames

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
FRAME_RATE = 25.0  # Hz


def pictures(video: Path, indices: Sequence[int]) -> list[Picture]:
    return [frame.rgb for frame in read_frames(video, indices=indices)]


def sightings(clip: Sequence[Picture], model: Path) -> list[Sighting]:
    with face_tracker(model, quiet=True) as detect, face_detector(model, quiet=True) as detect_all:
        follow = Follower(detect, detect_all)
        return [follow(Frame(i, i / FRAME_RATE, rgb)) for i, rgb in enumerate(clip)]


def success(clip: Sequence[Picture], model: Path) -> list[bool]:
    return [sighting.face is not None for sighting in sightings(clip, model)]


def first_face(clip: Sequence[Picture], model: Path) -> Face:
    (face, *_) = (sighting.face for sighting in sightings(clip, model) if sighting.face)
    return face


def resized(picture: Picture, *, width: int, height: int) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def black(clip: Sequence[Picture]) -> list[Picture]:
    return [np.zeros_like(picture) for picture in clip]


def side_by_side(left: Sequence[Picture], right: Sequence[Picture]) -> list[Picture]:
    return [np.hstack(pair) for pair in zip(left, right, strict=True)]


def covered(
    clip: Sequence[Picture], model: Path, *, side: str, share: float, level: int = 0
) -> list[Picture]:
    """The clip with a bar over so much of the face, and beyond it, from one side."""
    box = first_face(clip, model).points[:, :2]
    low, high = box.min(axis=0), box.max(axis=0)
    extent = high - low
    start, end = (low - 0.4 * extent).clip(0), high + 0.4 * extent
    axis = 0 if side in ("left", "right") else 1
    if side in ("left", "top"):
        end[axis] = low[axis] + share * extent[axis]
    else:
        start[axis] = high[axis] - share * extent[axis]
    barred = [picture.copy() for picture in clip]
    for picture in barred:
        picture[int(start[1]) : int(end[1]), int(start[0]) : int(end[0])] = level
    return barred


def altered(clip: Sequence[Picture], change: Callable[[Picture], Picture]) -> list[Picture]:
    return [change(picture) for picture in clip]


def turned(picture: Picture, points: Floats, rotation: Floats) -> Picture:
    """The face, as a mesh with this texture, turned about its middle, before a grey wall."""
    middle = points[:468].mean(axis=0)
    mesh = (points[:468] - middle) @ rotation.T + middle
    source = LinearNDInterpolator(mesh[:, :2], points[:468, :2], fill_value=-1)
    height, width, _ = picture.shape
    y, x = np.mgrid[:height, :width]
    at = np.round(source(x, y)).astype(int)
    seen = picture[at[..., 1].clip(0, height - 1), at[..., 0].clip(0, width - 1)]
    return np.where((at >= 0).all(axis=-1, keepdims=True), seen, 110).astype(np.uint8)
