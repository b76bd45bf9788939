"""MediaPipe's face landmarker, one fresh tracker a video. Nothing leaves the machine."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.face.deferred import deferred
from pipeline_lib.video.decode import Frame

Floats = npt.NDArray[np.float64]

LIBRARIES = ("libEGL.so.1", "libGLESv2.so.2")  # libmediapipe.so is linked against them


class SetupError(RuntimeError):
    """MediaPipe cannot start on this machine; the message says what to install or fetch."""


class DetectionError(RuntimeError):
    """MediaPipe refuses a frame."""


@dataclass(frozen=True)
class Face:
    points: Floats  # (478, 3), px on all axes: x right, y down, z into the picture
    blendshapes: dict[str, float]  # 52 coefficients, 0-1
    transform: Floats  # (4, 4), canonical face to camera, cm, y up and z towards the viewer


Detect = Callable[[Frame], Face | None]


def check_libraries() -> None:
    """Raise SetupError if a system library is missing that slim servers do not have."""
    for library in LIBRARIES if sys.platform == "linux" else ():
        try:
            ctypes.CDLL(library)
        except OSError:
            raise SetupError(
                f"{library}, which MediaPipe needs, is not installed: "
                "apt-get install libegl1 libgles2"
            ) from None


@contextmanager
def face_tracker(model: Path, *, quiet: bool) -> Iterator[Detect]:
    """Give a function that finds the face in one frame of a video after the other.

    The tracker starts anew, which costs 30 ms, so that a video's result does not depend on
    what was read before it. Raises SetupError if the model cannot be loaded.
    """
    # A third of the start-up, and MediaPipe only draws with it.
    with deferred("cv2", "matplotlib", "matplotlib.pyplot"):
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import (
            FaceLandmarker,
            FaceLandmarkerOptions,
            RunningMode,
        )

    options = FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    try:
        with silenced(quiet):
            landmarker = FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError, OSError) as error:
        raise SetupError(
            f"{model}: MediaPipe cannot load this model ({error}); `dvc repro assets` fetches one"
        ) from None
    try:
        yield _detector(landmarker)
    except DetectionError:
        _close_failed(landmarker)
        raise
    finally:
        landmarker.close()


def _close_failed(landmarker: "FaceLandmarker") -> None:  # type: ignore[name-defined]  # noqa: F821
    """End what has refused a frame; afterwards its own close() has nothing left to do.

    That one tells of the failure once more and leaves its threads running, for which Python
    would wait forever at its exit.
    """
    with suppress(RuntimeError):
        landmarker.close()
    landmarker._handle = None
    landmarker._dispatcher.close()
    landmarker._lib.close()


def srgb(picture: npt.NDArray[np.uint8]) -> "Image":  # type: ignore[name-defined]  # noqa: F821
    """A picture (height, width, 3) for MediaPipe, which takes what lies between rows for pixels.

    Decoders pad the rows of most widths: to it, a face 360 px wide is noise.
    """
    from mediapipe import Image, ImageFormat

    return Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(picture))


def _detector(landmarker: "FaceLandmarker") -> Detect:  # type: ignore[name-defined]  # noqa: F821
    milliseconds = -1

    def detect(frame: Frame) -> Face | None:
        nonlocal milliseconds
        milliseconds = max(milliseconds + 1, round(1000 * frame.time))  # it wants them to rise
        try:
            found = landmarker.detect_for_video(srgb(frame.rgb), milliseconds)
        except RuntimeError as error:
            raise DetectionError(f"frame {frame.index + 1}: {error}") from None
        if not found.face_landmarks:
            return None
        height, width, _ = frame.rgb.shape
        points = [(point.x, point.y, point.z) for point in found.face_landmarks[0]]
        return Face(
            points=np.array(points) * [width, height, width],  # z has the scale of x
            blendshapes={c.category_name: c.score for c in found.face_blendshapes[0]},
            transform=np.asarray(found.facial_transformation_matrixes[0], dtype=np.float64),
        )

    return detect


@contextmanager
def silenced(quiet: bool) -> Iterator[None]:
    """Keep a C++ library from writing to standard error, which no option of its own does."""
    if not quiet:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
