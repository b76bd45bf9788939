"""A speaker encoder: 40 mel bands of speech to 256 numbers, 0 or more, of length 1 together.

Wan et al., Generalized end-to-end loss for speaker verification, 2018, as trained by Resemblyzer.
Its mel spectrogram is librosa's: 25 ms, every 10 ms, power, Slaney's mel scale and norm. Unlike
Resemblyzer's own preprocessing silences are not cut out, for fragments keep their places in time.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipeline_lib.embeddings import pretrained

Floats32 = npt.NDArray[np.float32]

WIDTH = 256
RATE = 16_000  # Hz
WINDOW, HOP, BANDS = 400, 160, 40  # samples, samples, mel bands
LOUDNESS = -30.0  # dB of full scale, to which quieter sounds are raised


class SpeakerEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, num_layers=3, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, mels: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, 40) of which each lasts for its length (B,) -> (B, 256)."""
        states, _ = self.lstm(mels)
        rows = torch.arange(len(mels), device=mels.device)
        last = states[rows, lengths - 1]  # it has not heard what fills it up
        raw = self.linear(last).relu()
        embedded: Tensor = raw / raw.norm(dim=1, keepdim=True)
        return embedded


def load(weights: Path) -> SpeakerEncoder:
    """The network with Resemblyzer's weights, for inference."""
    checkpoint = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
    # The similarity's weight and bias serve its training only.
    own = {k: v for k, v in checkpoint.items() if not k.startswith("similarity")}
    model = SpeakerEncoder()
    model.load_state_dict(own)
    return model.eval()


def raised(samples: Floats32) -> Floats32:
    """A sound of at least LOUDNESS on average; a louder or a silent one as it is."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    if power == 0:
        return samples
    missing = LOUDNESS - 10 * np.log10(power)
    return np.asarray(samples * 10 ** (max(missing, 0.0) / 20), np.float32)


def mel(samples: Floats32) -> Floats32:
    """(n_times,) at RATE -> (1 + n_times // HOP, 40), centred at 0, HOP, 2 HOP, ..."""
    from scipy.signal import get_window

    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * get_window("hann", WINDOW), axis=1)) ** 2
    return np.asarray(power @ _filters(), np.float32)


@cache
def _filters() -> npt.NDArray[Any]:
    """(201, 40) triangles."""
    filters: npt.NDArray[Any] = pretrained.transformers().audio_utils.mel_filter_bank(
        num_frequency_bins=WINDOW // 2 + 1,
        num_mel_filters=BANDS,
        min_frequency=0.0,
        max_frequency=RATE / 2,
        sampling_rate=RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return filters
