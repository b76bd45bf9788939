"""Ratings as what systems estimate, and the criterion that they are chosen by."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from metrics.regression import mean_pearson
from pipeline_lib.core.schema import ESTIMATES, RATINGS
from pipeline_lib.datasets.hume_reaction.tables import CLASSES
from pipeline_lib.fusion import submission, targets

NAN = float("nan")


def test_targets_are_those_of_the_layout_in_the_order_of_its_tables() -> None:
    assert targets.names("hume_reaction") == CLASSES
    assert targets.names("deap") == ("valence", "arousal")


def test_labels_are_ratings_by_recording_and_nan_where_there_is_none() -> None:
    rows = [
        ("b", "arousal", 3.0),
        ("a", "valence", 5.0),
        ("a", "liking", 9.0),
        ("a", "arousal", 1.0),
    ]
    ratings = pl.DataFrame(rows, schema=dict(RATINGS), orient="row")
    found = targets.labels(ratings, ["a", "b"], ("valence", "arousal"))
    np.testing.assert_array_equal(found, [[5, 1], [NAN, 3]])


@pytest.mark.parametrize(
    ("layout", "expected"), [("deap", 0.5), ("hume_reaction", 5.0), ("bids", 1.5)]
)
def test_ratings_are_scaled_by_the_set_or_by_who_is_trained_on(
    layout: str, expected: float
) -> None:
    """Of an unknown scale, what lies beyond the training subjects' ratings lies beyond 0-1."""
    found = targets.scaled(np.array([[5.0]]), np.array([[2.0], [4.0], [3.0]]), layout=layout)
    assert found.item() == expected


def test_the_criterion_is_the_mean_correlation_and_a_constant_counts_as_none() -> None:
    draw = np.random.default_rng(0)
    labels, scores = draw.normal(size=(2, 30, 3))
    each = [stats.pearsonr(labels[:, i], scores[:, i]).statistic for i in range(3)]
    assert mean_pearson(labels, scores) == pytest.approx(np.mean(each))
    scores[:, 1], labels[:, 2] = 0.1, 0.7
    assert mean_pearson(labels, scores) == pytest.approx(each[0] / 3)


def test_the_submission_is_the_table_of_the_challenge() -> None:
    rows = [
        {"recording_id": name, "subject": name, "fold": 0, "role": role, "selection": selection,
         "target": target, "value": None, "score": first + i + int(name) / 10}
        for selection, first in (("reported", 100), ("held_out", 0))
        for role, names in (("test", ["00001"]), ("withheld", ["00013", "00012"]))
        for name in names
        for i, target in enumerate(reversed(CLASSES))
    ]  # fmt: skip
    estimates = pl.DataFrame(rows, schema=dict(ESTIMATES))
    table, unknown = submission.table(estimates, CLASSES, asked=["00012", "00013"])
    assert unknown == []
    assert table.columns == ["File_ID", *CLASSES]
    assert table["File_ID"].to_list() == ["[00012]", "[00013]"]
    assert table["Surprise"].to_list() == [1.2, 1.3]
    assert table["Adoration"].to_list() == [7.2, 7.3]


def test_a_clip_that_could_not_be_read_is_in_the_submission_with_the_mean_of_the_others() -> None:
    rows = [
        {"recording_id": name, "subject": name, "fold": 0, "role": "withheld",
         "selection": "held_out", "target": target, "value": None, "score": score}
        for name, score in (("00001", 0.2), ("00003", 0.6))
        for target in CLASSES
    ]  # fmt: skip
    estimates = pl.DataFrame(rows, schema=dict(ESTIMATES))
    table, unknown = submission.table(estimates, CLASSES, asked=["00001", "00002", "00003"])
    assert unknown == ["00002"]
    assert table["File_ID"].to_list() == ["[00001]", "[00002]", "[00003]"]
    assert table["Fear"].to_list() == pytest.approx([0.2, 0.4, 0.6])
