"""Skin conductance from other units."""

import numpy as np
import pytest

from pipeline_lib.physio.units import to_conductance
from pipeline_lib.recordings import RecordingError


@pytest.mark.parametrize(
    ("unit", "value", "conductance"),
    [("uS", 5.0, (5.0, "uS")), ("nS", 5000.0, (5.0, "uS")), ("Ohm", 200_000.0, (5.0, "uS")),
     ("relative_Ohm", 200.0, (-200.0, "relative"))],
)  # fmt: skip
def test_known_values(unit, value, conductance):
    samples, found = to_conductance(np.array([value]), unit=unit)
    assert (samples[0], found) == conductance


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_resistance_that_cannot_be_one(bad):
    with pytest.raises(RecordingError, match=rf"1 of 3 .* above 0 Ohm \(least {bad:g}\).*eda_unit"):
        to_conductance(np.array([2e5, bad, 3e5]), unit="Ohm")


def test_other_units_are_refused():
    with pytest.raises(RecordingError, match=r"'kOhm'.*uS, nS, Ohm or relative_Ohm"):
        to_conductance(np.ones(3), unit="kOhm")
