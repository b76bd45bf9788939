"""Cases, and the model that explains them: the one of the fold that tested the trial."""

from pathlib import Path

import polars as pl
import pytest
from safetensors.torch import save_model

from pipeline_lib import cases, explanation
from pipeline_lib.core import paths, schema
from pipeline_lib.studies.planted import FPS, SAMPLING_RATE, planted
from tests.test_models import run, small


def predictions(*scores, target="arousal", fold=0):
    """Recordings a, b, ... all of label 1."""
    rows = [
        {"recording_id": name, "subject": name, "fold": fold, "target": target}
        | {"label": 1, "score": score}
        for name, score in zip("abcdef", scores, strict=False)
    ]
    return pl.DataFrame(rows, schema=dict(schema.PREDICTIONS), orient="row")


def test_outcomes_are_counted_both_ways():
    both = cases.compared(predictions(0.9, 0.6, 0.1, 0.2, 0.8), predictions(0.9, 0.4, 0.7, 0.1, 0))
    assert cases.outcomes(both).filter(target="arousal").rows() == [("arousal", 1, 2, 1, 1)]
    assert cases.outcomes(both).filter(target="valence").rows() == [("valence", 0, 0, 0, 0)]


def test_the_case_has_the_largest_margin_of_those_that_ours_alone_got_right():
    ours = pl.concat([predictions(0.9, 0.7, 0.8), predictions(0.3, target="valence")])
    rival = pl.concat([predictions(0.0, 0.4, 0.6), predictions(0.9, target="valence")])
    (case,) = cases.successes(cases.compared(ours, rival)).to_dicts()
    assert (case["recording_id"], case["score"], case["rival_score"]) == ("a", 0.9, 0.0)


def test_a_case_of_label_0_is_right_when_the_score_is_low():
    zero = {"label": pl.lit(0, pl.Int8)}
    ours, rival = (predictions(score).with_columns(**zero) for score in (0.2, 0.9))
    (row,) = cases.compared(ours, rival).to_dicts()
    assert (row["right"], row["rival_right"]) == (True, False)
    assert row["margin"] == pytest.approx(0.7)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one fold on planted features: its folder, features, folds and predictions."""
    features, folds = planted(n_subjects=10, trials=2)
    result = run("mvp", features, folds, epochs=2)
    folder = tmp_path_factory.mktemp("run")
    save_model(result.model, str(paths.fold(folder, 0).with_suffix(".safetensors")))
    tested = result.scores.filter(target="valence").head(1).to_dicts()
    chosen = pl.DataFrame(
        [{**row, "subject": "s", "fold": 0, "label": 1, "rival_score": 0.0} for row in tested],
        schema=dict(schema.CASES),
    )
    return folder, features, folds, chosen


def of_cases(trained, chosen=None) -> pl.DataFrame:
    folder, features, folds, found = trained
    index = features.select("recording_id", pl.lit(0.5).alias("video_start"))
    physio = features.select("recording_id", pl.lit(-1.0).alias("start"))
    return explanation.of_cases(
        found if chosen is None else chosen, features, folds, index, physio,
        run=Path(folder), config=small("mvp"), fps=FPS, sampling_rate=SAMPLING_RATE,
        window_start=-1.0,
    )  # fmt: skip


def test_the_models_own_prediction_is_explained_on_the_axis_of_the_trial(trained):
    visual, physio = of_cases(trained).to_dicts()
    assert (visual["modality"], visual["start"]) == ("visual", 0.5)
    assert (physio["modality"], physio["start"]) == ("physio", -1.0)
    _, features, _, chosen = trained
    seconds = features.filter(recording_id=chosen["recording_id"][0])["n_frames"][0] / FPS
    assert len(visual["weight"]) == pytest.approx(seconds * explanation.RATE, abs=1)


def test_a_model_that_did_not_make_the_prediction_is_an_error(trained):
    other = trained[3].with_columns(score=1 - pl.col("score").round() * 0.9)
    with pytest.raises(ValueError, match=r"predictions\.parquet has"):
        of_cases(trained, other)


def test_steps_are_means():
    assert explanation.averaged(pl.Series([1.0, 3.0, 5.0, 7.0]).to_numpy(), 8.0) == [2.0, 6.0]
