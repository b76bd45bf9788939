"""The twin without effect, and the score that a flaw makes of it."""

import numpy as np
import polars as pl
import pytest

from pipeline_lib.core.schema import CROPS, PREDICTIONS, validate
from pipeline_lib.params import Evaluation, load_params
from pipeline_lib.report import inflation as report
from pipeline_lib.studies import inflation, null_twin
from pipeline_lib.studies.null_study import CASES, Run, predict

EVALUATION = Evaluation(bootstrap=500, permutations=100, confidence=0.95, margin=0.05)


def predictions(hits: list[float], *, n: int = 10) -> pl.DataFrame:
    """Each person's recordings, of which this share is predicted right."""
    rows = [
        (f"s{i}_{k}", f"s{i}", 0, target, k % 2, float((k % 2 == 1) == (k < share * n)))
        for i, share in enumerate(hits)
        for k in range(n)
        for target in ("valence", "arousal")
    ]
    return pl.DataFrame(rows, schema=dict(PREDICTIONS), orient="row")


def test_people_look_like_themselves_and_labels_like_nobody() -> None:
    twin = null_twin.draw(n_subjects=40, trials=6, seed=1)
    visual = twin.handcraft.select(pl.selectors.ends_with("_mean")).to_numpy()
    who = twin.index["subject"].to_numpy()
    alike = np.corrcoef(visual)
    same = np.equal.outer(who, who) & ~np.eye(len(who), dtype=bool)
    assert alike[same].mean() > 0.4 > 0.1 > abs(alike[who[:, None] != who].mean())
    label = twin.index["valence_label"].to_numpy()
    assert abs(label.mean() - 0.5) < 0.1
    assert max(abs(np.corrcoef(visual.T, label)[-1, :-1])) < 0.4
    (own,) = {twin.index.filter(subject=s)["valence_label"].len() for s in set(who)}
    assert own == 6
    assert twin.features["valence_label"].equals(twin.index["valence_label"])
    assert null_twin.draw(n_subjects=40, trials=6, seed=1).index.equals(twin.index)


def test_clips_show_the_look_of_their_recording() -> None:
    twin = null_twin.draw(n_subjects=2, trials=1, seed=0)
    clips = validate(null_twin.clips(twin, seed=0), CROPS, "clips")
    assert clips.group_by("recording_id").len()["len"].to_list() == [null_twin.N_FRAMES] * 2


def test_inflation_is_the_difference_over_the_same_people() -> None:
    honest, flawed = (inflation.counts([predictions(h)] * 2) for h in ([0.4, 0.6], [0.7, 0.9]))
    assert honest.shape == (1, 4, 4)
    found = inflation.compare(honest, flawed, evaluation=EVALUATION, seed=0)
    scores = {name: score["value"] for name, score in found.items()}
    assert scores == pytest.approx({"honest": 0.5, "flawed": 0.8, "inflation": 0.3})
    assert found["honest"]["low"] < 0.5 < found["honest"]["high"]
    assert found["inflation"]["low"] == pytest.approx(0.3) == found["inflation"]["high"]


@pytest.mark.parametrize("flaw", ["trial_level", "global_normalisation"])
def test_a_case_in_small(flaw: str) -> None:
    params = load_params()
    of = [
        predict(Run("svm_video", 40, 6, 0.85, 0, asked), params=params)[1] for asked in (None, flaw)
    ]
    honest, flawed = (inflation.counts([each]) for each in of)
    found = inflation.compare(honest, flawed, evaluation=EVALUATION, seed=0)
    assert found["honest"]["low"] < 0.5 < found["honest"]["high"]
    assert (found["inflation"]["low"] > 0) == (flaw == "trial_level")


def test_every_flaw_has_a_case_and_all_are_drawn() -> None:
    from typing import get_args

    from pipeline_lib.params import Flaw

    assert {case.flaw for case in CASES} == set(get_args(Flaw))
    score = {"value": 0.5, "low": 0.4, "high": 0.6}
    cases = [
        {**case._asdict(), **dict.fromkeys(("honest", "flawed", "inflation"), score)}
        for case in CASES
    ]
    html = report.page({"cases": cases, "confidence": 0.95})
    assert all(case.flaw in html for case in CASES)
    assert "50.0<small>40.0 &ndash; 60.0</small>" in html
    assert "src=" not in report.section({"cases": cases, "confidence": 0.95})
