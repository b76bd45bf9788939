"""The curve of missing data: its points are scores of what was predicted."""

import polars as pl
import pytest

from pipeline_lib.core import schema
from pipeline_lib.report import degraded
from tests.test_report_tables import summary


def table(*, share=0.5, modality="physio"):
    """Two recordings a repeat; arousal is right in one of two repeats, valence in both."""
    rows = [
        {"recording_id": f"P{i}_1", "subject": f"P{i}", "fold": fold, "target": target, "label": i}
        | {"score": 1 - i if target == "arousal" and fold else float(i)}
        | {"modality": modality, "share": share}
        for i in (0, 1)
        for fold in (0, 1)
        for target in schema.TARGETS
    ]
    return pl.DataFrame(rows, schema=dict(schema.DEGRADED), orient="row")


def test_scores_are_means_over_repeats_and_begin_with_the_whole():
    found = degraded.scores(table(), summary(0.5, value=0.8))
    assert found.select("target", "share", "weighted_f1").rows() == [
        ("arousal", 0.0, 0.8),
        ("arousal", 0.5, 0.5),
        ("valence", 0.0, 0.8),
        ("valence", 0.5, 1.0),
    ]


@pytest.mark.parametrize("names", [["uni_physio"], ["uni_physio", "mvp"]])
def test_each_system_stands_once_in_the_legend_and_in_the_panels_of_its_modality(names):
    tables = {name: table() for name in names}
    html = degraded.degraded_figure(tables, dict.fromkeys(names, summary(0.5)), dataset="x")
    assert html.count('"showlegend":true') == len(names)
    assert html.count('"showlegend":false') == len(names)
