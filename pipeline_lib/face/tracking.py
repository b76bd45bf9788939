"""Follow one person through a video, and tell how far each of their faces can be trusted.

MediaPipe's tracker keeps to a face while it sees it, then takes any other. Here the largest face
that is seen first is the person. Once lost, the person is looked for where they can have got to
in the time; a face that is elsewhere, or that was seen beside them, is somebody else and is
passed over. They are given up, and whoever is largest is followed, after a cut to another picture
or once they have been away for as long as they had been there, at least 2 s and at most 10 s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.face import confidence, scene
from pipeline_lib.face.detector import Box, DetectAll, Picture, face_detector
from pipeline_lib.face.landmarker import Detect, Face, face_tracker
from pipeline_lib.video.decode import Frame

Floats = npt.NDArray[np.float64]

FOUND_ABOVE = 0.5  # detector's score, MediaPipe's own threshold
PATIENCE = (2.0, 10.0)  # s, least and most
RECHECK = 1.0  # s after which confidence is measured anew though the face looks the same
CHANGED = 0.35  # of a glimpse, in its contrast: a covered half is 0.44 and above

_DETECTED = 0.83  # size of the detector's box, in the extent of the landmarks
_LARGER = 1.2  # another face is larger than the tracker's own choice by this factor


@dataclass(frozen=True)
class Sighting:
    """What one frame shows of the person."""

    confidence: float  # 0-1; 0 without a face
    face: Face | None  # None unless the confidence is above confidence.SUCCESS_ABOVE


@dataclass(frozen=True)
class _Person:
    box: Box  # where the face was last
    first: float  # s, seen
    last: float
    thumbnail: Picture


@dataclass(frozen=True)
class _Check:
    """When confidence was last measured."""

    time: float  # s
    glimpse: Floats
    score: float


@contextmanager
def follower(model: Path, *, quiet: bool) -> "Iterator[Follower]":
    """Give a follower for one video; raises landmarker.SetupError as `face_tracker` does."""
    with face_tracker(model, quiet=quiet) as detect, face_detector(model, quiet=quiet) as all_:
        yield Follower(detect, all_)


class Follower:
    """Gives a sighting for one frame of a video after the other."""

    def __init__(self, detect: Detect, detect_all: DetectAll) -> None:
        self._detect = detect
        self._detect_all = detect_all
        self._person: _Person | None = None
        self._is_tracked = False
        self._others: list[tuple[Box, float]] = []  # where and when other people were last
        self._check: _Check | None = None

    def __call__(self, frame: Frame) -> Sighting:
        """Look for the person in the next frame."""
        face = self._face(frame)
        self._is_tracked = face is not None
        if face is None:
            self._check = None
            return Sighting(0.0, None)
        height, width, _ = frame.rgb.shape
        inside = confidence.share_inside(face.points, width=width, height=height)
        trust = min(self._score(frame, face), inside)
        if trust <= confidence.SUCCESS_ABOVE:
            return Sighting(trust, None)
        self._remember(frame, _box(face))
        return Sighting(trust, face)

    def _face(self, frame: Frame) -> Face | None:
        person = self._person
        if person is not None and frame.time - person.last > _patience(person):
            self._forget()
            person = None
        if person is None:
            return self._first(frame)
        if self._is_tracked:
            face = self._detect(frame)
            if face is not None and scene.is_reachable(
                _box(face), person.box, frame.time - person.last
            ):
                return face
        return self._search(frame, person)

    def _first(self, frame: Frame) -> Face | None:
        """The largest face, if there is any; the tracker's own choice is the clearest."""
        face = self._detect(frame)
        if face is None or self._is_tracked:
            return face
        boxes = [box for box in self._detect_all(frame.rgb) if box.score > FOUND_ABOVE]
        found = [box for box in boxes if scene.is_reachable(box, _box(face), 0.0)]
        largest = max(boxes, key=lambda box: box.size, default=None)
        if largest is None or not found or largest.size < _LARGER * found[0].size:
            return face
        self._detect(replace(frame, rgb=np.zeros_like(frame.rgb)))  # so that it loses its choice
        return self._detect(replace(frame, rgb=scene.without(frame.rgb, largest, boxes)))

    def _search(self, frame: Frame, person: _Person) -> Face | None:
        """The person's face, where it can be; whoever else is there is noted."""
        boxes = [box for box in self._detect_all(frame.rgb) if box.score > FOUND_ABOVE]
        away = frame.time - person.last
        known = [
            (box, scene.distance(box, person.box), self._distance_to_others(box, frame.time))
            for box in boxes
        ]
        reached = [
            (near, box)
            for box, near, other in known
            if near < other and scene.is_reachable(box, person.box, away)
        ]
        if not reached and boxes and scene.is_cut(person.thumbnail, scene.thumbnail(frame.rgb)):
            self._forget()
            return self._first(frame)
        chosen = min(reached, key=lambda pair: pair[0])[1] if reached else None
        self._others = [(box, frame.time) for box in boxes if box is not chosen] or self._others
        if chosen is None:
            return None
        face = self._detect(replace(frame, rgb=scene.without(frame.rgb, chosen, boxes)))
        return (
            face if face is not None and scene.distance(_box(face), chosen) < scene.REACH else None
        )

    def _distance_to_others(self, box: Box, time: float) -> float:
        """In sizes of the face, from the nearest that can be the same; infinite without any."""
        return min(
            (
                scene.distance(box, other)
                for other, last in self._others
                if scene.is_reachable(box, other, time - last)
            ),
            default=np.inf,
        )

    def _score(self, frame: Frame, face: Face) -> float:
        """The confidence, measured anew if the face looks different than when it was last."""
        glimpse = confidence.glimpse(frame.rgb, face.points)
        check = self._check
        if (
            check is None
            or frame.time - check.time >= RECHECK
            or confidence.change(check.glimpse, glimpse) > CHANGED
        ):
            score = confidence.score(frame.rgb, face.points, self._detect_all)
            self._check = check = _Check(frame.time, glimpse, score)
        return check.score

    def _remember(self, frame: Frame, box: Box) -> None:
        first = self._person.first if self._person else frame.time
        self._person = _Person(box, first, frame.time, scene.thumbnail(frame.rgb))

    def _forget(self) -> None:
        self._person, self._is_tracked, self._others = None, False, []


def _box(face: Face) -> Box:
    """About the box in which the detector would see a face."""
    low, high = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
    (x, y), (width, height) = (low + high) / 2, high - low
    return Box(x=float(x), y=float(y), size=_DETECTED * float(max(width, height)), score=1.0)


def _patience(person: _Person) -> float:
    least, most = PATIENCE
    return min(max(person.last - person.first, least), most)
