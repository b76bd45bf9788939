"""Skin conductance from whatever unit an amplifier wrote."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline_lib.recordings import RecordingError, Signal

Floats = npt.NDArray[np.float64]

_TO_MICROSIEMENS = {"uS": 1.0, "nS": 1e-3}
_OHM_MICROSIEMENS = 1e6  # 1 Ohm is 1 S


def conductance(eda: Signal) -> Signal:
    """The signal as conductance, with the unit that it came in; see `to_conductance`."""
    samples, unit = to_conductance(eda.samples, unit=eda.unit)
    source_unit = eda.source_unit or ("" if unit == eda.unit else eda.unit)
    return replace(eda, samples=samples, unit=unit, source_unit=source_unit)


def to_conductance(samples: Floats, *, unit: str) -> tuple[Floats, str]:
    """Return skin conductance and its unit.

    samples : (n_times,), in `unit`
    unit    : uS, nS or Ohm, which give uS; or relative_Ohm, a resistance whose offset may
              have been removed, so that only its sign can be turned: that gives "relative"

    Raises RecordingError for a resistance that is not above zero, or another unit.
    """
    if unit in _TO_MICROSIEMENS:
        return samples * _TO_MICROSIEMENS[unit], "uS"
    if unit == "relative_Ohm":
        return -samples, "relative"
    if unit != "Ohm":
        raise RecordingError(f"EDA in {unit!r}: eda_unit must be uS, nS, Ohm or relative_Ohm")
    n_bad = int((samples <= 0).sum())
    if n_bad:
        raise RecordingError(
            f"EDA: {n_bad} of {samples.size} samples are not above 0 Ohm (least "
            f"{np.nanmin(samples):g}); if its offset was removed, set eda_unit to relative_Ohm"
        )
    return _OHM_MICROSIEMENS / samples, "uS"
