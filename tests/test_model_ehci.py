"""Local binary patterns and band powers against values worked out by hand."""

import numpy as np
import pytest

from models.ehci import N_BINS, histograms, log_powers, patterns

RATE = 64.0  # Hz


def ring(*brighter: int) -> np.ndarray:
    """3 x 3 pixels of 100, whose neighbours at these places, clockwise from the upper left, are
    as bright as the centre, and whose others are darker."""
    places = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    grey = np.full((3, 3), 100, np.uint8)
    for i, place in enumerate(places):
        grey[place] = 100 if i in brighter else 99
    return grey


@pytest.mark.parametrize(
    ("brighter", "number"),
    [
        ((), 0),  # code 0: the first uniform one
        ((0,), 1),  # 1
        ((1,), 2),  # 2
        ((0, 1), 3),  # 3
        ((2,), 4),  # 4
        ((0, 2), N_BINS - 1),  # 5 = 101: changes four times
        ((1, 2), 5),  # 6
        ((0, 1, 2), 6),  # 7
        ((7,), 29),  # 128: below it 0 and the 28 arcs of bits 0 to 6
        ((0, 7), 30),  # 129 = 10000001: one arc across the start of the ring
        ((0, 1, 2, 3, 4, 5, 6, 7), 57),  # 255: the last uniform one
    ],
)
def test_patterns_by_hand(brighter: tuple[int, ...], number: int) -> None:
    assert patterns(ring(*brighter)).tolist() == [[number]]


def test_there_are_58_uniform_patterns() -> None:
    """An arc of 1 to 7 ones may begin at 8 places; and none, and all."""
    arcs = {frozenset((start + k) % 8 for k in range(n)) for start in range(8) for n in range(9)}
    numbers = {int(patterns(ring(*arc)).item()) for arc in arcs}
    assert numbers == set(range(58))


def test_patterns_do_not_see_brightness_and_contrast() -> None:
    grey = np.random.default_rng(0).integers(0, 100, (2, 9, 12), np.uint8)
    np.testing.assert_array_equal(patterns(grey), patterns(2 * grey + 31))


def test_histograms_are_shares_cell_by_cell() -> None:
    """Flat: every pattern is the one of eight ones; a bright column changes its own cells."""
    grey = np.full((1, 10, 10), 50, np.uint8)
    flat = histograms(grey, cells=2).reshape(4, N_BINS)
    assert (flat[:, 57] == 1).all()
    grey[0, :, 8] = 200
    lit = histograms(grey, cells=2).reshape(4, N_BINS)
    np.testing.assert_allclose(lit.sum(axis=1), 1)
    np.testing.assert_array_equal(lit[[0, 2]], flat[[0, 2]])  # the left cells
    assert (lit[[1, 3], 57] == 0.75).all()  # of four columns one is lit, and none sees it darker


def test_power_of_a_tone_lies_in_its_band() -> None:
    times = np.arange(int(16 * RATE)) / RATE
    tone = 3 * np.sin(2 * np.pi * 6 * times) + 10
    powers = log_powers(tone, sampling_rate=RATE, edges=(0.5, 4.0, 8.0, 16.0), segment_seconds=8.0)
    assert powers[1] == pytest.approx(np.log10(3**2 / 2), abs=0.01)
    assert powers[1] > powers[[0, 2]].max() + 3


@pytest.mark.parametrize(
    ("x", "edges"),
    [
        (np.ones(500), (0.5, 4.0)),  # no power
        (np.full(500, np.nan), (0.5, 4.0)),
        (np.array([1.0]), (0.5, 4.0)),
        (np.sin(np.arange(64)), (0.1, 0.2)),  # a second has no such frequency
        (np.sin(np.arange(500)), (40.0, 50.0)),  # beyond Nyquist
    ],
)
def test_what_cannot_be_measured_is_missing(x: np.ndarray, edges: tuple[float, ...]) -> None:
    assert np.isnan(log_powers(x, sampling_rate=RATE, edges=edges, segment_seconds=8.0)).all()
