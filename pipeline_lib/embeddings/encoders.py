"""Which work an encoder's params ask for, and what its result depends on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline_lib import incremental
from pipeline_lib.embeddings import audio, caption, facial_action, image, pretrained, pyfeat_csv
from pipeline_lib.params import (
    AudioEncoder,
    CaptionEncoder,
    FacialActions,
    ImageEncoder,
    Sampling,
)

Encoder = ImageEncoder | CaptionEncoder | AudioEncoder | FacialActions


def work(config: Encoder, *, root: Path, openface: Path, sampling: Sampling) -> incremental.Batch:
    """What makes the rows of schema.EMBEDDINGS out of a batch of recordings."""
    n = sampling.frames
    match config:
        case ImageEncoder():
            return incremental.one_by_one(
                image.embed_recording, root=root, openface=openface, config=config, n=n
            )
        case CaptionEncoder():
            return incremental.one_by_one(
                caption.embed_recording, root=root, openface=openface, config=config, n=n
            )
        case AudioEncoder():
            return incremental.one_by_one(
                audio.embed_recording, root=root, config=config, sampling=sampling
            )
        case FacialActions():
            return incremental.one_by_one(
                facial_action.embed_recording, root=root, openface=openface, config=config, n=n
            )


def needs(config: Encoder) -> str:
    """The column of the index without which a recording has nothing to encode."""
    return "duration" if isinstance(config, AudioEncoder) else "video"


def inputs(
    config: Encoder, *, extracted: Mapping[str, str]
) -> Callable[[Mapping[str, Any]], list[object]]:
    """What a recording's tokens depend on besides params and code.

    extracted : recording_id -> what stands for its rows of OpenFace
    """
    models = [pretrained.content(model) for model in _models(config)]

    def of(recording: Mapping[str, Any]) -> list[object]:
        names = ["recording_id", "video_sha256", "video_start"]
        if isinstance(config, AudioEncoder):
            names += ["audio_sha256", "audio_start"]
        own: list[object] = [recording[name] for name in names]
        if sees_faces(config):
            own.append(extracted[recording["recording_id"]])
        if isinstance(config, FacialActions) and config.pyfeat is not None:
            own.append(pyfeat_csv.content(Path(config.pyfeat), recording))
        return [*models, *own]

    return of


def sees_faces(config: Encoder) -> bool:
    """Whether OpenFace's rows change the tokens."""
    match config:
        case ImageEncoder():
            return config.crop
        case CaptionEncoder():
            return config.crop or config.chooser == caption.ACTION_UNITS
        case FacialActions():
            return config.pyfeat is None
    return False


def _models(config: Encoder) -> list[str]:
    match config:
        case CaptionEncoder():
            text = config.text
            named = [config.chooser, text.model, text.config, text.tokenizer]
            return [name for name in named if name is not None]
        case FacialActions():
            return []
    return [config.model]
