"""Films of synthetic subjects: real faces from two clips, looped, mirrored, graded and framed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image as Picture
from PIL.Image import Transpose

from pipeline_lib.video.decode import packet_times, read_frames
from pipeline_lib.video.encode import Image

Floats = npt.NDArray[np.float64]

Expression = Literal["calm", "low", "high"]

# What blood takes from light skin, in levels of Y, U and V for each level of green: of red, green
# and blue it takes 0.33, 0.77 and 0.53 of their own levels (de Haan and van Leest 2014), which
# light skin has as 200, 140 and 110.
BLOOD = (0.71, -0.14, -0.14)
SKIN = ((77, 127), (133, 173))  # levels of U and of V (Chai and Ngan 1999)


@dataclass(frozen=True)
class Actor:
    """A person in a clip, and the seconds in which they show what."""

    clip: str
    passages: Mapping[Expression, tuple[tuple[float, float], ...]]  # s
    face: tuple[int, int, int, int]  # px: left, top, right, bottom over all passages


# Where she covers her face altogether (2.6 - 5.9 s) or stops laughing (11.3 - 12.2 s) is left out.
WOMAN = Actor(
    "sad_then_laughing",
    {"calm": ((9.6, 10.3),), "low": ((0.0, 2.5), (5.9, 9.3)), "high": ((12.3, 16.3),)},
    (322, 25, 583, 363),
)
MAN = Actor(
    "neutral_then_smiling",
    {"calm": ((0.0, 0.55),), "low": ((0.0, 0.55),), "high": ((0.75, 2.1),)},
    (215, 93, 372, 301),
)
CAST = (WOMAN, WOMAN, WOMAN, MAN)  # subjects in turn


@dataclass(frozen=True)
class Look:
    """What makes a subject's films their own."""

    actor: Actor
    mirrored: bool
    zoom: float  # from 1: the frame shows all of the clip's height, or width
    shift: tuple[float, float]  # 0 - 1, where the frame lies among the places that hold the face
    gains: tuple[float, float, float]  # of red, green, blue
    speed: float  # of playing


@dataclass(frozen=True)
class Film:
    """A subject's frames of each expression, at the clip's rate."""

    frames: Mapping[Expression, list[Image]]  # each yuv420p, (3/2 height, width)
    frame_rate: float  # Hz, with the subject's speed


def draw_look(subject: int, rng: np.random.Generator) -> Look:
    brightness, tint = rng.uniform(0.8, 1.15), rng.uniform(0.95, 1.05, size=3)
    red, green, blue = brightness * tint
    return Look(
        actor=CAST[subject % len(CAST)],
        mirrored=bool(rng.integers(2)),
        zoom=float(rng.uniform(1.0, 1.2)),
        shift=(float(rng.random()), float(rng.random())),
        gains=(float(red), float(green), float(blue)),
        speed=float(rng.uniform(0.8, 1.2)),
    )


def shoot(look: Look, clip: Path, *, width: int, height: int) -> Film:
    """Cut the actor's passages out of the clip, as the subject looks, at width x height px."""
    times = packet_times(clip)
    places = {
        expression: [i for i, time in enumerate(times) if any(a <= time <= b for a, b in passages)]
        for expression, passages in look.actor.passages.items()
    }
    wanted = {i for indices in places.values() for i in indices}
    converter = VideoReformatter()  # one for all frames: see read_frames
    frames = {
        frame.index: _frame(frame.rgb, look, converter, width=width, height=height)
        for frame in read_frames(clip, indices=wanted)
    }
    return Film(
        {expression: [frames[i] for i in indices] for expression, indices in places.items()},
        frame_rate=look.speed * (len(times) - 1) / times[-1],
    )


def play(
    film: Film,
    expression: Expression,
    *,
    seconds: float,
    frame_rate: int,
    offset: float,
    blood: Floats | None = None,
) -> Iterator[Image]:
    """Yield `seconds` of an expression at `frame_rate` Hz, to and fro, from `offset` (0 - 1) on.

    blood : levels of green that it takes from the skin, for each frame; None leaves all as it is
    """
    frames = film.frames[expression]
    period = 2 * len(frames) - 2
    for i in range(round(seconds * frame_rate)):
        place = int(offset * period + i / frame_rate * film.frame_rate) % period
        frame = frames[min(place, period - place)]
        yield frame if blood is None else flush(frame, level=float(blood[i]))


def flush(frame: Image, *, level: float) -> Image:
    """The frame (yuv420p) with `level` levels of green less in its skin.

    Rounding is dithered, or no change below a level would show in any number of pixels.
    """
    width, n_luma = frame.shape[1], frame.size * 2 // 3
    blue, red = frame.ravel()[n_luma:].reshape(2, -1, width // 2)
    (low_u, high_u), (low_v, high_v) = SKIN
    skin = (blue >= low_u) & (blue <= high_u) & (red >= low_v) & (red <= high_v)
    large = skin.repeat(2, axis=0).repeat(2, axis=1)
    planes = [BLOOD[0] * large.ravel(), BLOOD[1] * skin.ravel(), BLOOD[2] * skin.ravel()]
    dither = np.random.default_rng(0).random(frame.size)
    flushed = np.floor(frame.ravel() - level * np.concatenate(planes) + dither)
    return flushed.clip(0, 255).astype(np.uint8).reshape(frame.shape)


@cache
def _grading(gains: tuple[float, float, float]) -> list[int]:
    """Pillow's look-up table: 256 values for each channel."""
    return [round(min(gain * value, 255)) for gain in gains for value in range(256)]


def _frame(
    rgb: Image, look: Look, converter: VideoReformatter, *, width: int, height: int
) -> Image:
    """The part of a clip's frame that the subject's camera sees, in its size, as yuv420p."""
    left, top, right, bottom = look.actor.face
    # The largest part of the right shape, less the zoom, but no smaller than the face.
    scale = min(rgb.shape[1] / width, rgb.shape[0] / height)
    zoom = min(look.zoom, scale * width / (right - left), scale * height / (bottom - top))
    part_width = round(scale * width / max(zoom, 1))
    part_height = round(scale * height / max(zoom, 1))
    x = _place(left, right, part_width, rgb.shape[1], look.shift[0])
    y = _place(top, bottom, part_height, rgb.shape[0], look.shift[1])
    picture = Picture.fromarray(rgb[y : y + part_height, x : x + part_width])
    if look.mirrored:
        picture = picture.transpose(Transpose.FLIP_LEFT_RIGHT)
    picture = picture.point(_grading(look.gains))
    seen = VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
    small = converter.reformat(seen, width, height, "yuv420p", threads=1)
    return np.asarray(small.to_ndarray(), np.uint8)


def _place(face_from: int, face_to: int, part: int, whole: int, shift: float) -> int:
    """Where a part of the whole begins that holds the face as far as it can."""
    first = max(min(face_to, whole) - part, 0)
    last = max(min(face_from, whole - part), first)
    return round(first + shift * (last - first))
