"""VideoMAE at 32 px: masks, pre-training, Hugging Face folders, fine-tuning, leaks."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from transformers import (
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    ViTConfig,
    ViTModel,
)

from models.videomae import finetune_fold, layer_groups, normalise, pretrain, tube_masks
from pipeline_lib.clips import Clips, decode, usable
from pipeline_lib.core.schema import CROPS
from pipeline_lib.core.tables import shard, write_table
from pipeline_lib.learning.training import FoldResult, TrainingError
from pipeline_lib.params import VideoMAE, load_params

SIZE, N_FRAMES = 32, 4


def config(pretrained: str | None = None, *, image_size: int = SIZE, **finetune: Any) -> VideoMAE:
    tiny = load_params().models["tiny"].videomae
    quick = {"epochs": 8, "learning_rate": 0.05, "layer_decay": 1.0, **finetune}
    return tiny.model_copy(
        update={
            "pretrained": pretrained,
            "image_size": image_size,
            "dim": 32,
            "depth": 2,
            "tubelet": 2,
            "decoder_dim": 16,
            "pretrain": tiny.pretrain.model_copy(update={"epochs": 6, "learning_rate": 0.05}),
            "finetune": tiny.finetune.model_copy(update=quick),
        }
    )


def jpeg(pixels: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def shown(name: str, crop: str, clip: int, position: int, picture: Any) -> dict[str, Any]:
    """A row of schema.CROPS, of a frame with a face."""
    known = {"recording_id": name, "crop": crop, "clip": clip, "position": position}
    return dict.fromkeys(CROPS) | known | {"face": True, "jpeg": jpeg(picture)}


def planted(
    n_subjects: int = 12, *, size: int = SIZE, seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Valence lights up the top of the picture, arousal the bottom; two trials of two clips."""
    rng = np.random.default_rng(seed)
    crops, labels, fold = [], [], []
    for subject in range(n_subjects):
        role = "test" if subject < 3 else "validation" if subject < 6 else "train"
        for trial in range(2):
            name = f"{subject:02}_{trial}"
            valence, arousal = (int(x) for x in rng.integers(0, 2, 2))
            labels.append((name, valence, arousal))
            fold.append((0, name, role))
            for frame in range(2 * N_FRAMES):
                picture = rng.normal(90, 20, (size, size, 3))
                picture[: size // 2] += 80 * valence
                picture[size // 2 :] += 80 * arousal
                crops.append(shown(name, "large", *divmod(frame, N_FRAMES), picture))
    return (
        pl.DataFrame(crops, schema=dict(CROPS), orient="row"),
        pl.DataFrame(labels, ["recording_id", "valence_label", "arousal_label"], orient="row"),
        pl.DataFrame(fold, ["fold", "recording_id", "role"], orient="row"),
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random VideoMAE saved as others save theirs: it would read token 0, not the mean."""
    torch.manual_seed(0)
    model = VideoMAEForPreTraining(
        VideoMAEConfig(image_size=SIZE, patch_size=16, num_frames=N_FRAMES, hidden_size=32,
                       num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                       decoder_hidden_size=16, decoder_num_hidden_layers=1,
                       decoder_num_attention_heads=2, decoder_intermediate_size=32,
                       use_mean_pooling=False)
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("encoder") / "fold-0"
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("n_patches", "n_masked"), [(16, 14), (196, 176), (9, 8)])
def test_mask_is_a_tube_of_an_exact_number(n_patches: int, n_masked: int) -> None:
    torch.manual_seed(0)
    masks = tube_masks(200, n_tubes=8, n_patches=n_patches, ratio=0.9)
    assert masks.shape == (200, 8 * n_patches)
    tubes = masks.view(200, 8, n_patches)
    assert (tubes == tubes[:, :1]).all()
    assert (tubes[:, 0].sum(dim=1) == n_masked).all()
    assert (~tubes[:, 0]).any(dim=0).all()  # each patch is seen sometimes


def test_mask_is_of_patches_in_transformers_order(encoder: Path) -> None:
    """A tube hides one place of the picture: all that is seen there must not change the code."""
    model = VideoMAEForPreTraining.from_pretrained(encoder)
    mask = torch.tensor([[True, False, False, False] * 2])  # top left, in both tubes
    pixels = torch.randn(1, N_FRAMES, 3, SIZE, SIZE)
    other = pixels.clone()
    other[..., :16, :16] += 1
    seen = [model.videomae(x, bool_masked_pos=mask).last_hidden_state for x in (pixels, other)]
    assert torch.equal(*seen)


def test_pixels_are_normalised_as_by_imagenet() -> None:
    white = normalise(torch.full((1, 1, 3, 2, 2), 255, dtype=torch.uint8))
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    assert white[0, 0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_clips_are_rgb_in_order_and_of_one_crop() -> None:
    rows = [
        shown("a", crop, 0, position, np.full((8, 8, 3), (value, 0, 0)))
        for crop, position, value in [("small", 0, 9), ("large", 1, 200), ("large", 0, 100)]
    ]
    clips = Clips(pl.DataFrame(rows, schema=dict(CROPS), orient="row"), crop="large", size=8)
    assert len(clips) == 1
    pixels = clips[0]["pixels"]
    assert pixels.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(pixels[:, :, 4, 4], [[100, 0, 0], [200, 0, 0]], atol=2)
    assert clips[0]["pixels"] is pixels
    assert decode(rows[0]["jpeg"], size=6).shape == (6, 6, 3)


def test_stored_clips_are_those_in_memory_however_they_lie(tmp_path: Path) -> None:
    crops = planted(3)[0]
    held = Clips(crops, crop="large", size=SIZE)
    parts = crops.partition_by("recording_id")
    for part, group in zip(parts, [None, 3, N_FRAMES, 64, 1, 2], strict=True):
        mixed = pl.concat(
            [part.with_columns(crop=pl.lit("small")), part.sample(fraction=1, shuffle=True)]
        )
        write_table(mixed, shard(tmp_path, part["recording_id"][0]), group=group)
    stored = pickle.loads(pickle.dumps(Clips(tmp_path, crop="large", size=SIZE)))  # for a worker
    assert stored.recording_ids == held.recording_ids
    for i in range(len(held)):
        assert torch.equal(stored[i]["pixels"], held[i]["pixels"])
    assert len(Clips(tmp_path / "none", crop="large", size=SIZE)) == 0


def test_no_more_is_kept_than_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(planted(3)[0], shard(tmp_path, "s"))
    clips = Clips(tmp_path, crop="large", size=SIZE)
    monkeypatch.setattr("pipeline_lib.clips.MEMORY", 5 * clips[0]["pixels"].nbytes)
    first, last = ([clips[i]["pixels"] for i in range(len(clips))] for _ in range(2))
    assert [a is b for a, b in zip(first, last, strict=True)] == [i < 5 for i in range(len(clips))]


def test_pretraining_learns_and_writes_a_hugging_face_folder(tmp_path: Path) -> None:
    clips = Clips(planted()[0], crop="large", size=SIZE)
    history = pretrain(clips, config=config(), seed=0, checkpoint=None, out=tmp_path / "out")
    assert history[-1].train_loss < 0.99 * history[0].train_loss
    a, b = (VideoMAEForPreTraining.from_pretrained(tmp_path / "out") for _ in range(2))
    x, mask = normalise(clips[0]["pixels"][None]), tube_masks(1, n_tubes=2, n_patches=4, ratio=0.5)
    assert torch.equal(a(x, bool_masked_pos=mask).logits, b(x, bool_masked_pos=mask).logits)
    positions = a.videomae.embeddings.position_embeddings  # no weight: is it there after loading?
    assert positions[0, 1, :2].tolist() == pytest.approx([np.sin(1), np.cos(1)])


def test_pretraining_starts_from_a_local_folder_and_resumes(encoder: Path, tmp_path: Path) -> None:
    clips = Clips(planted(8)[0], crop="large", size=SIZE)
    settings: dict[str, Any] = {"config": config(str(encoder)), "seed": 0}
    once = pretrain(clips, checkpoint=tmp_path / "a.pt", out=tmp_path / "once", **settings)
    again = pretrain(clips, checkpoint=tmp_path / "a.pt", out=tmp_path / "again", **settings)
    assert once == again
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("once", "again")]
    assert files[0] == files[1]
    start = VideoMAEForPreTraining.from_pretrained(encoder)
    assert VideoMAEForPreTraining.from_pretrained(tmp_path / "once").config == start.config


def finetune(
    data: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame], start: Path, **changes: Any
) -> FoldResult:
    crops, *others = data
    settings = config(**changes)
    return finetune_fold(
        Clips(crops, crop="large", size=settings.image_size),
        *others,
        recipe=settings.finetune,
        start=start.parent,
        seed=0,
        checkpoint=None,
    )


def test_fine_tuning_learns_and_averages_over_clips(encoder: Path) -> None:
    data = planted(18)
    result = finetune(data, encoder, epochs=14)
    scores = result.scores.join(data[1], on="recording_id")
    assert scores.height == 2 * 6
    for target in ("valence", "arousal"):
        rows = scores.filter(target=target)
        hits = rows["score"].to_numpy().round() == rows[f"{target}_label"].to_numpy()
        assert hits.mean() >= 0.8, target
    clips = Clips(data[0], crop="large", size=SIZE)  # the first two are of the first test recording
    with torch.inference_mode():
        pixels = normalise(torch.stack([clips[0]["pixels"], clips[1]["pixels"]]))
        mean = result.model.videomae(pixels).logits.sigmoid().mean(dim=0)
    first = scores.filter(recording_id="00_0").sort("target")["score"]
    np.testing.assert_allclose(first, mean.flip(0), rtol=1e-4)


def test_head_reads_the_mean_over_all_tokens(encoder: Path) -> None:
    videomae = finetune(planted(8), encoder, epochs=1).model.videomae
    assert isinstance(videomae, VideoMAEForVideoClassification)
    pixels = torch.zeros(1, N_FRAMES, 3, SIZE, SIZE)
    tokens = videomae.videomae(pixels).last_hidden_state
    assert videomae.fc_norm is not None
    logits = videomae.classifier(videomae.fc_norm(tokens.mean(dim=1)))
    torch.testing.assert_close(videomae(pixels).logits, logits)


def test_test_recordings_touch_nothing_that_is_fitted(encoder: Path) -> None:
    crops, labels, fold = planted(8)
    flipped = labels.with_columns(
        pl.when(pl.col("recording_id").is_in(fold.filter(role="test")["recording_id"].to_list()))
        .then(1 - pl.col("valence_label"))
        .otherwise("valence_label")
        .alias("valence_label")
    )
    a, b = (finetune((crops, x, fold), encoder, epochs=2) for x in (labels, flipped))
    assert a.history == b.history
    assert a.scores.equals(b.scores)


def test_learning_rate_shrinks_towards_the_pixels(encoder: Path) -> None:
    model = VideoMAEForVideoClassification.from_pretrained(encoder, num_labels=2)
    recipe = config().finetune
    groups = layer_groups(model, recipe, layer_decay=0.5)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    rate = recipe.learning_rate * recipe.batch_size / 256
    assert sorted({group["lr"] / rate for group in groups}) == [0.125, 0.25, 0.5, 1.0]
    head = next(group for group in groups if model.classifier.weight in set(group["params"]))
    assert (head["lr"], head["weight_decay"]) == (rate, recipe.weight_decay)
    bias = next(group for group in groups if model.classifier.bias in set(group["params"]))
    assert bias["weight_decay"] == 0


def test_recordings_without_clips_or_labels_take_no_part() -> None:
    crops, labels, _ = planted(3)
    more = pl.concat([labels, pl.DataFrame([("no clips", 1, 1)], labels.schema, orient="row")])
    unrated = more.with_columns(
        arousal_label=pl.when(recording_id="01_0").then(None).otherwise("arousal_label")
    )
    assert usable(unrated, Clips(crops, crop="large", size=SIZE)).height == labels.height - 1


def test_clips_of_another_size_name_the_key(encoder: Path) -> None:
    with pytest.raises(TrainingError, match=r"4 frames of 48x48 px.*4 of 32x32.*image_size"):
        finetune(planted(8), encoder, image_size=48)
    clips = Clips(planted(8)[0], crop="large", size=40)
    with pytest.raises(TrainingError, match=r"4 frames of 40 px are not whole.*16 px"):
        pretrain(clips, config=config(), seed=0, checkpoint=None, out=Path())


def test_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    other = ViTModel(ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                               intermediate_size=32, image_size=32))  # fmt: skip
    other.save_pretrained(tmp_path / "fold-0")
    with pytest.raises(TrainingError, match="holds a vit, not a videomae"):
        finetune(planted(8), tmp_path / "fold-0")
