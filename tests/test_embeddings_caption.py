"""Caption tokens: which sentence fits a frame, and that each is encoded as itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from pipeline_lib.embeddings import caption, image
from pipeline_lib.embeddings.facial_action import emotions
from pipeline_lib.embeddings.templates import CAPTIONS, SENTENCES
from pipeline_lib.embeddings.units import UNITS
from pipeline_lib.params import CaptionEncoder, TextEncoder
from tests.test_embeddings_image import openface, recording

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 2}  # fmt: skip


def tokenizer(folder: Path) -> int:
    """Save one whose words are those of the captions; how many there are."""
    words = sorted({w.strip(",.") for s in SENTENCES for w in s.replace("'", " ' ").split()})
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<unk>", "<s>", "</s>", *words])}
    model = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    model.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="<pad>", unk_token="<unk>", bos_token="<s>",
        eos_token="</s>", model_max_length=32,
    ).save_pretrained(folder)  # fmt: skip
    return len(vocabulary)


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("roberta")
    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=tokenizer(folder), max_position_embeddings=40, pad_token_id=0,
                           bos_token_id=2, eos_token_id=3, **SMALL)  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    text = {"vocab_size": tokenizer(folder), "max_position_embeddings": 32, "eos_token_id": 3,
            "pad_token_id": 0, "bos_token_id": 2} | SMALL  # fmt: skip
    vision = {"image_size": 32, "patch_size": 16} | SMALL
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder


def measured(*units: int) -> np.ndarray:
    """(1, 27) of a face that shows these units."""
    values = np.array([[float(unit in units) for unit in UNITS]])
    return np.concatenate([values, emotions(values)], axis=1)


def emotion_of(sentence: int) -> str:
    return next(name for name, own in CAPTIONS.items() if SENTENCES[sentence] in own)


@pytest.mark.parametrize(
    ("units", "emotion"),
    [((6, 12, 25), "amusement"), ((6, 12), "adoration"), ((4, 15, 17), "empathic pain"),
     ((1, 2, 4, 5, 20, 25), "fear"), ((1, 4, 20, 25), "anxiety"), ((9, 10, 17), "disgust"),
     ((1, 2, 25, 26), "surprise"), ((), "neutral")],
)  # fmt: skip
def test_action_units_choose_the_class(units, emotion):
    assert emotion_of(int(caption.by_action_units(measured(*units))[0])) == emotion


def test_a_frame_without_a_face_gets_no_caption():
    rows = np.concatenate([np.full((1, 27), np.nan), measured(6, 12, 25)])
    chosen = caption.by_action_units(rows)
    assert chosen[0] == -1
    assert chosen[1] >= 0


def test_each_sentence_is_the_cls_token_of_itself(roberta):
    rows = caption.sentence_rows(TextEncoder(model=str(roberta), pooling="cls"))
    assert rows.shape == (53, 32)
    assert len(np.unique(rows.round(5), axis=0)) == 53
    model = RobertaModel.from_pretrained(roberta).eval()
    words = PreTrainedTokenizerFast.from_pretrained(roberta)(SENTENCES[20], return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**words).last_hidden_state
    np.testing.assert_allclose(rows[20], hidden[0, 0].numpy(), atol=1e-5)


def test_one_worker_encodes_the_sentences_for_all(roberta, tmp_path, monkeypatch):
    config = TextEncoder(model=str(roberta), pooling="mean")
    encode, calls = caption._encoded, []
    monkeypatch.setattr(caption.paths, "CACHE", tmp_path)
    # Workers are processes. In threads, CPython 3.11 now and then loses count in `ast.parse`.
    monkeypatch.setattr(caption, "fingerprint", lambda _modules: "code")
    monkeypatch.setattr(caption, "_encoded", lambda text: calls.append(text) or encode(text))
    with ThreadPoolExecutor(3) as workers:
        found = list(workers.map(caption.sentence_rows.__wrapped__, [config] * 3))
    assert calls == [config]
    assert all(np.array_equal(rows, encode(config)) for rows in found)


def test_the_small_encoder_knows_which_sentences_mean_the_same():
    from pipeline_lib.params import load_params

    rows = caption.sentence_rows(load_params().embeddings["tiny"].caption.text)
    assert rows.shape == (53, 384)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    emotion = np.array([emotion_of(i) for i in range(53)])
    same = emotion[:, None] == emotion
    np.fill_diagonal(same, False)
    cosines = rows @ rows.T
    assert cosines[same].mean() > cosines[emotion[:, None] != emotion].mean() + 0.1


def test_clip_chooses_the_sentence_of_the_largest_cosine(clip):
    network = caption.load_clip(str(clip))
    pictures = [Image.new("RGB", (48, 40), colour) for colour in ("red", "white", "navy")]
    encoded = image.in_batches(network, [network.prepare(picture) for picture in pictures])
    np.testing.assert_allclose(np.linalg.norm(encoded, axis=1), 1, atol=1e-5)
    expected = [max(range(53), key=lambda i: float(row @ network.sentences[i])) for row in encoded]
    assert network.nearest(encoded).tolist() == expected
    model = CLIPModel.from_pretrained(clip).eval()
    words = PreTrainedTokenizerFast.from_pretrained(clip)(
        list(SENTENCES), return_tensors="pt", padding=True
    )
    pixels = torch.from_numpy(network.prepare(pictures[0])[None])
    with torch.inference_mode():
        similar = model(pixel_values=pixels, **words).logits_per_image
    assert int(similar.argmax()) == expected[0]


def test_tokens_are_rows_of_the_look_up(clip, roberta, asset, tmp_path):
    video = asset("neutral_then_smiling")
    text = TextEncoder(model=str(roberta), pooling="cls")
    table = caption.sentence_rows(text)
    for chooser, seen in ((str(clip), None), (caption.ACTION_UNITS, 6)):
        found = caption.embed_recording(
            recording(video),
            root=video.parent,
            openface=openface(tmp_path, seconds=3),
            config=CaptionEncoder(chooser=chooser, crop=False, text=text),
            n=6,
        )
        values = np.array(found.table["values"][0].to_list(), np.float32).reshape(6, 32)
        assert {tuple(row) for row in values} <= {tuple(row) for row in table}
        assert (found.status, found.faces) == ("ok", seen)
