"""Audio tokens: the sound around each sampled frame, as a speaker's voice (ViPER 3.2).

The paper: WavLM's x-vector of each fragment, 512 numbers. The small encoder is Resemblyzer's.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from pipeline_lib.audio.decode import Sound, read_audio
from pipeline_lib.embeddings import pretrained
from pipeline_lib.embeddings.frames import sample_times
from pipeline_lib.embeddings.sampling import fragments, widened
from pipeline_lib.embeddings.tokens import Tokens, result
from pipeline_lib.incremental import Result
from pipeline_lib.params import AudioEncoder, Sampling

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

RATE = 16_000  # Hz
SILENT = 1e-4  # of full scale: what never gets louder, -80 dB, is silence
SHORTEST = 0.05  # s of sound that a fragment needs
PADDED = 1.0  # s to which `code` fills fragments up with zeros


class Network(Protocol):
    width: int

    def encode(self, pieces: Sequence[Floats32], *, seconds: float) -> Floats32:
        """Sounds of (n_times,) at RATE -> (n, width); shorter ones filled up to `seconds`."""


def embed_recording(
    recording: dict[str, Any], *, root: Path, config: AudioEncoder, sampling: Sampling
) -> Result:
    """Tokens of a recording with a video or a sound: one row of schema.EMBEDDINGS.

    Fragments lie where the video's frames do; without a video, evenly over the sound. Where there
    is no sound, or silence, tokens are missing. Raises VideoError or AudioError.
    """
    network = load(config)
    has_sound = recording["audio"] is not None and recording["audio_start"] is not None
    sound = resampled(read_audio(root / recording["audio"])) if has_sound else None
    times = _times(recording, root, sound, sampling.frames)
    values = np.full((sampling.frames, network.width), np.nan, np.float32)
    if sound is None:
        return result(recording, Tokens(times, values, "no sound"))
    spans = fragments(
        duration=float(times[-1] - times[0]), n=len(times), fragmenting=sampling.fragmenting
    )
    if config.context is not None:
        spans = widened(spans, seconds=config.context)
    pieces = cut(sound, spans + times[0] - recording["audio_start"])
    heard = [i for i, piece in enumerate(pieces) if state(piece) == "heard"]
    if heard:
        minimum = PADDED if sampling.fragmenting == "code" else 0.0
        values[heard] = network.encode([pieces[i] for i in heard], seconds=minimum)
    return result(recording, Tokens(times, values, _reason([state(p) for p in pieces])))


def resampled(sound: Sound) -> Floats32:
    """(n_times,) at RATE, filtered against aliases."""
    from scipy.signal import resample_poly

    if sound.sampling_rate == RATE:
        return sound.samples
    common = int(np.gcd(sound.sampling_rate, RATE))
    up, down = RATE // common, sound.sampling_rate // common
    return np.asarray(resample_poly(sound.samples, up, down), np.float32)


def cut(samples: Floats32, spans: Floats) -> list[Floats32]:
    """The samples, at RATE, within spans (n, 2) in s from the first one; less where it ends."""
    starts = np.round(spans[:, 0] * RATE).astype(int)
    lengths = np.round((spans[:, 1] - spans[:, 0]) * RATE).astype(int)  # alike if the spans are
    edges = np.stack([starts, starts + lengths], axis=1).clip(0, samples.size)
    return [samples[start:end] for start, end in edges.tolist()]


def state(piece: Floats32) -> Literal["absent", "silent", "heard"]:
    if piece.size < SHORTEST * RATE:
        return "absent"
    return "heard" if float(np.abs(piece).max()) > SILENT else "silent"


def filled(piece: Floats32, *, n_times: int) -> Floats32:
    """A sound with zeros after it, if it is shorter than this."""
    return np.pad(piece, (0, max(n_times - piece.size, 0)))


def _times(recording: dict[str, Any], root: Path, sound: Floats32 | None, n: int) -> Floats:
    """(n,) s on the trial's axis."""
    if recording["video"] is not None and recording["video_start"] is not None:
        found: Floats = sample_times(root / recording["video"], n) + recording["video_start"]
        return found
    duration = 0.0 if sound is None else sound.size / RATE
    return np.linspace(0.0, duration, n) + (recording["audio_start"] or 0.0)


def _reason(states: Sequence[str]) -> str:
    parts = {
        "silent": f"{states.count('silent')} of {len(states)} fragments are silent",
        "absent": f"{states.count('absent')} of {len(states)} lie where there is no sound",
    }
    return ", ".join(sentence for name, sentence in parts.items() if name in states)


@cache
def load(config: AudioEncoder) -> Network:
    """The network that params name, loaded once a process."""
    return _XVector(config.model) if config.backend == "transformers" else _Speaker(config.model)


class _XVector:
    def __init__(self, model: str) -> None:
        transformers = pretrained.transformers()
        source = pretrained.name_and_revision(model)
        self.device = pretrained.device()
        self.extractor = transformers.AutoFeatureExtractor.from_pretrained(**source)
        network = transformers.AutoModelForAudioXVector.from_pretrained(**source)
        self.model = network.eval().to(self.device)
        self.width = int(self.model.config.xvector_output_dim)
        self.shortest = _shortest(self.model)

    def encode(self, pieces: Sequence[Floats32], *, seconds: float) -> Floats32:
        """As `Network`. What fills a piece up is masked, as far as transformers' pooling obeys."""
        # A shorter one would leave its statistics nothing to be taken over.
        long_enough = [filled(piece, n_times=self.shortest) for piece in pieces]
        return _by_length(long_enough, self.width, partial(self._encode, seconds=seconds))

    def _encode(self, pieces: Sequence[Floats32], *, seconds: float) -> Floats32:
        """Of pieces of one length."""
        import torch

        extracted = self.extractor(pieces, sampling_rate=RATE, return_tensors="pt")
        heard = extracted["input_values"]
        filling = (0, max(round(seconds * RATE) - heard.shape[1], 0))
        samples = torch.nn.functional.pad(heard, filling).to(self.device)
        mask = torch.nn.functional.pad(torch.ones_like(heard).long(), filling).to(self.device)
        with torch.inference_mode(), warnings.catch_warnings():
            # transformers hands torch masks of two kinds.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            embedded = self.model(input_values=samples, attention_mask=mask).embeddings
        return np.asarray(embedded.float().cpu().numpy())


def _shortest(model: Any) -> int:
    """Samples of which the x-vector's last convolution gives two steps, the fewest that vary."""
    import torch

    config = model.config
    taken = sum(
        (kernel - 1) * dilation
        for kernel, dilation in zip(config.tdnn_kernel, config.tdnn_dilation, strict=True)
    )
    lengths = range(RATE // 100, 10 * RATE, RATE // 100)
    # As the model counts frames; its count of the steps after them forgets dilation.
    frames = (int(model._get_feat_extract_output_lengths(torch.tensor(n))) for n in lengths)
    return next(n for n, count in zip(lengths, frames, strict=True) if count - taken >= 2)


class _Speaker:
    def __init__(self, model: str) -> None:
        from pipeline_lib.embeddings import speaker

        self.device = pretrained.device()
        self.model = speaker.load(pretrained.only_file(model)).to(self.device)
        self.width = speaker.WIDTH

    def encode(self, pieces: Sequence[Floats32], *, seconds: float) -> Floats32:
        """As `Network`. Raised to one loudness together: what is louder stays so."""
        from pipeline_lib.embeddings import speaker

        ends = np.cumsum([piece.size for piece in pieces])
        raised = np.split(speaker.raised(np.concatenate(pieces)), ends[:-1])
        mels = [speaker.mel(filled(piece, n_times=round(seconds * RATE))) for piece in raised]
        lengths = np.array([len(each) for each in mels])
        together = np.zeros((len(mels), lengths.max(), speaker.BANDS), np.float32)
        for row, each in zip(together, mels, strict=True):
            row[: len(each)] = each
        return pretrained.forward(self.model, self.device, together, lengths)


def _by_length(
    pieces: Sequence[Floats32], width: int, encode: Callable[[Sequence[Floats32]], Floats32]
) -> Floats32:
    """(n, width), pieces of one length in one batch, so that none is padded for another's sake."""
    places: dict[int, list[int]] = {}
    for i, piece in enumerate(pieces):
        places.setdefault(piece.size, []).append(i)
    values = np.empty((len(pieces), width), np.float32)
    for alike in places.values():
        values[alike] = encode([pieces[i] for i in alike])
    return values
