"""Fig. 5: what of a trial is shown, and whose face."""

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from pipeline_lib.core import schema
from pipeline_lib.report import success_cases
from pipeline_lib.report.success_cases import Cases

N_FRAMES, FPS = 36, 18.0


def table(name, *rows):
    columns = getattr(schema, name)
    empty = dict.fromkeys(columns)
    return pl.DataFrame([empty | row for row in rows], schema=dict(columns), orient="row")


def cases(**changes):
    """One trial of 2 s from -1 s, of which arousal is a case; valence has none."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "brown").save(buffer, "JPEG")
    case = {"recording_id": "P1_<1>", "fold": 0, "target": "arousal"}
    counts = {"both": 24, "ours_alone": 5, "rival_alone": 11, "neither": 4}
    visual = np.arange(N_FRAMES * 42, dtype=np.float32).tolist()
    found = {
        "outcomes": table("OUTCOMES", *({"target": t, **counts} for t in schema.TARGETS)),
        "cases": table("CASES", {**case, "label": 1, "score": 0.8, "rival_score": 0.1}),
        "attention": table(
            "ATTENTION",
            *(
                {**case, "modality": m, "start": -1.0, "rate": 4.0, "weight": [1.5, 0.5] * 4}
                for m in ("visual", "physio")
            ),
        ),
        "features": table("FEATURES", {**case_id(case), "n_frames": N_FRAMES, "visual": visual}),
        "physio": table(
            "PHYSIO",
            *(
                {**case_id(case), "channel": c, "unit": "uS", "sampling_rate": 8.0}
                | {"start": -1.0, "samples": [0.0] * 16}
                for c in ("EDA", "PPG")
            ),
        ),
        "crops": table(
            "CROPS",
            *(
                {**case_id(case), "crop": "large", "time": t, "face": t > 0}
                | {"jpeg": buffer.getvalue()}
                for t in (-0.9, 0.05, 0.5)
            ),
        ),
    }
    return Cases(**found | changes, fps=FPS, visual="stressid42")


def case_id(case):
    return {"recording_id": case["recording_id"]}


def test_outcomes_of_both_kinds_are_told_and_a_target_without_a_case_too():
    html = success_cases.section("deap", cases(), faces=True)
    for n in (24, 5, 11, 4):
        assert f"<td>{n}</td>" in html
    assert "valence: MVP alone was right in no trial" in html
    assert "arousal of P1_&lt;1&gt; is 1. Probability of 1: MVP 0.80, MLP 0.10." in html


@pytest.mark.parametrize(("faces", "n_shown"), [(True, 2), (False, 0)])
def test_faces_are_shown_only_where_they_may_be(faces, n_shown):
    html = success_cases.section("deap", cases(), faces=faces)
    assert html.count("data:image") == n_shown  # not the frame without a face
    assert ("are not shown" in html) != faces


def test_heart_stands_over_skin_and_all_between_first_and_last_second():
    html = success_cases.section("deap", cases(), faces=False)
    assert html.index("PPG, ") < html.index("EDA, ")
    assert '"range":[-1.0,1.0]' in html


def test_a_trial_without_video_has_an_empty_track():
    without = table("FEATURES", {"recording_id": "P1_<1>", "n_frames": 0})
    empty = cases().attention.with_columns(
        pl.when(modality="visual").then(pl.lit([], pl.List(pl.Float32))).otherwise("weight")
        .alias("weight")
    )  # fmt: skip
    html = success_cases.section("deap", cases(features=without, attention=empty), faces=True)
    assert "attention,\\u003cbr\\u003evideo" in html
