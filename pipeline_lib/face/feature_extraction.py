"""The embedded extractor: OpenFace 2.2's command line and CSV, on MediaPipe's face landmarker.

    python -m pipeline_lib.face.feature_extraction -f VIDEO [-f VIDEO ...] -out_dir DIR
    python -m pipeline_lib.face.feature_extraction -fdir FOLDER_OF_VIDEOS -out_dir DIR

Exit codes: 0 every CSV is written; 1 it cannot start (model or system library missing); 2 wrong
usage, two inputs with one name among it; 3 some inputs failed, since they cannot be read or their
CSV cannot be written, each with a line on standard error, and the others are written.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.core import paths
from pipeline_lib.core.schema import GAZE_ANGLES, GAZE_VECTORS, LANDMARKS, POSE
from pipeline_lib.face import gaze, pose
from pipeline_lib.face.command_line import parse
from pipeline_lib.face.eyes import eye_landmarks
from pipeline_lib.face.landmarker import (
    DetectionError,
    Face,
    SetupError,
    check_libraries,
    face_tracker,
)
from pipeline_lib.face.landmarks import ibug68
from pipeline_lib.face.openface_csv import EYE_LANDMARKS, write_csv
from pipeline_lib.face.second_pass import with_action_units
from pipeline_lib.face.tracking import Follower, follower
from pipeline_lib.video.decode import VideoError, at_rate, packet_times, read_frames

Floats = npt.NDArray[np.float64]

COMMAND = "pipeline_lib.face.feature_extraction"

WRITTEN, NO_SETUP, SOME_FAILED = 0, 1, 3  # exit codes; 2 is argparse's


def main(arguments: Sequence[str]) -> int:
    """Extract every input; returns the exit code."""
    options = parse(arguments, command=COMMAND, description=__doc__)
    try:
        options.out_dir.mkdir(parents=True, exist_ok=True)
        check_libraries()
        model = options.model or paths.asset("face_landmarker")
        with face_tracker(model, quiet=options.q):
            pass  # so that a model which does not load fails before any input is read
    except (SetupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return NO_SETUP
    n_failed = 0
    for video, name in zip(options.f, options.of, strict=True):
        if problem := extract(video, options.out_dir / f"{name}.csv", model, options):
            sys.stderr.write(f"{problem}\n")
            n_failed += 1
        elif not options.q:
            sys.stdout.write(f"{video}: done\n")
    return SOME_FAILED if n_failed else WRITTEN


def extract(video: Path, csv: Path, model: Path, options: Namespace) -> str:
    """Write a video's CSV; returns what is wrong with the video or its CSV, "" if nothing."""
    try:
        with follower(model, quiet=options.q) as follow:
            frames = measure(video, follow, fps=options.fps)
            write_csv(with_action_units(frames), csv, options=options.groups)
    except VideoError as error:
        return str(error)
    except DetectionError as error:
        return f"{video}: {error}"
    except OSError as error:  # a full disk, no permission, a folder of that name
        return f"{video}: {csv} cannot be written: {error.strerror or error}"
    return ""


def measure(
    video: Path, follow: Follower, *, fps: float | None
) -> Iterator[tuple[dict[str, float], Face | None]]:
    """Yield one row a frame, in OpenFace's columns and units; without success only its keys.

    With each row goes its face, of which face/second_pass.py makes the action units.

    fps : Hz, of the frames to read; None reads all
    """
    indices = None if fps is None else at_rate(packet_times(video), fps=fps).tolist()
    eyes = gaze.AHEAD
    for frame in read_frames(video, indices=indices):
        sighting = follow(frame)
        row = {
            "frame": frame.index + 1,
            "timestamp": frame.time,
            "confidence": sighting.confidence,
            "success": float(sighting.face is not None),
        }
        if sighting.face is None:
            eyes = gaze.AHEAD
            yield row, None
            continue
        rotation = pose.rotation(sighting.face.transform)
        seen = gaze.in_head(sighting.face.points, rotation)
        eyes = gaze.keep_closed(seen, sighting.face.blendshapes, before=eyes)
        height, width, _ = frame.rgb.shape
        measured = describe(sighting.face, rotation, eyes, width=width, height=height)
        yield row | measured, sighting.face


def describe(
    face: Face, rotation: Floats, eyes: Floats, *, width: int, height: int
) -> dict[str, float]:
    """OpenFace's measurements, but for action units, of a face in a picture of this size in px.

    rotation : (3, 3) of the head
    eyes     : (2, 3), gaze in the head's axes
    """
    landmarks = ibug68(face.points)
    translation = pose.translation(face.transform, landmarks, width=width, height=height)
    directions = eyes @ rotation.T
    in_picture = eye_landmarks(face.points)
    in_space = pose.in_camera(in_picture, landmarks, translation[2], width=width, height=height)
    return {
        **dict(zip(GAZE_VECTORS, directions.ravel(), strict=True)),
        **dict(zip(GAZE_ANGLES, gaze.angles(directions), strict=True)),
        **_eye_columns(in_picture, in_space),
        **dict(zip(POSE, (*translation, *pose.euler_angles(rotation)), strict=True)),
        **dict(zip(LANDMARKS, landmarks[:, :2].T.ravel(), strict=True)),
    }


def _eye_columns(in_picture: Floats, in_space: Floats) -> dict[str, float]:
    """Columns of the eyes' landmarks, of (56, n_axes) in px and (56, 3) in mm."""
    axes = np.vstack([in_picture[:, :2].T, in_space.T])
    return dict(zip(EYE_LANDMARKS, axes.ravel().tolist(), strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
