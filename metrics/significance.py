"""Whether two systems differ: paired tests over subjects and over folds, and their correction.

Subjects are the unit of everything that is swapped or drawn, because the recordings of one person
are not independent. A system enters as its `subject_counts`, of which every metric of the predicted
class is made; that is why 20,000 swaps take milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from metrics import classification
from metrics.bootstrap import Metric, resamples, tail_p

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int8]

# One recording of each kind, in the order of classification.confusion: weighted by counts, they
# have the score of the recordings that were counted.
CELL_LABELS = np.array([1, 0, 1, 0], dtype=np.int8)  # true +, false +, false -, true -
CELL_SCORES = np.array([1.0, 1.0, 0.0, 0.0])
AT_ONCE = 1000  # swaps
TIE = 1e-9  # differences of scores this near to each other are equal: rounding, not evidence


@dataclass(frozen=True)
class Permutation:
    """The outcome of a permutation test."""

    p: float
    smallest: float  # that so many subjects, or so many draws, could have given
    exact: bool  # every swap was tried


def subject_counts(labels: Ints, scores: Floats, subjects: npt.NDArray[np.str_]) -> Floats:
    """True and false positives, false and true negatives of each subject.

    labels (n,), scores (n_repeats, n), subjects (n,) -> (n_repeats, n_subjects, 4), the subjects
    in alphabetical order
    """
    names = np.unique(subjects)
    of_subject = np.equal.outer(names, subjects).astype(np.float64)
    counted = [classification.confusion(labels, of_repeat, of_subject) for of_repeat in scores]
    return np.stack([np.stack(cells, axis=-1) for cells in counted])


def score(counts: Floats, metric: Metric) -> Floats:
    """A metric of the predicted class from counts, averaged over repeats.

    counts : (n_repeats, ..., 4) of all subjects together -> (...,)
    metric : weighted F1, accuracy, ...; not the AUC, which needs more than the predicted class
    """
    found: Floats = metric(CELL_LABELS, CELL_SCORES, counts).mean(axis=0)
    return found


def paired_permutation(
    a: Floats, b: Floats, metric: Metric, *, n_permutations: int, seed: int
) -> Permutation:
    """Two-sided test that swapping the two systems within a subject changes nothing.

    a, b           : (n_repeats, n_subjects, 4) of `subject_counts`
    n_permutations : all swaps are tried if there are no more of them, else so many are drawn

    A subject is swapped as a whole, in every repeat. The statistic is the difference of the
    metric over all subjects.
    """
    return swap_test(
        a, b, lambda counts: score(counts, metric), n_permutations=n_permutations, seed=seed
    )


def swap_test(
    a: Floats,
    b: Floats,
    statistic: Callable[[Floats], Floats],
    *,
    n_permutations: int,
    seed: int,
) -> Permutation:
    """Two-sided test of a statistic of sums over subjects, each of one system or of the other.

    a, b      : (k, n_subjects, m) sums of each subject
    statistic : of what they add up to, (k, ..., m) -> (...,)

    Drawn swaps count the observed one too (Phipson and Smyth 2010), so that p is never 0.
    """
    swaps = _swaps(a.shape[1], n_permutations=n_permutations, seed=seed)
    total_a, total_b = a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True)
    observed = statistic(total_a) - statistic(total_b)
    n_extreme = 0
    for first in range(0, len(swaps), AT_ONCE):  # as float64, all at once would fill the memory
        moved = swaps[first : first + AT_ONCE].astype(np.float64) @ (b - a)
        differences = statistic(total_a + moved) - statistic(total_b - moved)
        n_extreme += int((np.abs(differences) >= np.abs(observed) - TIE).sum())
    if len(swaps) == 2 ** a.shape[1]:
        # Nobody swapped and everybody swapped are always among the extreme.
        return Permutation(n_extreme / len(swaps), 2 / len(swaps), exact=True)
    n_swaps = len(swaps) + 1
    return Permutation((n_extreme + 1) / n_swaps, 1 / n_swaps, exact=False)


@lru_cache(maxsize=8)  # every pair of systems is swapped alike
def _swaps(n_subjects: int, *, n_permutations: int, seed: int) -> npt.NDArray[np.uint8]:
    """1 where a subject's systems change places: (n_swaps, n_subjects), read-only."""
    if 2**n_subjects <= n_permutations:
        swapped = np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects) & 1
    else:
        swapped = np.random.default_rng(seed).integers(0, 2, (n_permutations, n_subjects))
    swaps = swapped.astype(np.uint8)
    swaps.flags.writeable = False
    return swaps


def resampled_difference(
    a: Floats, b: Floats, metric: Metric, *, n_resamples: int, seed: int
) -> Floats:
    """Differences a - b of a metric, both systems on the same subjects drawn with replacement.

    a, b : (n_repeats, n_subjects, 4) of `subject_counts` -> (n_resamples,)
    """
    weights = resamples(a.shape[1], n_resamples=n_resamples, seed=seed)
    return score(weights @ a, metric) - score(weights @ b, metric)


def equivalence(resampled: Floats, *, margin: float, n_subjects: int) -> float:
    """p of two one-sided tests that a difference lies outside (-margin, margin).

    resampled : (n_resamples,) of `resampled_difference`. p is that of the larger of the two shares
    of resamples beyond a margin (Schuirmann 1987, with bootstrap tails in the place of t): below
    alpha, the `bootstrap.interval` of confidence 1 - 2 alpha lies within the margin.
    """
    beyond = max((resampled >= margin).sum(), (resampled <= -margin).sum())
    return tail_p((beyond + 1) / (len(resampled) + 1), n_subjects=n_subjects)


def corrected_resampled_t(differences: Floats, *, test_share: float) -> float:
    """Two-sided p of the corrected resampled t-test over folds (Nadeau and Bengio 2003).

    differences : (n_folds,) of a metric between two systems; of all repeats, if there are several
    test_share  : recordings tested over recordings fitted on, the n2 / n1 of the paper

    Folds share training recordings, so that 1 / n_folds alone makes the variance too small; the
    share is added to it. NaN if there are fewer than two folds, or all differ alike: no spread to
    judge by; 1 if no fold differs at all.
    """
    from scipy.stats import t

    n_folds = len(differences)
    if n_folds < 2:
        return float("nan")
    mean, variance = differences.mean(), differences.var(ddof=1)
    if np.abs(differences).max() < TIE:
        return 1.0
    if variance < TIE**2:
        return float("nan")
    statistic = mean / np.sqrt((1 / n_folds + test_share) * variance)
    return float(2 * t.sf(abs(statistic), df=n_folds - 1))


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979); NaN stays NaN and does not count."""
    values = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    rising = known[np.argsort(values[known], kind="stable")]
    corrected = np.full(len(values), np.nan)
    factors = len(rising) - np.arange(len(rising))
    corrected[rising] = np.minimum(np.maximum.accumulate(factors * values[rising]), 1)
    return corrected.tolist()
