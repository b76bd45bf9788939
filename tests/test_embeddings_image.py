"""Image tokens: the networks against what they should see, faces cut out, frames without one."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

from pipeline_lib.core import tables
from pipeline_lib.core.schema import LANDMARKS, OPENFACE
from pipeline_lib.embeddings import efficientnet_lite, image, mini_xception
from pipeline_lib.embeddings.faces import locator
from pipeline_lib.embeddings.tflite import read_convolutions
from pipeline_lib.embeddings.tokens import Floats32
from pipeline_lib.params import ImageEncoder
from pipeline_lib.video.decode import read_frames
from pipeline_lib.video.encode import write_video

DAISY, BEE = 985, 309  # of ImageNet's classes
FACE = (200.0, 40.0, 420.0, 340.0)  # px, of the woman in sad_then_laughing


def openface(folder: Path, *, seconds: float, success=True, box=FACE) -> Path:
    """What OpenFace would measure: one box at 10 Hz."""
    times = np.arange(0, seconds, 0.1)
    x, y = np.linspace(box[0], box[2], 68), np.linspace(box[1], box[3], 68)
    known = dict(zip(LANDMARKS, [*x, *y], strict=True))
    rows = {name: known.get(name, 0.0) for name in OPENFACE} | {
        "recording_id": "r", "frame": range(1, len(times) + 1), "time": times, "success": success,
        "backend": "embedded",
    }  # fmt: skip
    table = pl.DataFrame(rows).select(pl.col(n).cast(t) for n, t in OPENFACE.items())
    tables.write_table(table, tables.shard(folder, "s"))
    return folder


def recording(video: Path, **fields) -> dict:
    return {"recording_id": "r", "subject": "s", "video": video.name, "video_start": -1.0} | fields


def values(result) -> Floats32:
    (row,) = result.table.to_dicts()
    return np.array(row["values"], np.float32).reshape(-1, row["width"])


@pytest.fixture(scope="module")
def vit(tmp_path_factory) -> Path:
    """A folder as a hub has it: a ViT of random weights, and how to prepare pictures."""
    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    config = ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                       intermediate_size=64, image_size=32, patch_size=16)  # fmt: skip
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_the_small_encoder_knows_what_is_in_a_picture(asset):
    config = ImageEncoder(
        backend="efficientnet_lite", model=str(asset("efficientnet_lite0")), crop=False
    )
    network = image.load(config)
    picture = Image.fromarray(load_sample_image("flower.jpg"))
    model = efficientnet_lite.load(asset("efficientnet_lite0"))
    with torch.inference_mode():
        logits = model.classify(torch.from_numpy(network.prepare(picture)[None]))
    assert logits[0].topk(2).indices.tolist() == [DAISY, BEE]
    assert network.encode([network.prepare(picture)]).shape == (1, efficientnet_lite.WIDTH)


def test_the_small_face_encoder_tells_a_sad_face_from_a_laughing_one(asset):
    model = mini_xception.load(read_convolutions(asset("mini_xception")))
    config = ImageEncoder(backend="mini_xception", model=str(asset("mini_xception")), crop=True)
    network = image.load(config)
    found = []
    for frame in read_frames(asset("sad_then_laughing"), indices=[30, 330, 420]):
        face = image.cropped(Image.fromarray(frame.rgb), np.array([360, 60, 580, 340]))
        with torch.inference_mode():
            scores = model.classify(torch.from_numpy(network.prepare(face)[None]))
        found.append(mini_xception.EMOTIONS[int(scores.argmax())])
    assert found == ["sadness", "happiness", "happiness"]


def test_other_weights_are_refused(asset, tmp_path):
    with pytest.raises(ValueError, match="not mini-Xception"):
        mini_xception.load(read_convolutions(asset("mini_xception"))[::-1])
    (tmp_path / "w.tflite").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"w.tflite: not a TensorFlow Lite model"):
        read_convolutions(tmp_path / "w.tflite")


def test_a_vit_gives_the_cls_token_of_its_last_hidden_state(vit):
    network = image.load(ImageEncoder(backend="transformers", model=str(vit), crop=False))
    picture = Image.fromarray(load_sample_image("china.jpg"))
    pixels = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR)) / 255
    expected = torch.from_numpy((pixels - 0.5) / 0.5).permute(2, 0, 1)[None].float()
    model = ViTModel.from_pretrained(vit).eval()
    with torch.inference_mode():
        hidden = model(pixel_values=expected).last_hidden_state[:, 0]
    found = network.encode([network.prepare(picture)])
    np.testing.assert_allclose(found, hidden.numpy(), atol=1e-4)


def test_tokens_have_the_times_of_the_trial_and_show_the_face(vit, asset, tmp_path):
    video = asset("sad_then_laughing")
    measured = openface(tmp_path, seconds=20)
    config = ImageEncoder(backend="transformers", model=str(vit), crop=True)
    found = image.embed_recording(
        recording(video), root=video.parent, openface=measured, config=config, n=8
    )
    assert (found.status, found.frames, found.faces) == ("ok", 8, 8)
    times = found.table["times"][0].to_list()
    assert times[0] == -1.0
    assert times[-1] == pytest.approx(18.6, abs=0.2)
    (first,) = read_frames(video, indices=[0])
    network = image.load(config)
    face = image.cropped(Image.fromarray(first.rgb), np.array(FACE))
    alone = network.encode([network.prepare(face)])[0]
    np.testing.assert_allclose(values(found)[0], alone, atol=1e-4)


@pytest.mark.parametrize("rows", ["without a face", "none"])
def test_without_a_face_the_whole_frame_is_seen_and_that_is_recorded(vit, asset, tmp_path, rows):
    video = asset("no_face")
    measured = openface(tmp_path, seconds=5, success=False) if rows != "none" else tmp_path
    whole, cropped = (
        image.embed_recording(
            recording(video),
            root=video.parent,
            openface=measured,
            config=ImageEncoder(backend="transformers", model=str(vit), crop=crop),
            n=4,
        )
        for crop in (False, True)
    )
    np.testing.assert_array_equal(values(whole), values(cropped))
    assert (whole.faces, cropped.faces) == (None, 0)


def test_a_clip_of_ten_frames_has_all_its_tokens(vit, tmp_path):
    write_video(tmp_path / "v.mp4", [np.full((48, 64, 3), 20 * i, np.uint8) for i in range(10)],
                frame_rate=25)  # fmt: skip
    config = ImageEncoder(backend="transformers", model=str(vit), crop=False)
    found = image.embed_recording(
        recording(tmp_path / "v.mp4"), root=tmp_path, openface=tmp_path, config=config, n=32
    )
    assert values(found).shape == (32, 32)
    assert len(np.unique(values(found).round(5), axis=0)) == 10


def test_a_face_elsewhere_in_time_or_beyond_the_picture_is_none(tmp_path):
    rows = tables.read_table(tables.shard(openface(tmp_path, seconds=2), "s"), OPENFACE)
    box_at = locator(rows)
    assert box_at(2.3).tolist() == list(FACE)
    assert box_at(2.5) is None
    assert image.cropped(Image.new("RGB", (64, 48)), np.array([70.0, 0.0, 90.0, 20.0])) is None
