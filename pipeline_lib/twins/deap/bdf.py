"""Write BDF, BioSemi's 24-bit format: a header in ASCII, then records of one second."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DIGITAL = (-(2**23), 2**23 - 1)


@dataclass(frozen=True)
class Channel:
    label: str
    unit: str
    physical: tuple[int, int]  # what the digital range stands for


def header(channels: Sequence[Channel], *, n_records: int, sampling_rate: int) -> bytes:
    """256 bytes, and 256 for each channel: one field of all channels after the other."""
    n_channels = len(channels)
    columns: list[tuple[int, Sequence[object]]] = [
        (16, [channel.label for channel in channels]),
        (80, ["Synthetic"] * n_channels),
        (8, [channel.unit for channel in channels]),
        (8, [channel.physical[0] for channel in channels]),
        (8, [channel.physical[1] for channel in channels]),
        (8, [DIGITAL[0]] * n_channels),
        (8, [DIGITAL[1]] * n_channels),
        (80, ["No filtering"] * n_channels),
        (8, [sampling_rate] * n_channels),
        (32, [""] * n_channels),
    ]
    fields: list[tuple[int, object]] = [
        (80, "Synthetic: nobody was recorded"),
        (80, ""),
        (8, "01.01.00"),
        (8, "00.00.00"),
        (8, 256 * (n_channels + 1)),
        (44, "24BIT"),
        (8, n_records),
        (8, 1),
        (4, n_channels),
        *((width, text) for width, column in columns for text in column),
    ]
    return b"\xffBIOSEMI" + b"".join(str(text).ljust(width).encode() for width, text in fields)


def records(samples: Floats, channels: Sequence[Channel], *, sampling_rate: int) -> bytes:
    """Whole seconds as records.

    samples : (n_chans, n_times) in the channels' units; what is out of range is clipped
    """
    low, high = np.array([channel.physical for channel in channels], float).T
    gain = (high - low) / (DIGITAL[1] - DIGITAL[0])
    counted = (samples - low[:, None]) / gain[:, None] + DIGITAL[0]
    digital = counted.round().clip(*DIGITAL).astype("<i4")
    # Channel by channel in each record, of which only the three lower bytes are kept.
    by_record = digital.reshape(len(channels), -1, sampling_rate).swapaxes(0, 1)
    content: bytes = by_record[..., None].copy().view(np.uint8)[..., :3].tobytes()
    return content
