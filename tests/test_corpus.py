"""Pre-training on a corpus: who is seen, what is taught, one model for all folds or one a fold."""

import math
from pathlib import Path

import polars as pl
import pytest
import torch

from models.videomae import Taught, lesson_loss, normalise
from pipeline_lib import corpus
from pipeline_lib.clips import Clips
from pipeline_lib.core import paths
from pipeline_lib.core.schema import RECORDINGS
from pipeline_lib.learning import splits
from pipeline_lib.learning.training import TrainingError
from tests.test_model_videomae import config, encoder, finetune, planted  # noqa: F401

NAN = math.nan


def index(*rows: tuple[str, str, int | None, int | None]) -> pl.DataFrame:
    names = ("recording_id", "stimulus", "valence_label", "arousal_label")
    full = [dict.fromkeys(RECORDINGS) | dict(zip(names, row, strict=True)) for row in rows]
    return pl.DataFrame(full, schema=dict(RECORDINGS))


def folds(*roles: str) -> pl.DataFrame:
    """A fold a word, whose letters are the roles of the recordings a, b, ...: r, v, t."""
    said = {"r": "train", "v": "validation", "t": "test"}
    rows = [
        (number, "abcdef"[i], "abcdef"[i], said[letter])
        for number, word in enumerate(roles)
        for i, letter in enumerate(word)
    ]
    return pl.DataFrame(rows, ["fold", "recording_id", "subject", "role"], orient="row")


def test_a_fold_sees_all_but_its_test_subjects():
    clips = {"deap": "aabcx", "kinetics": "pq"}
    of_deap = {"deap": folds("rvt", "trv")}
    assert corpus.fold_numbers(of_deap, leaky=False) == [0, 1]
    assert corpus.visible(clips, of_deap, fold=0) == {"deap": {"a", "b"}, "kinetics": {"p", "q"}}
    assert corpus.visible(clips, of_deap, fold=1)["deap"] == {"b", "c"}


def test_a_corpus_without_folds_needs_one_model():
    assert corpus.fold_numbers({}, leaky=False) == [None]
    assert corpus.visible({"kinetics": "pq"}, {}, fold=None) == {"kinetics": {"p", "q"}}


def test_a_set_that_nobody_after_is_tested_on_is_seen_whole_by_one_model(tmp_path: Path):
    corpora = {"k400": ["kinetics"], "kad": ["kinetics", "amigos"], "kd": ["kinetics", "deap"]}
    starts = [("amigos", "supervise-kd"), ("amigos", "pretrain-kad"), ("deap", "pretrain-kad")]
    tested = splits.tested_after(starts, corpora, {"kd": "k400"})
    assert tested == {"k400": [], "kad": ["amigos"], "kd": []}
    same = splits.tested_after([*starts, ("deap", "supervise-kd")], corpora, {"kd": "k400"})
    assert same["kd"] == ["deap"]  # the letter of Table 3
    (tmp_path / "fold-all").mkdir()
    assert corpus.fold_numbers({}, leaky=False, start=tmp_path) == [None]
    for number in (1, 0):
        paths.fold(tmp_path / "by-fold", number).mkdir(parents=True)
    assert corpus.fold_numbers({}, leaky=False, start=tmp_path / "by-fold") == [0, 1]


def test_sets_with_labels_teach_these_and_others_classes():
    indices = {
        "deap": index(("a", "7", 1, 0), ("b", "7", None, 1)),
        "kinetics": index(
            ("p", "laughing", None, None), ("q", "crying", None, None), ("r", "n/a", None, None)
        ),
    }
    taught, n_classes = corpus.lessons(indices)
    assert n_classes == 2
    assert taught["deap"].keys() == {"a"}
    assert taught["deap"]["a"] == pytest.approx([1, 0, NAN], nan_ok=True)
    assert {k: v[2] for k, v in taught["kinetics"].items()} == {"p": 1, "q": 0}


def test_loss_of_a_batch_is_that_of_each_lesson():
    """Against the same by hand, and without a trace of what is not taught."""
    labels, actions = torch.tensor([[0.3, -1.0], [5.0, 5.0]]), torch.tensor([[9.0, 9], [0.2, 1.0]])
    lesson = torch.tensor([[1.0, 0.0, NAN], [NAN, NAN, 1.0]])

    def model(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return labels, actions

    rated = (math.log1p(math.exp(-0.3)) + math.log1p(math.exp(-1.0))) / 2
    shown = math.log1p(math.exp(0.2 - 1.0))
    loss = lesson_loss(model, {"pixels": torch.zeros(2), "lesson": lesson})  # type: ignore[arg-type]
    assert float(loss) == pytest.approx((rated + shown) / 2)


@pytest.fixture(scope="module")
def supervised(tmp_path_factory, encoder: Path) -> tuple[Path, list]:  # noqa: F811
    """A model taught on one planted set with folds and one of two classes without."""
    crops, labels, fold = planted(8)
    names = {"recording_id": pl.lit("k") + pl.col("recording_id")}
    kinetics = labels.with_columns(
        **names, stimulus=pl.when(valence_label=1).then(pl.lit("up")).otherwise(pl.lit("down"))
    )
    out = tmp_path_factory.mktemp("supervise-kad")
    recipe = config().supervise.model_copy(update={"epochs": 8, "learning_rate": 0.05})
    history = corpus.supervise_fold(
        0,
        clips={
            dataset: Clips(table, crop="large", size=config().image_size)
            for dataset, table in (("deap", crops), ("kinetics", crops.with_columns(**names)))
        },
        indices={"deap": labels.with_columns(stimulus=pl.lit("7")), "kinetics": kinetics},
        folds={"deap": fold.with_columns(subject=pl.col("recording_id"))},
        config=config().model_copy(update={"supervise": recipe}),
        start=encoder.parent,
        seed=0,
        checkpoint=None,
        out=out,
    )
    return out, history


def test_supervised_pretraining_learns_and_serves_fine_tuning(supervised):
    out, history = supervised
    assert history[-1].train_loss < 0.9 * history[0].train_loss
    taught = finetune(planted(8), paths.fold(out, 0), epochs=1)
    assert taught.scores.height == 2 * 6


def test_heads_read_what_transformers_reads(supervised):
    from transformers import VideoMAEForVideoClassification

    videomae = VideoMAEForVideoClassification.from_pretrained(paths.fold(supervised[0], 0)).eval()
    pixels = torch.randint(0, 255, (2, 4, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        labels, actions = Taught(videomae, 3)(pixels)
        torch.testing.assert_close(labels, videomae(normalise(pixels)).logits)
    assert actions.shape == (2, 3)


def test_a_corpus_that_the_checkpoint_was_made_on_has_it_as_it_is(tmp_path: Path, encoder: Path):  # noqa: F811
    clips = {"kinetics": Clips(planted(8)[0], crop="large", size=config().image_size)}
    settings = config(str(encoder)).model_copy(update={"pretrained_on": "k400"})
    common = {"clips": clips, "folds": {}, "config": settings, "seed": 0}
    for name, done in (("pretrain-k400", True), ("pretrain-more", False)):
        out, saved = tmp_path / name, tmp_path / f"{name}.pt"
        history = corpus.pretrain_fold(None, done=done, checkpoint=saved, out=out, **common)
        same = (paths.fold(out, None) / "model.safetensors").read_bytes() == (
            encoder / "model.safetensors"
        ).read_bytes()
        assert (history == [], same) == (done, done)
    told = (paths.fold(tmp_path / "pretrain-k400", None) / "source.json").read_text()
    assert str(encoder) in told
    assert finetune(planted(8), tmp_path / "pretrain-k400" / "fold-0", epochs=1).history


def test_one_model_of_all_folds_serves_each(tmp_path: Path, encoder: Path):  # noqa: F811
    assert paths.start(tmp_path, 3) == tmp_path / "fold-3"
    encoder.rename(shared := paths.fold(tmp_path, None))
    try:
        assert paths.start(tmp_path, 3) == shared
        assert finetune(planted(8), tmp_path / "fold-0", epochs=1).history
    finally:
        shared.rename(encoder)
    with pytest.raises((TrainingError, OSError)):
        finetune(planted(8), tmp_path / "fold-0", epochs=1)
