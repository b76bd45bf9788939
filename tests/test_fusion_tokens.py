"""Embeddings and features as tokens: side by side, what is missing stays missing."""

import numpy as np
import polars as pl
import pytest
import torch

from pipeline_lib.core.schema import EMBEDDINGS, FEATURES
from pipeline_lib.fusion import tokens
from pipeline_lib.fusion.tokens import Recordings, Scale, Tokens, joined, span_means
from pipeline_lib.learning.training import TrainingError

NAN = float("nan")


def embeddings(rows: dict[str, list[list[float]]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "recording_id": list(rows),
            "times": [[0.1 * i for i in range(len(row))] for row in rows.values()],
            "width": [len(row[0]) for row in rows.values()],
            "values": [[x for token in row for x in token] for row in rows.values()],
        },
        schema=dict(EMBEDDINGS),
    )


def features(rows: dict[str, list[list[float]]], modality: str) -> pl.DataFrame:
    """schema.FEATURES with one modality."""
    empty = dict.fromkeys(FEATURES)
    count = tokens.FEATURES[modality]
    table = [
        {**empty, "recording_id": name, count: len(x), modality: [v for row in x for v in row]}
        for name, x in rows.items()
    ]
    return pl.DataFrame(table, schema=dict(FEATURES))


def test_embeddings_are_placed_by_recording_and_others_are_missing() -> None:
    table = embeddings({"b": [[1, 2], [3, 4]], "a": [[5, 6], [NAN, NAN]]})
    found = tokens.of_embeddings(table, ["a", "b", "c"], encoder="image")
    expected = [[[5, 6], [NAN, NAN]], [[1, 2], [3, 4]], [[NAN, NAN], [NAN, NAN]]]
    np.testing.assert_array_equal(found, expected)


def test_embeddings_of_two_sizes_are_an_error() -> None:
    table = embeddings({"a": [[1.0, 2.0]], "b": [[1.0]]})
    with pytest.raises(TrainingError, match=r"image: tokens and widths .*expected one size"):
        tokens.of_embeddings(table, ["a", "b"], encoder="image")


def test_inputs_stand_side_by_side_in_their_order() -> None:
    image, audio = (np.full((2, 3, width), width, dtype=np.float32) for width in (4, 2))
    both = joined({"image": image, "audio": audio}, ["a", "b"], n_tokens=3)
    assert (both.n_tokens, dict(both.widths)) == (3, {"image": 4, "audio": 2})
    assert both.values[1, 2].tolist() == [4, 4, 4, 4, 2, 2]
    with pytest.raises(TrainingError, match=r"\{'image': 3, 'audio': 3\}.*tokens = 32"):
        joined({"image": image, "audio": audio}, ["a", "b"], n_tokens=32)


def test_features_become_means_over_equal_spans() -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    np.testing.assert_array_equal(span_means(x, 3), [[1, 2], [5, 6], [9, 10]])
    np.testing.assert_array_equal(span_means(x[:2], 4), [[0, 1], [0, 1], [2, 3], [2, 3]])
    x[0, 0], x[2:4] = NAN, NAN
    np.testing.assert_array_equal(span_means(x, 3), [[2, 2], [NAN, NAN], [9, 10]])


@pytest.mark.parametrize(("modality", "width"), [("visual", 42), ("physio", 2)])
def test_features_of_a_recording_without_any_are_missing(modality: str, width: int) -> None:
    rows = {"a": [[1.0] * width] * 8, "b": []}
    found = tokens.of_features(features(rows, modality), ["b", "a"], modality=modality, n_tokens=4)
    assert found.shape == (2, 4, width)
    assert np.isnan(found[0]).all()
    assert (found[1] == 1).all()
    with pytest.raises(TrainingError, match=f"no recording has {modality} features"):
        tokens.of_features(features({"a": []}, modality), ["a"], modality=modality, n_tokens=4)


def some_tokens() -> Tokens:
    """Three recordings of two frames; image of two values, audio of one."""
    values = np.array(
        [
            [[0, 10, 1], [2, NAN, NAN]],
            [[4, 20, 3], [NAN, NAN, 5]],
            [[NAN, NAN, NAN], [NAN, NAN, NAN]],
        ],
        dtype=np.float32,
    )
    return Tokens(["a", "b", "c"], {"image": 2, "audio": 1}, values)


def test_a_scale_is_of_the_training_rows_and_ignores_what_is_missing() -> None:
    scale = Scale.of(some_tokens().values, np.array([0, 1]), standardise=True)
    np.testing.assert_allclose(scale.mean, [2, 15, 3])
    np.testing.assert_allclose(scale.std, [np.sqrt(8 / 3), 5, np.sqrt(8 / 3)], rtol=1e-6)
    other = some_tokens().values
    other[2] = 1e6
    changed = Scale.of(other, np.array([0, 1]), standardise=True)
    np.testing.assert_array_equal(changed.mean, scale.mean)


def test_blocks_of_recordings_give_the_scale_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(3, 2, (50, 4, 3)).astype(np.float32)
    monkeypatch.setattr(tokens, "BLOCK", 7)
    scale = Scale.of(values, np.arange(50), standardise=True)
    flat = values.reshape(-1, 3)
    np.testing.assert_allclose(scale.mean, flat.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale.std, flat.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize(("standardise", "filled"), [(False, 15.0), (True, 0.0)])
def test_items_hold_no_nan_and_say_what_is_there(standardise: bool, filled: float) -> None:
    """A single missing value takes the training mean; an input that is missing is marked."""
    known = some_tokens()
    rows = np.array([0, 1])
    scale = Scale.of(known.values, rows, standardise=standardise)
    items = Recordings(known, rows, scale, np.array([[0.5], [NAN]]))
    batch = items.__getitems__([1, 0])
    assert not batch["tokens"].isnan().any()
    assert batch["present"].tolist() == [
        [[True, True], [False, True]],
        [[True, True], [True, False]],
    ]
    assert batch["tokens"][1, 1, 1] == filled
    torch.testing.assert_close(items[1]["tokens"], batch["tokens"][0])
    assert batch["labels"][1].tolist() == [0.5]
    assert known.known().tolist() == [True, True, False]
