"""Published cells beside ours: all of them, and each deviation only where it is one."""

from dataclasses import replace

import pytest

from pipeline_lib.params import Params, load_params
from pipeline_lib.report import deviations, fidelity
from pipeline_lib.report.deviations import Setup
from pipeline_lib.report.published import SYSTEMS, TABLE_2, TABLE_3, TABLE_4
from pipeline_lib.report.videos import Videos
from tests.test_report_tables import rows, summary

OPEN = ["open in the paper"]
REAL_OPENFACE = "FeatureExtraction"


def setup(scale):
    """What params.yaml says, on videos that are as many as published, and real."""
    params = load_params()
    names = [name for name in Setup.__annotations__ if name in Params.model_fields]
    videos = {
        name: Videos(TABLE_2[name].n_clips, 1.0, 0) for name in ("kinetics", "amigos", "deap")
    }
    taken = {name: getattr(params, name) for name in names}
    return Setup(**taken | {"models": params.models[scale]}, videos=videos)


def faithful():
    """Scale paper, real OpenFace, whole real data sets, weights from the hub."""
    like_params = setup("paper")
    openface = like_params.openface.model_copy(update={"command": REAL_OPENFACE, "fps": None})
    return replace(like_params, openface=openface)


def result(dataset="amigos", **changes):
    as_published = {"synthetic": False, "flaws": [], "protocol": "grouped", "n_folds": 5}
    return summary(0.5) | as_published | {"n_recordings": TABLE_2[dataset].n_clips} | changes


def titles(made, system, dataset="amigos", **changes):
    return [d.title for d in deviations.of(made, dataset, system, result(dataset, **changes))]


@pytest.mark.parametrize("dataset", TABLE_4)
@pytest.mark.parametrize("system", [name for name, s in SYSTEMS.items() if s.row is not None])
def test_a_faithful_run_deviates_in_nothing_that_the_paper_states(system, dataset):
    taught_on_target = ["fold-aware pre-training"] if system == "videomae" else []
    assert titles(faithful(), system, dataset) == [*taught_on_target, *OPEN]


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("svm_physio", []),
        ("svm_video", ["embedded extractor"]),
        ("mvp", ["embedded extractor", "sizes and schedules"]),
        ("uni_physio", ["sizes and schedules"]),
        ("videomae_k400", ["embedded extractor", "sizes and schedules", "hub weights not used"]),
    ],
)
def test_the_demo_deviates_in_what_each_system_sees(system, said):
    assert titles(setup("tiny"), system, synthetic=True) == ["synthetic twin", *said, *OPEN]


def test_what_is_not_the_papers_stands_with_both_values():
    (sizes,) = (
        d
        for d in deviations.of(setup("tiny"), "amigos", "mvp", result())
        if d.title == "sizes and schedules"
    )
    assert "tokens 10 (100)" in sizes.detail
    assert "batch_size" not in sizes.detail  # is as stated


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_recordings": 600}, "other recordings"),
        ({"protocol": "loso", "n_folds": 40}, "other protocol"),
        ({"n_folds": 10}, "other protocol"),
        ({"flaws": ["trial_level"]}, "flawed on request"),
    ],
)
def test_results_that_were_made_otherwise_are_marked(changes, said):
    assert titles(faithful(), "mvp", **changes) == [said, *OPEN]


def changed(section, **values):
    made = faithful()
    return replace(made, **{section: getattr(made, section).model_copy(update=values)})


@pytest.mark.parametrize(
    ("made", "system", "said"),
    [
        (changed("physio", sampling_rate=256.0), "uni_physio", "signals"),
        (changed("physio", mains="none"), "svm_physio", "signals"),
        (changed("store", fps=30.0), "uni_au", "video rate"),
        (changed("crop", clip_seconds=2.0), "videomae_k400", "clips"),
    ],
)
def test_params_that_are_not_the_papers_are_marked_where_they_matter(made, system, said):
    assert titles(made, system) == [said, *OPEN]
    assert titles(made, "svm_video" if said != "video rate" else "svm_physio") == OPEN


def test_a_corpus_of_other_clips_is_named():
    made = faithful()
    few = replace(made, videos={**made.videos, "kinetics": Videos(20, 1.0, 20)})
    (of_corpus,) = (
        d
        for d in deviations.of(few, "amigos", "videomae_k400", result())
        if d.title == "other corpus"
    )
    assert of_corpus.detail == "Kinetics-400 is 20 synthetic clips, not 306245"
    assert titles(few, "mvp") == OPEN


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (None, "supervised on the other target"),
        ("supervise-k400_amigos", "fold-aware pre-training"),
    ],
)
def test_the_row_between_the_text_and_table_3_says_which_it_is(start, said):
    made = faithful()
    row = made.finetune["amigos-videomae_other"]
    letter = row.model_copy(update={"start": start or row.start})
    made = replace(made, finetune={**made.finetune, "amigos-videomae_other": letter})
    assert titles(made, "videomae_other") == [said, *OPEN]


@pytest.mark.parametrize("dataset", TABLE_4)
def test_every_published_cell_has_its_place(dataset):
    ran = {name: result(dataset) for name in SYSTEMS}
    cells = fidelity.cells_4(dataset, ran)
    assert sum(len(c.published) for c in cells) == sum(
        2 * len(row) for row in TABLE_4[dataset].values()
    )
    assert len(fidelity.cells_3(dataset, ran)) == len(TABLE_3[dataset])
    assert all(cell.system for cell in [*cells, *fidelity.cells_3(dataset, ran)])


def test_what_was_not_run_is_said_and_numbers_lead_to_the_list():
    html = fidelity.section({"deap": {"mvp": result("deap")}}, setup("tiny"))
    head = html.split("<h3>DEAP: Table 3")[0]
    *_, not_run, ours = (
        row for row in rows(head) if row[1][0].startswith("video") or row[0] == ["MVP"]
    )
    assert ours[3][0] == "50"
    assert ours[-2:] == [["880"], ["1", ",", "2", ",", "3"]]
    assert not_run[-1] == ["not", "run"]
    assert '<li value="2"><b>sizes and schedules</b>' in html
