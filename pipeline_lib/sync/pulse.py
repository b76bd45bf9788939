"""The pulse in the colour of a face: mean colour of the skin, frame by frame, then POS.

Wang, den Brinker, Stuijk and de Haan 2017, "Algorithmic principles of remote PPG", IEEE Trans.
Biomed. Eng. 64(7).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image, ImageDraw
from scipy.interpolate import make_interp_spline

from pipeline_lib.core.schema import LANDMARKS
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.decode import read_frames

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

# Skin that neither speaks nor blinks, as polygons of iBUG's landmarks.
CHEEKS = ((1, 2, 3, 4, 48, 31, 40, 41), (15, 14, 13, 12, 54, 35, 47, 46))
SHRUNK = 0.8  # their size, for the outline of the face is uncertain
BROWS = (18, 20, 23, 25)
NOSE = (27, 30)  # from the bridge to the tip, the measure of the forehead
FOREHEAD = (0.2, 0.6)  # noses above the brows, from - to
SPARSE = 3.0  # times as many frames should there be as there are
WINDOW = 1.6  # s (Wang 2017)


@dataclass(frozen=True)
class Skin:
    """The colour of a face over a video."""

    times: Floats  # (n_frames,) s from the first frame
    rgb: Floats  # (n_frames, 3), mean levels
    n_repeated: int  # frames that show exactly what the one before showed


def skin_colour(video: Path, openface: pl.DataFrame) -> Skin:
    """Mean colour of forehead and cheeks in every frame of a video, read once.

    openface : the video's rows of schema.OPENFACE, maybe of some frames only: between those with
               a face landmarks move evenly

    Frames before the first face and after the last, those whose skin is outside the picture or
    black, and those at the time of another are left out. Raises RecordingError if fewer than two
    are left.
    """
    seen = openface.filter("success")
    if seen.height < 2:
        raise RecordingError(f"a face in {seen.height} frames, too few for a pulse")
    frames = seen["frame"].to_numpy() - 1.0
    landmarks = make_interp_spline(frames, seen.select(LANDMARKS).to_numpy(), k=1)
    times: list[float] = []
    colours: list[Floats] = []
    n_repeated = 0
    before: Pixels | None = None
    for frame in read_frames(video):
        n_repeated += before is not None and np.array_equal(frame.rgb, before)
        before = frame.rgb
        if frames[0] <= frame.index <= frames[-1]:
            colour = mean_colour(frame.rgb, landmarks(frame.index).reshape(2, -1).T)
            if colour.all() and (not times or frame.time > times[-1]):
                times.append(frame.time)
                colours.append(colour)
    if len(times) < 2:
        raise RecordingError(f"the skin of a face in {len(times)} frames, too few for a pulse")
    return Skin(np.array(times), np.array(colours), n_repeated)


def blood_volume(skin: Skin) -> tuple[Floats, float]:
    """The pulse at even times from the skin's first on, (n_times,), and its rate in Hz.

    The rate is the usual one of the frames; where frames are missing, colour changes evenly.
    Raises RecordingError if most are missing.
    """
    rate = 1 / float(np.median(np.diff(skin.times)))
    seconds = skin.times[-1] - skin.times[0]
    if seconds * rate > SPARSE * len(skin.times):
        raise RecordingError(
            f"{len(skin.times)} frames with a face in {seconds:.0f} s, too few for a pulse"
        )
    times = np.arange(skin.times[0], skin.times[-1], 1 / rate)
    rgb = np.column_stack([np.interp(times, skin.times, level) for level in skin.rgb.T])
    return pos(rgb, rate), rate


def pos(rgb: Floats, sampling_rate: float) -> Floats:
    """Volume of blood in the skin, up to a factor, by POS (Wang 2017, algorithm 1).

    rgb           : (n_times, 3), mean levels, all above 0
    sampling_rate : Hz
    returns       : (n_times,); zeros if it is shorter than WINDOW

    POS gives the light that comes back, of which blood takes: the sign is turned.
    """
    width = math.ceil(WINDOW * sampling_rate)
    light = np.zeros(len(rgb))
    for start in range(len(rgb) - width + 1):
        red, green, blue = (rgb[start : start + width] / rgb[start : start + width].mean(0)).T
        across, along = green - blue, green + blue - 2 * red
        spread = along.std()
        wave = across + (across.std() / spread if spread else 0.0) * along
        light[start : start + width] += wave - wave.mean()
    return -light


def mean_colour(rgb: Pixels, landmarks: Floats) -> Floats:
    """Mean levels (3,) of forehead and cheeks; zeros if they are outside the picture.

    landmarks : (68, 2) px, x and y
    """
    mask = Image.new("1", (rgb.shape[1], rgb.shape[0]))
    draw = ImageDraw.Draw(mask)
    for polygon in _polygons(landmarks):
        draw.polygon([(float(x), float(y)) for x, y in polygon], fill=1)
    inside = rgb[np.asarray(mask)]
    return inside.mean(axis=0) if len(inside) else np.zeros(3)


def _polygons(landmarks: Floats) -> Iterator[Floats]:
    for cheek in CHEEKS:
        corners = landmarks[list(cheek)]
        yield corners.mean(axis=0) + SHRUNK * (corners - corners.mean(axis=0))
    brows, (bridge, tip) = landmarks[list(BROWS)], landmarks[list(NOSE)]
    low, high = (brows + share * (bridge - tip) for share in FOREHEAD)
    yield np.concatenate([low, high[::-1]])
