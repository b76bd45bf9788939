"""Fig. 3: ratings and the labels made of them."""

import polars as pl

from pipeline_lib.core import schema
from pipeline_lib.report import labels


def recordings():
    rows = [
        {"valence": 2.0, "valence_label": 0, "arousal": 2.0, "arousal_label": 0},
        {"valence": 8.0, "valence_label": 1, "arousal": 3.0, "arousal_label": 0},
        {"valence": None, "valence_label": None, "arousal": 9.0, "arousal_label": 1},
    ]
    empty = dict.fromkeys(schema.RECORDINGS)
    return pl.DataFrame([empty | row for row in rows], schema=dict(schema.RECORDINGS), orient="row")


def test_labels_stand_with_their_shares_and_the_threshold_is_named():
    html = labels.labels_figure(recordings(), dataset="x", threshold=5.0)
    for said in ("label 0", "2 (67%)", "1 (50%)", "label 1", "1 (33%)", "threshold 5"):
        assert said in html


def test_what_is_not_rated_is_counted():
    assert labels.unrated(recordings()) == {"arousal": 0, "valence": 1}
