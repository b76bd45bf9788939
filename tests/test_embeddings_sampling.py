"""Which frames and fragments: the paper's arithmetic, and clips that are too short for it."""

import numpy as np
import pytest

from pipeline_lib.embeddings.sampling import fragments, frame_indices, widened
from pipeline_lib.embeddings.templates import CAPTIONS, SENTENCES, first_of

PRINTED = {  # ViPER, Table 1
    "This face is feeling adoration",
    "It looks like this face is amused",
    "Anxiety is visible on this face",
    "The expression on this face is disgusted",
    "This face is experiencing Empathic Pain",
    "Fear is apparent on this face",
    "The face on this picture is feeling surprised",
}


@pytest.mark.parametrize("n_frames", [300, 349, 450])
def test_frames_are_those_of_the_paper(n_frames):
    expected = [0, *(round(c * n_frames / 31) for c in range(1, 31)), n_frames - 1]
    assert frame_indices(n_frames, 32).tolist() == expected
    assert len(set(expected)) == 32


@pytest.mark.parametrize("n_frames", [1, 2, 10, 31, 32, 46, 47])
def test_of_a_short_clip_frames_are_repeated(n_frames):
    chosen = frame_indices(n_frames, 32)
    assert (np.diff(chosen) >= 0).all()
    assert (chosen[0], chosen[-1]) == (0, n_frames - 1)
    assert len(set(chosen.tolist())) == min(n_frames, len(set(chosen.tolist())))
    exact = np.concatenate([[0], np.arange(1, 31) * n_frames / 31, [n_frames - 1]])
    assert (np.abs(chosen - exact) <= 1).all()


def test_fragments_of_the_paper_are_centred_on_the_frames_and_do_not_overlap():
    spans = fragments(duration=11.63, n=32, fragmenting="paper")
    lengths = spans[:, 1] - spans[:, 0]
    np.testing.assert_allclose(lengths[1:-1], 11.63 / 31)
    assert (round(lengths[1], 3), round(lengths[0], 3), round(lengths[-1], 3)) == (
        0.375,
        0.188,
        0.188,
    )
    np.testing.assert_allclose(spans[1:, 0], spans[:-1, 1])
    np.testing.assert_allclose(spans[1:-1].mean(axis=1), np.arange(1, 31) * 11.63 / 31)
    np.testing.assert_allclose(spans[[0, -1], [0, 1]], [0, 11.63])


def test_fragments_of_the_code_overlap_by_half():
    spans = fragments(duration=11.63, n=32, fragmenting="code")
    np.testing.assert_allclose(spans[:, 1] - spans[:, 0], 2 * 11.63 / 33)
    np.testing.assert_allclose(np.diff(spans[:, 0]), 11.63 / 33)
    np.testing.assert_allclose(spans[[0, -1], [0, 1]], [0, 11.63])


def test_fragments_are_widened_around_their_middle():
    spans = np.array([[0.0, 0.2], [1.0, 4.0]])
    np.testing.assert_allclose(widened(spans, seconds=1.0), [[-0.4, 0.6], [1.0, 4.0]])


def test_captions_are_as_many_as_the_papers_and_hold_those_that_it_prints():
    counts = {name: len(captions) for name, captions in CAPTIONS.items()}
    assert counts == {
        "adoration": 7, "amusement": 9, "anxiety": 7, "disgust": 6,
        "empathic pain": 6, "fear": 6, "surprise": 6, "neutral": 6,
    }  # fmt: skip
    assert len(set(SENTENCES)) == 53
    assert {SENTENCES[first_of(name)] for name in CAPTIONS if name != "neutral"} == PRINTED
