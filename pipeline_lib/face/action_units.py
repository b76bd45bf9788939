"""Facial action units from MediaPipe's 52 blendshape coefficients.

A coefficient of 1 is the strongest expression of its kind and becomes OpenFace's intensity of
5. Compared with real OpenFace on real clips, units 01 02 04 06 10 12 25 and 45 are good, 05
and 26 fair; 07 09 14 15 17 20 and 23 are poor and should carry no conclusion of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Blendshapes = Mapping[str, float]  # coefficient by MediaPipe's name, 0-1

FULL_INTENSITY = 5.0


@dataclass(frozen=True)
class Unit:
    strength: Callable[[Blendshapes], float]  # 0-1
    # Intensity from which the unit is present: what neutral faces stay below in the clips that
    # the tests use, where an open eye already scores up to 0.2 blink and 0.4 squint.
    present_from: float = 1.0


def both(blendshapes: Blendshapes, name: str) -> float:
    """Mean of the coefficients of the left and the right side."""
    return (blendshapes[f"{name}Left"] + blendshapes[f"{name}Right"]) / 2


UNITS = {
    "01": Unit(lambda b: b["browInnerUp"]),
    "02": Unit(lambda b: both(b, "browOuterUp")),
    "04": Unit(lambda b: both(b, "browDown")),
    "05": Unit(lambda b: both(b, "eyeWide")),
    "06": Unit(lambda b: both(b, "eyeSquint") * both(b, "mouthSmile")),
    "07": Unit(lambda b: both(b, "eyeSquint"), present_from=2.25),
    "09": Unit(lambda b: both(b, "noseSneer")),
    "10": Unit(lambda b: both(b, "mouthUpperUp")),
    "12": Unit(lambda b: both(b, "mouthSmile")),
    "14": Unit(lambda b: both(b, "mouthDimple")),
    "15": Unit(lambda b: both(b, "mouthFrown")),
    "17": Unit(lambda b: b["mouthShrugLower"]),
    "20": Unit(lambda b: both(b, "mouthStretch")),
    "23": Unit(lambda b: both(b, "mouthPress")),
    "25": Unit(lambda b: max(b["jawOpen"], both(b, "mouthLowerDown"), both(b, "mouthUpperUp"))),
    "26": Unit(lambda b: b["jawOpen"]),
    "28": Unit(lambda b: (b["mouthRollLower"] + b["mouthRollUpper"]) / 2),
    "45": Unit(lambda b: both(b, "eyeBlink"), present_from=1.75),
}


def intensity(blendshapes: Blendshapes, unit: str) -> float:
    """Intensity of an action unit ("01", ...), 0-5."""
    return FULL_INTENSITY * min(max(UNITS[unit].strength(blendshapes), 0.0), 1.0)


def presence(blendshapes: Blendshapes, unit: str) -> float:
    """1 if an action unit is there, else 0."""
    return float(intensity(blendshapes, unit) >= UNITS[unit].present_from)


def measure(blendshapes: Blendshapes, column: str) -> float:
    """The value of one of OpenFace's columns: AU12_r (0-5) or AU12_c (0 or 1)."""
    unit, kind = column.removeprefix("AU").split("_")
    return {"r": intensity, "c": presence}[kind](blendshapes, unit)
