"""Which systems differ, as the report says it."""

import re

import pytest

from pipeline_lib.report import comparisons

NAMES = {"mvp": "MVP", "svm": "SVM (HC feat)", "majority": "Majority class"}


def pair(a, b, verdict, *, difference=0.2, p=0.001, n=40):
    known = difference is not None
    return {
        "systems": [a, b],
        "n_recordings": n,
        "n_subjects": 10,
        "difference": difference,
        "low": difference - 0.1 if known else None,
        "high": difference + 0.1 if known else None,
        "p": p,
        "p_holm": p,
        "p_equivalence_holm": p,
        "p_folds_holm": None,
        "verdict": verdict,
    }


PAIRS = [
    pair("svm", "mvp", "not distinguishable", difference=-0.02, p=0.6),
    pair("mvp", "majority", "better"),
    pair("majority", "svm", "not comparable", difference=None, p=None, n=0),
]


def section(*, pairs=PAIRS, **changes):
    family = {"n_pairs": len(pairs), "smallest_p": 0.001, "pairs": pairs}
    content = {"protocol": "grouped", "flaws": [], "confidence": 0.95, "margin": 0.05}
    families = {key: {"weighted_f1": family | changes} for key in ("valence", "arousal")}
    return comparisons.section("deap", content | changes | families)


def tables(html):
    """System -> texts of its cells, of each table."""
    bodies = re.findall("<tbody>(.*?)</tbody>", html)
    rows = [[re.findall("<td.*?</td>", row) for row in body.split("</tr>")[:-1]] for body in bodies]
    text = [[[re.sub("<[^>]+>", " ", cell).strip() for cell in row] for row in t] for t in rows]
    return [{row[0]: row[1:] for row in table} for table in text]


def test_each_system_is_told_from_the_others_in_words():
    verdicts, *_ = tables(section())
    head = re.findall('<th class="name">([^<]+)', section())[1:5]
    not_known = ["not distinguishable from", "not comparable with"]
    assert head == ["better than", "worse than", *not_known]
    assert verdicts["MVP"] == ["Majority class", "&ndash;", "SVM (HC feat)", "&ndash;"]
    assert verdicts["Majority class"] == ["&ndash;", "MVP", "&ndash;", "SVM (HC feat)"]


def test_the_matrix_is_row_minus_column():
    _, matrix, *_ = tables(section())
    assert list(matrix) == ["SVM (HC feat)", "MVP", "Majority class"]
    svm, mvp, majority = (" ".join(" ".join(row).split()) for row in matrix.values())
    assert svm == "&ndash; -2 -12 &ndash; +8 p 0.6, n 40 not comparable"
    assert mvp == "+2 -8 &ndash; +12 p 0.6, n 40 &ndash; +20 +10 &ndash; +30 p 0.001, n 40"
    assert "-20 -30 &ndash; -10 p 0.001" in majority


def test_few_subjects_are_blamed_for_what_they_cannot_show():
    assert "So few subjects" not in section()
    assert "smallest p that they allow is 0.47 after correction" in section(smallest_p=0.4688)


@pytest.mark.parametrize(("flaws", "told"), [([], False), (["trial_level"], True)])
def test_flaws_are_banners(flaws, told):
    html = section(flaws=flaws)
    assert ("Flawed on request (trial_level)" in html) is told
    assert ("both trained on and tested" in html) is told


def test_the_same_comparisons_give_the_same_bytes_in_any_order():
    assert section(pairs=PAIRS[::-1]) == section()


def many(best_verdict):
    """Eight systems of which the first has this verdict against the second."""
    names = [*comparisons.SYSTEMS][:8]
    return [
        pair(a, b, best_verdict if (i, j) == (0, 1) else "not distinguishable")
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i < j
    ]


def test_many_that_cannot_be_told_apart_are_counted():
    verdicts, *_ = tables(section(pairs=many("better")))
    first, _, third, *_ = verdicts.values()
    assert first[-1].count(",") >= 5  # six have their names
    assert third[-1] == "7 of 7 others"


def test_all_that_cannot_be_told_apart_are_one_sentence():
    html = section(pairs=many("not distinguishable"))
    assert html.count("No two of the 8 systems can be told apart.") == 2
