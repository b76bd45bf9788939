"""The report's tables: what stands in which cell."""

import re
from itertools import pairwise

import polars as pl
import pytest

from pipeline_lib.core import schema
from pipeline_lib.report import ledgers, markup, results, timing
from pipeline_lib.report.published import MODALITIES, SYSTEMS, TABLE_3, TABLE_4


def summary(mean, *, value=0.8, low=0.7, high=0.9, headline="folds", flaws=()):
    pooled = {name: {"value": value, "low": low, "high": high} for name in results.METRICS}
    scores = {"folds": {"mean": mean, "std": 0.05}, "pooled": pooled}
    rules = {"headline": headline, "flaws": list(flaws), "synthetic": False}
    return {"confidence": 0.95, "valence": scores, "arousal": scores} | rules


def rows(html):
    """Text of the cells of each row of a table's body."""
    body = html.split("<tbody>")[1]
    return [
        [re.sub("<[^>]+>", " ", cell).split() for cell in re.findall("<td.*?</td>", row)]
        for row in re.findall("<tr.*?</tr>", body)
    ]


def test_published_tables_are_the_papers():
    assert TABLE_4["amigos"]["MVP"] == {"ECG+EDA+video": ((58, 6), (66, 4))}
    assert TABLE_4["deap"]["MVP"]["video"] == ((54, 4), (57, 7))
    assert TABLE_3["deap"]["Kinetics-400", "KAD"] == (60, 6)
    assert [len(table) for table in TABLE_4.values()] == [9, 3]
    methods = {method for table in TABLE_4.values() for method in table}
    assert {system.row for system in SYSTEMS.values()} - {None} <= methods
    assert all(set(row) <= set(MODALITIES) for table in TABLE_4.values() for row in table.values())


def test_ours_stands_under_the_published_row_in_the_column_of_its_input():
    html = results.table_4("amigos", {"videomae": summary(0.81)}, synthetic=True, effect=0.9)
    table = rows(html)
    published, ours = next(pair for pair in pairwise(table) if pair[0][0] == ["VideoMAE"])
    assert published[1] == ["published,", "real", "AMIGOS"]
    assert ours[1] == ["ours,", "synthetic", "twin"]
    assert published[4] == ["53", "±", "6"]
    assert ours[4] == ["81", "±", "5", "70", "&ndash;", "90"]
    assert ours[2] == ours[6] == ["&ndash;"]
    assert table[-1][2:] == [["95"], ["50"], ["50"], ["95"], ["95"], ["95"]]


def test_a_system_without_a_published_row_gets_its_own():
    found = {"majority": summary(0.5), "svm": summary(0.6)}
    table = rows(results.table_4("deap", found, synthetic=False, effect=None))
    assert [row[0] for row in table[-2:]] == [["SVM", "(HC", "feat)"], ["Majority", "class"]]
    assert table[-1][1] == ["ours"]
    assert {cell[0] for cell in table[-1][2:]} == {"50"}


def test_folds_of_one_person_are_not_quoted_and_flaws_are_marked():
    alone = {"mvp": summary(0.6, headline="pooled", flaws=["trial_level"])}
    table = rows(results.table_4("deap", alone, synthetic=True, effect=None))
    ours = next(row for row in table if row[1][0] == "ours,")
    assert ours[1] == ["ours,", "synthetic", "twin;", "FLAWED", "on", "request:", "trial_level"]
    assert ours[6] == ["80", "70", "&ndash;", "90"]


def test_systems_of_one_method_share_its_row_each_in_its_column():
    found = {name: summary(mean) for name, mean in {"svm": 0.7, "svm_physio": 0.6}.items()}
    for dataset, above in (("amigos", ["SVM", "(HC", "feat)"]), ("deap", ["MVP"])):
        table = rows(results.table_4(dataset, found, synthetic=False, effect=None))
        (i,) = (i for i, row in enumerate(table) if row[1] == ["ours"])
        assert table[i - 1][0] == above
        assert [cell[0] for cell in table[i][2:]] == ["60"] * 2 + ["&ndash;"] * 2 + ["70"] * 2


@pytest.mark.parametrize("published", [*TABLE_4.values(), {}])
def test_no_two_systems_claim_one_cell_of_table_4(published):
    cells = [(s.line(published), modality) for s in SYSTEMS.values() for modality in s.modalities]
    assert len(set(cells)) == len(cells)
    assert len({system.title for system in SYSTEMS.values()}) == len(SYSTEMS)


def test_undefined_scores_are_dashes():
    (row, _) = rows(results.metrics_table({"mvp": summary(0.5, value=None, low=None)}))
    assert row[2:] == [["&ndash;"]] * len(results.METRICS)


def test_table_3_has_ours_under_each_published_row():
    ours = {"videomae": summary(0.6), "videomae_other": summary(0.4), "mvp": summary(0.9)}
    table = rows(results.table_3("amigos", ours, synthetic=True))
    assert len(table) == 4 + 2
    assert table[2][1] == ["Kinetics-400", "&amp;", "AMIGOS"]
    assert [table[i][3][0] for i in (2, 3, 4, 5)] == ["51", "40", "59", "60"]


def ledger(*entries):
    return pl.DataFrame(
        [
            {"recording_id": f"P01_{i}", "subject": "P01", "status": status, "reason": reason}
            | {"frames": None, "faces": None, "key": ""}
            for i, (status, reason) in enumerate(entries)
        ],
        schema=dict(schema.LEDGER),
        orient="row",
    )


def test_every_status_and_reason_is_told():
    many = ledger(("ok", ""), ("failed", "no <face>"), ("partial", "x"), ("failed", "no <face>"))
    by_set = {"amigos": {"ingest": many}, "deap": {"crop": ledger(("ok", ""))}}
    counts = rows(ledgers.ledger_table(by_set))
    assert counts[0][1] == ["1", "ok,", "1", "partial,", "2", "failed"]
    assert counts[0][2] == counts[1][1] == ["&ndash;"]
    failed, partial = rows(ledgers.reasons_table(by_set))
    assert failed[3:] == [["2"], ["no", "&lt;face&gt;"], ["P01_1,", "P01_3"]]
    assert partial[2] == ["partial"]
    assert "Every one is ok" in ledgers.reasons_table({"deap": {"crop": ledger(("ok", ""))}})


def test_many_recordings_of_a_reason_are_counted():
    html = ledgers.reasons_table({"amigos": {"ingest": ledger(*[("failed", "gone")] * 9)}})
    assert "P01_5 and 3 more" in html


@pytest.mark.parametrize(("shared", "word"), [(0, "none"), (2, "2")])
def test_audit_spans_the_folds(shared, word):
    def fold(k, train):
        return {"fold": k, "test_subjects": 3, "fitted_on_subjects": {"train": train}} | {
            "shared": shared if k == 0 else 0
        }

    (row,) = rows(ledgers.leakage_table({"deap": {"mvp": [fold(0, 10), fold(1, 11)]}}))
    assert row[2:] == [["2"], ["train", "10", "&ndash;", "11"], ["3"], [word]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me/data/P1_4.mov: 3 of 9", "P1_4.mov: 3 of 9"),
        ("see '/a/b/c.mat' and data/x/y.mov", "see 'c.mat' and data/x/y.mov"),
        ("uS/s or 1/2, n/a", "uS/s or 1/2, n/a"),
    ],
)
def test_folders_of_a_machine_are_left_out(text, expected):
    assert markup.without_folders(text) == expected


def synced(**columns):
    n_rows = len(next(iter(columns.values())))
    empty = {name: [None] * n_rows for name in schema.SYNC}
    names = {"recording_id": [f"P01_{i}" for i in range(n_rows)], "reason": [""] * n_rows}
    return pl.DataFrame(empty | names | columns, schema=dict(schema.SYNC))


def test_timing_counts_videos_and_what_is_wrong_with_them():
    table = synced(
        n_frames=[100, 90, None],
        frame_rate=[25.0, 24.5, None],
        constant=[True, False, None],
        dropped=[0, 10, None],
        duplicated=[0, 1, None],
        mismatch=[0.01, -2.5, None],
        offset=[0.4, 1.9, None],
        confidence=[0.8, 0.1, None],
        shift=[0.4, 0.0, 0.0],
    )
    without = synced(shift=[0.0])
    html = timing.timing_table({"deap": table, "hume": without}, min_confidence=0.5)
    (_, *values), (_, *none) = rows(html)
    assert values == [
        ["2"], ["24.50", "&ndash;", "25.00"], ["1"], ["10"], ["1"], ["-2.50", "&ndash;", "0.01"],
        ["1", "of", "2"], ["0.40"], ["1"],
    ]  # fmt: skip
    assert none == [["0"], *[["&ndash;"]] * 8]
    assert "1 recordings whose video" in html
    assert "deap P01_1 (-2.50 s)" in html
