"""Caption tokens: the sentence of templates that fits a frame best, encoded (ViPER 3.3).

The paper: CLIP compares the frame with all 53 sentences, and RoBERTa's CLS token stands for the
nearest. Only 53 rows can ever come out, so they are computed once and then looked up. Without a
CLIP (`chooser: action_units`) the emotion scores of the frame's action units choose the class, and
its strongest unit one of the class's sentences: a substitute, not a captioner.
"""

import fcntl
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline_lib.core import paths, tables
from pipeline_lib.core.imports import fingerprint
from pipeline_lib.embeddings import faces, image, pretrained
from pipeline_lib.embeddings.facial_action import at, from_openface
from pipeline_lib.embeddings.frames import sample_times
from pipeline_lib.embeddings.templates import CAPTIONS, SENTENCES, first_of
from pipeline_lib.embeddings.tokens import Tokens, result
from pipeline_lib.embeddings.units import EMOTIONS, UNITS
from pipeline_lib.incremental import Result
from pipeline_lib.params import CaptionEncoder, TextEncoder

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

ACTION_UNITS = "action_units"
LAUGHING, WIDE_EYES = (
    25,
    5,
)  # parted lips tell amusement from adoration, open eyes fear from anxiety
SHOWN = 0.2  # of 1: intensity A of FACS, 1 of 5


def embed_recording(
    recording: dict[str, Any], *, root: Path, openface: Path, config: CaptionEncoder, n: int
) -> Result:
    """Tokens of a recording with a video: one row of schema.EMBEDDINGS.

    With `action_units` the token of a frame without a face is missing. Raises VideoError.
    """
    video = root / recording["video"]
    rows = faces.measured(openface, recording)
    seen = None
    if config.chooser == ACTION_UNITS:
        times = sample_times(video, n)
        measured = at(times, rows["time"].to_numpy(), from_openface(rows))
        chosen = by_action_units(measured)
    else:
        clip = load_clip(config.chooser)
        found = image.sample_pictures(video, n, clip, rows if config.crop else None)
        times = found.times
        pictures = image.in_batches(clip, [picture for picture, _ in found.items])
        chosen = clip.nearest(pictures)[found.places]
        flags = np.array([has_face for _, has_face in found.items])[found.places]
        seen = int(flags.sum()) if config.crop else None
    table = sentence_rows(config.text)
    values = np.full((n, table.shape[1]), np.nan, np.float32)
    values[chosen >= 0] = table[chosen[chosen >= 0]]
    absent = int((chosen < 0).sum())
    reason = f"no face at {absent} of {n} frames" if absent else ""
    seen = n - absent if config.chooser == ACTION_UNITS else seen
    tokens = Tokens(times + recording["video_start"], values, reason, faces=seen)
    return result(recording, tokens)


def by_action_units(measured: Floats) -> Ints:
    """Choose a sentence for each frame: (n, 27) UNITS and EMOTIONS -> (n,); -1: no face."""
    chosen = [-1 if np.isnan(row).all() else _choose(row) for row in measured]
    return np.array(chosen, dtype=np.int64)


def _choose(row: Floats) -> int:
    units = dict(zip(UNITS, np.nan_to_num(row[: len(UNITS)]).tolist(), strict=True))
    scores = dict(zip(EMOTIONS, row[len(UNITS) :].tolist(), strict=True))
    del scores["anger"]  # none of the classes is
    emotion = max(scores, key=lambda name: scores[name])
    caption = {
        "happiness": "amusement" if units[LAUGHING] > SHOWN else "adoration",
        "fear": "fear" if units[WIDE_EYES] > SHOWN else "anxiety",
        "sadness": "empathic pain",
    }.get(emotion, emotion)
    strongest = max(range(len(UNITS)), key=lambda place: units[UNITS[place]])
    return first_of(caption) + strongest % len(CAPTIONS[caption])


@cache
def sentence_rows(config: TextEncoder) -> Floats32:
    """(53, width) the encoded SENTENCES: of the processes at work one computes them for all."""
    kept = paths.CACHE / "sentences" / f"{_content(config)}.float32"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            rows = _encoded(config)
            tables.atomic_write(kept, lambda temporary: temporary.write_bytes(rows.tobytes()))
    return np.frombuffer(kept.read_bytes(), np.float32).reshape(len(SENTENCES), -1)


def _content(config: TextEncoder) -> str:
    models = (config.model, config.config, config.tokenizer)
    contents = [pretrained.content(model) for model in models if model is not None]
    code = fingerprint([__name__])
    said = f"{SENTENCES} {config} {contents} {code} {version('transformers')}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _encoded(config: TextEncoder) -> Floats32:
    import torch

    transformers = pretrained.transformers()
    source = pretrained.name_and_revision(config.model)
    settings = transformers.AutoConfig.from_pretrained(
        **(pretrained.name_and_revision(config.config) if config.config else source)
    )
    words = pretrained.name_and_revision(config.tokenizer) if config.tokenizer else source
    tokenizer = transformers.AutoTokenizer.from_pretrained(**words, config=settings)
    model = transformers.AutoModel.from_pretrained(**source, config=settings).eval()
    rows = []
    for sentence in SENTENCES:  # one by one: nothing is padded
        with torch.inference_mode():
            inputs = tokenizer(sentence, return_tensors="pt", padding=False, truncation=True)
            hidden = model(**inputs).last_hidden_state[0]
        rows.append((hidden[0] if config.pooling == "cls" else hidden.mean(0)).float().numpy())
    return np.stack(rows)


@cache
def load_clip(model: str) -> "_Clip":
    """A CLIP and what it makes of the SENTENCES, loaded once a process."""
    return _Clip(model)


class _Clip:
    def __init__(self, model: str) -> None:
        import torch

        transformers = pretrained.transformers()
        source = pretrained.name_and_revision(model)
        self.device = pretrained.device()
        self.processor = transformers.AutoImageProcessor.from_pretrained(**source, backend="pil")
        self.model = transformers.CLIPModel.from_pretrained(**source).eval().to(self.device)
        tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
        inputs = tokenizer(list(SENTENCES), return_tensors="pt", padding=True).to(self.device)
        with torch.inference_mode():
            text = self.model.get_text_features(**inputs)
        self.sentences = _unit_length(_pooled(text))

    def prepare(self, picture: Image.Image) -> Floats32:
        pixels = self.processor(images=[picture], return_tensors="np")["pixel_values"]
        return np.asarray(pixels[0], np.float32)

    def encode(self, pictures: Sequence[Floats32]) -> Floats32:
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(pictures)).to(self.device)
            features = self.model.get_image_features(pixel_values=pixels)
        return _unit_length(_pooled(features))

    def nearest(self, pictures: Floats32) -> Ints:
        """(n,) the sentence of the largest cosine to each encoded picture."""
        return np.asarray((pictures @ self.sentences.T).argmax(axis=1))


def _pooled(features: Any) -> Floats32:
    """What transformers gives as a tensor, or since version 5 as the output that holds it."""
    tensor = getattr(features, "pooler_output", features)
    return np.asarray(tensor.float().cpu().numpy())


def _unit_length(vectors: Floats32) -> Floats32:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
