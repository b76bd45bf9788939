"""Fig. 4: which systems are set against each other, and what is shown of them."""

import io
import re

import polars as pl
from PIL import Image

from pipeline_lib.core import schema
from pipeline_lib.params import Start, load_params
from pipeline_lib.report import crop_comparison
from pipeline_lib.report.crop_comparison import Pair, pairs
from tests.test_report_tables import rows, summary

LARGE, SMALL = "videomae_k400", "videomae_small"


def test_those_of_one_start_and_two_crops_are_a_pair():
    def row(dataset, system, start, crop=None):
        return Start(dataset=dataset, system=system, start=f"pretrain-{start}", crop=crop)

    finetune = {
        "a-x": row("a", "x", "k400"),
        "a-y": row("a", "y", "kad"),
        "a-z": row("a", "z", "k400", "small"),
        "b-x": row("b", "x", "k400"),
    }
    assert pairs(finetune, usual="large") == {"a": Pair("x", "z")}
    assert pairs(finetune, usual="small") == {}


def test_every_data_set_of_the_project_has_a_pair():
    params = load_params()
    expected = Pair(LARGE, SMALL)
    found = pairs(params.finetune, usual=params.models["paper"].videomae.crop)
    assert found == dict.fromkeys(params.trained_on, expected)


def compared():
    """The small crop is better than the large one by four points, as the pair has it."""
    pair = {"systems": [SMALL, LARGE], "verdict": "better", "difference": 0.04} | {
        "low": 0.01, "high": 0.07, "p": 0.01, "p_holm": 0.02, "n_recordings": 9, "n_subjects": 3,
        "p_equivalence_holm": 1.0, "p_folds_holm": None,
    }  # fmt: skip
    return {target: {"weighted_f1": {"pairs": [pair]}} for target in schema.TARGETS}


def crops(n_frames):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "brown").save(buffer, "JPEG")
    found = [
        dict.fromkeys(schema.CROPS)
        | {"recording_id": name, "crop": crop, "frame": i, "time": i / 4, "face": i > 0}
        | {"jpeg": buffer.getvalue()}
        for name, n in (("few", 2), ("many", n_frames))
        for crop in ("large", "small")
        for i in range(n)
    ]
    return pl.DataFrame(found, schema=dict(schema.CROPS), orient="row")


def section(dataset, shown):
    scores = {LARGE: summary(0.6), SMALL: summary(0.64)}
    return crop_comparison.section(dataset, Pair(LARGE, SMALL), scores, compared(), shown)


def test_scores_and_difference_stand_beside_the_published_one():
    arousal, valence = rows(section("amigos", None))
    assert (arousal[1][0], arousal[2][0]) == ("60", "64")
    assert valence[3][:4] == ["-4", "-7", "&ndash;", "-1"]
    assert valence[4] == ["+7", "&ndash;", "+9"]
    assert rows(section("deap", None))[0][4] == ["none"]


def test_the_same_frames_are_shown_in_both_crops():
    html = section("amigos", crops(9))
    assert html.count("<img") == 2 * crop_comparison.EXAMPLES
    assert re.findall(r"<figcaption>(.*?)</", html) == ["large crop, many", "small crop, many"]
    assert "<img" not in section("amigos", None)
