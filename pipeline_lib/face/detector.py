"""MediaPipe's face detector: every face of one picture, each with a score. It keeps no state."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.face.landmarker import silenced, srgb

Picture = npt.NDArray[np.uint8]  # (height, width, 3), RGB

MEMBER = "face_detector.tflite"  # of the landmarker's model, which is an archive
WEAKEST = 0.1  # score below which nothing is told


@dataclass(frozen=True)
class Box:
    """A square around eyes, nose and mouth."""

    x: float  # px, of its middle
    y: float
    size: float  # px
    score: float  # 0-1, how much this looks like a face


DetectAll = Callable[[Picture], list[Box]]


@contextmanager
def face_detector(model: Path, *, quiet: bool) -> Iterator[DetectAll]:
    """Give a function that finds all faces of a picture, which takes some 3.5 ms.

    model : face_landmarker.task
    """
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions

    with zipfile.ZipFile(model) as archive:
        network = archive.read(MEMBER)
    options = FaceDetectorOptions(
        base_options=BaseOptions(model_asset_buffer=network), min_detection_confidence=WEAKEST
    )
    with silenced(quiet):
        detector = FaceDetector.create_from_options(options)
    with detector:
        yield _detect_all(detector)


def _detect_all(detector: "FaceDetector") -> DetectAll:  # type: ignore[name-defined]  # noqa: F821
    def detect_all(picture: Picture) -> list[Box]:
        found = detector.detect(srgb(picture))
        return [
            Box(
                x=box.origin_x + box.width / 2,
                y=box.origin_y + box.height / 2,
                size=(box.width + box.height) / 2,
                score=detection.categories[0].score,
            )
            for detection in found.detections
            for box in (detection.bounding_box,)
        ]

    return detect_all
