"""ViPER's part of the report: the paper's rows, ours beside them, what deviates, the pictures."""

import re
from dataclasses import replace

import pytest

from pipeline_lib.correlation import comparison, results
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation
from pipeline_lib.report import viper, viper_deviations, viper_figures, viper_published
from pipeline_lib.report.viper_published import TABLE_2, TABLE_3, TITLES
from tests.estimates import estimates
from tests.test_report_page import own, render

SETTINGS = {
    "evaluation": Evaluation(bootstrap=100, permutations=999, confidence=0.95, margin=0.05),
    "seed": 0,
}
OWNERS = Rules("owners", (), times_tested=None)
GAIN = {"Amusement": 3.0, "Empathic-Pain": 0.3}  # best and worst, as in the paper
PAPER = {"latents": 256, "dim": 1280, "depth": 26, "epochs": 50, "batch_size": 16}
ENCODER = {"model": "google/vit-base-patch16-224-in21k", "text": {"pooling": "cls"}}


def made(*, faithful=False):
    sections = {name: PAPER | {"inputs": ["image", "fau"]} for name in TITLES}
    ours = {name: section | {"depth": 4} for name, section in sections.items()}
    encoders = {"image": ENCODER, "fau": {"pyfeat": "/data/pyfeat"}}
    small = {"image": {"model": "small", "text": {"pooling": "mean"}}, "fau": {"pyfeat": None}}
    return viper_deviations.Made(
        fusion=sections if faithful else ours,
        paper_fusion=sections,
        embeddings=encoders if faithful else small,
        paper_embeddings=encoders,
        sampling={"frames": 32, "fragmenting": "paper"},
    )


def fused(*, synthetic=True, systems=tuple(TITLES), n=40):
    """Results of systems whose noise grows from the full configuration on."""
    settings = SETTINGS | {"synthetic": synthetic, "rules": OWNERS}
    order = ["viper", *(name for name in systems if name != "viper")]
    tables = {
        name: estimates(0.4 + 0.05 * order.index(name), seed=i, n=n, gain=GAIN)
        for i, name in enumerate(systems)
    }
    return viper.Fused(
        results={s: results.summarise(t, system=s, **settings) for s, t in tables.items()},
        correlations=comparison.compare(tables, **settings),
        made=made(),
    )


@pytest.fixture(scope="module")
def of_set():
    return fused()


@pytest.fixture(scope="module")
def html(of_set):
    return viper.section({"hume_reaction": of_set})


def rows(html, title):
    """Cells of the first table below a heading, as text."""
    table = html[html.index(title) :]
    table = table[: table.index("</table>")]
    return [
        [
            re.sub(r"<small>.*?</small>|<[^>]+>", "", cell)
            for cell in re.findall(r"<td.*?</td>", row)
        ]
        for row in re.findall(r"<tr>.*?</tr>", table)[1:]
    ]


def test_every_published_cell_of_table_3_stands_beside_ours(html, of_set):
    found = rows(html, "modalities (Table 3)")
    assert len(found) == len(TABLE_3)
    for cells, (name, row) in zip(found, TABLE_3.items(), strict=True):
        ticks = [cell == "&#10003;" for cell in cells[1:5]]
        assert ticks == [letter in row.inputs for letter in "VTAF"]
        assert cells[5] == f"{row.dev:.4f}"
        assert cells[6] == ("&ndash;" if row.test is None else f"{row.test:.4f}")
        for cell, selection in zip(cells[7:9], ("held_out", "reported"), strict=True):
            mean = of_set.results[name][selection]["pearson"]["mean"]["value"]
            assert cell == f"{mean:.4f}"
        assert cells[9] == "40"


def test_table_2_has_the_papers_rows(html):
    found = rows(html, "visual encoders (Table 2)")
    assert [cells[:2] for cells in found][2:] == [
        ["ViPER", "ViT-Base"],
        ["ViPER", "ViT-Face"],
    ] * 2
    assert [cells[3] for cells in found] == [f"{row.dev:.4f}" for row in TABLE_2.values()]
    assert [cells[2] == "&#10003;" for cells in found] == [False] * 4 + [True] * 2


def test_what_was_not_run_is_said(of_set):
    some = fused(systems=("viper", "viper_face", "bbmf"), n=12)
    html = viper.section({"hume_reaction": some})
    assert rows(html, "modalities (Table 3)")[0][-1] == "not run"
    assert [cells[0] for cells in rows(html, "related systems")] == [TITLES["bbmf"]]


def test_verdicts_are_shown_as_they_are(html, of_set):
    for selection in ("held_out", "reported"):
        verdicts = {t["verdict"] for t in of_set.correlations[selection]["tests"].values()}
        assert verdicts == {"worse", "not distinguishable"}
    found = {cells[0]: cells for cells in rows(html, "against the full configuration")}
    assert len(found) == len(TITLES) - 1
    for name, test in of_set.correlations["held_out"]["tests"].items():
        cells = found[TITLES[name]]
        assert cells[5:7] == [test["verdict"], "yes" if test["p_holm"] < 0.01 else "no"]
        assert (cells[7] == "p &lt; 0.01") == (name in viper_published.TESTED)


def test_the_best_and_the_worst_class_come_first(html):
    titles = re.findall(r'aria-label="([A-Z][a-z]+(?:-Pain)?), r', html)
    assert titles[:2] == ["Amusement", "Empathic-Pain"]
    assert len(titles) == 14


def test_a_picture_gives_shares_of_rows():
    counts = [[0] * 10 for _ in range(10)]
    counts[0] = [3, 1, *[0] * 8]
    picture = viper_figures.confusion(counts, title="<x>")
    assert [re.findall(rf">{share}<", picture) != [] for share in ("0.75", "0.25")] == [True] * 2
    assert picture.count(f'fill="{viper_figures.LINE}"') == 90  # rows without a clip
    assert "&lt;x&gt;" in picture


def test_a_twin_is_called_one_and_real_data_are_not(html):
    assert "HUME REACTION is a synthetic twin." in html
    assert html.count("synthetic twin, 40 clips") == 14
    of_real = viper.section({"hume": fused(synthetic=False, systems=("viper", "early"), n=12)})
    assert "synthetic" not in of_real


def test_a_faithful_run_deviates_in_nothing_but_the_choice_of_the_epoch(of_set):
    result = of_set.results["viper"] | {"synthetic": False, "n_recordings": 4657}
    assert [d.title for d in viper_deviations.of(made(faithful=True), "viper", result)] == [
        "choice of the epoch"
    ]


def test_the_demo_deviates_in_data_encoders_and_sizes(of_set):
    found = viper_deviations.of(made(), "viper", of_set.results["viper"])
    assert [d.title for d in found] == [
        "synthetic twin",
        "other recordings",
        "substitute encoder",
        "substitute encoder",
        "other facial actions",
        "sizes and schedules",
        "choice of the epoch",
    ]
    assert "depth 4 (26)" in found[5].detail
    assert "text.pooling mean (cls)" in found[2].detail
    assert "epochs" not in found[5].detail


def test_another_sampling_is_a_deviation(of_set):
    other = replace(made(), sampling={"frames": 16, "fragmenting": "code"})
    (found,) = (
        d
        for d in viper_deviations.of(other, "viper", of_set.results["viper"])
        if d.title == "sampling"
    )
    assert found.detail.startswith("frames 16 (32), fragmenting code (paper)")


def test_the_section_stands_in_the_page_where_there_is_a_set(of_set):
    html = render(fused={"hume_reaction": of_set})
    assert '<a href="#viper">ViPER</a>' in html
    assert '<section id="viper">' in html
    assert "viper" not in own(render()).replace("#viper td", "")


def test_the_same_inputs_give_the_same_section(html, of_set):
    assert viper.section({"hume_reaction": of_set}) == html


def test_nothing_is_loaded(html):
    assert not re.findall(r"(?:src|href)=|url\(|<script", html)
