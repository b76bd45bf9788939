"""Video and physiology meet on the trial's time axis."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from pipeline_lib import store
from pipeline_lib.core.schema import FEATURES, OPENFACE, PHYSIO, VISUAL, validate

RECORDING: dict[str, Any] = {
    "recording_id": "P01_4",
    "subject": "P01",
    "video_start": -5.0,
    "valence_label": 1,
    "arousal_label": 0,
}
SETTINGS: dict[str, Any] = {
    "visual": "stressid42",
    "fps": 18.0,
    "window_start": -4.0,
    "heart": "ECG",
}


def openface(times: npt.NDArray[np.float64]) -> pl.DataFrame:
    """AU12_r is the frame's time in the file, all else is null."""
    columns = {"time": times, "success": [True] * len(times), "AU12_r": times}
    return pl.DataFrame({**dict.fromkeys(OPENFACE), **columns}, schema=dict(OPENFACE))


def physio(*channels: str) -> pl.DataFrame:
    row = {"recording_id": "P01_4", "unit": "mV", "sampling_rate": 128.0, "start": -4.0}
    rows = [
        {**row, "channel": c, "quality": 0.5, "samples": [float(i)] * 256}
        for i, c in enumerate(channels)
    ]
    return pl.DataFrame(rows, schema=dict(PHYSIO))


def au12(frames: pl.DataFrame, **changes: Any) -> npt.NDArray[np.float32]:
    row = store.features(RECORDING, openface=frames, physio=physio(), **(SETTINGS | changes))
    return np.reshape(row["visual"], (-1, 42))[:, VISUAL["stressid42"].index("AU12_r")]


@pytest.mark.parametrize("frame_rate", [18.0, 25.0, 50.0])
def test_frames_are_the_nearest_to_the_trials_grid(frame_rate: float) -> None:
    frames = openface(np.arange(0, 13, 1 / frame_rate))
    expected = 1.0 + np.arange(len(au12(frames))) / 18.0  # the window begins 1 s into the file
    assert len(au12(frames)) == int(18 * (frames["time"].max() - 1) + 1e-6) + 1
    np.testing.assert_allclose(au12(frames), expected, atol=0.5 / frame_rate + 1e-5)


def test_a_window_before_the_video_begins_with_it() -> None:
    assert au12(openface(np.arange(0, 2, 1 / 18)), window_start=-9.0)[0] == 0


def test_a_gap_in_the_video_is_missing_not_invented() -> None:
    times = np.arange(0, 13, 1 / 25)
    found = au12(openface(times[(times < 3) | (times > 5)]))
    np.testing.assert_array_equal(np.isnan(found[[17, 45, 54, 90]]), [False, True, True, False])


def test_a_row_holds_both_modalities_and_fits_the_schema() -> None:
    frames = openface(np.arange(0, 13, 1 / 18))
    row = store.features(RECORDING, openface=frames, physio=physio("EDA", "ECG"), **SETTINGS)
    validate(pl.DataFrame([row], schema=dict(FEATURES)), FEATURES, "row")
    np.testing.assert_array_equal(np.reshape(row["physio"], (-1, 2))[0], [1.0, 0.0])
    assert (row["n_frames"], row["n_times"], row["heart_quality"]) == (216, 256, 0.5)


@pytest.mark.parametrize("channels", [(), ("ECG",), ("PPG", "EDA")])
def test_what_is_missing_stays_missing(channels: tuple[str, ...]) -> None:
    frames, signals = openface(np.array([])), physio(*channels)
    row = store.features(RECORDING, openface=frames, physio=signals, **SETTINGS)
    assert (row["n_frames"], row["visual"], row["n_times"], row["physio"]) == (0, None, 0, None)
