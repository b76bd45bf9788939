"""Out-of-fold predictions are joined with the right labels, and runs go on after a kill."""

from functools import partial
from pathlib import Path

import polars as pl
import pytest

from models import uni_au
from pipeline_lib.core.schema import FOLDS as FOLDS_SCHEMA
from pipeline_lib.learning import crossval
from pipeline_lib.learning.training import NothingToTest
from pipeline_lib.params import Execution
from pipeline_lib.stored_features import systems as on_features
from pipeline_lib.studies.planted import FPS, SAMPLING_RATE, planted, without
from tests.test_models import small

FOLDS = pl.DataFrame(
    {
        "fold": pl.Series([0, 0, 1, 1], dtype=pl.Int32),
        "recording_id": ["a_1", "b_1", "a_1", "b_1"],
        "subject": ["a", "b", "a", "b"],
        "role": ["test", "train", "train", "test"],
    }
)
LABELS = pl.DataFrame(
    {"recording_id": ["b_1", "a_1"], "valence_label": [0, 1], "arousal_label": [1, 1]}
)


def scores(name: str, score: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"recording_id": name, "target": ["valence", "arousal"], "score": [score, 1 - score]}
    )


def test_scores_meet_their_own_labels_and_folds() -> None:
    table = crossval.predictions({0: scores("a_1", 0.2), 1: scores("b_1", 0.9)}, FOLDS, LABELS)
    found = table.select("recording_id", "subject", "fold", "target", "label", "score").rows()
    assert found == [
        ("a_1", "a", 0, "arousal", 1, 0.8),
        ("b_1", "b", 1, "arousal", 1, pytest.approx(0.1)),
        ("a_1", "a", 0, "valence", 1, 0.2),
        ("b_1", "b", 1, "valence", 0, 0.9),
    ]


def test_repeats_predict_a_recording_several_times() -> None:
    again = FOLDS.with_columns(pl.col("fold") + 2)
    tables = {k: scores(name, 0.1 * k) for k, name in enumerate(("a_1", "b_1", "a_1", "b_1"))}
    table = crossval.predictions(tables, pl.concat([FOLDS, again]), LABELS)
    found = table.filter(target="valence").select("recording_id", "fold", "label").rows()
    assert found == [("a_1", 0, 1), ("a_1", 2, 1), ("b_1", 1, 0), ("b_1", 3, 0)]


def test_what_was_left_out_has_its_reason() -> None:
    predicted = crossval.predictions({0: scores("a_1", 0.2)}, FOLDS, LABELS)
    ledger = crossval.ledger(FOLDS, predicted, {"b_1": "no video"})
    found = ledger.select("recording_id", "status", "reason").rows()
    assert found == [("a_1", "ok", ""), ("b_1", "excluded", "no video")]
    with pytest.raises(ValueError, match=r"no prediction of \['b_1'\], which lack nothing"):
        crossval.ledger(FOLDS, predicted, {})


def test_a_score_of_a_training_recording_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not test: \['b_1', 'b_1'\]"):
        crossval.predictions({0: scores("b_1", 0.5)}, FOLDS, LABELS)


def test_checkpoints_lie_elsewhere_for_other_params_or_data(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def folder(content: str, depth: int) -> Path:
        data.write_text(content)
        return crossval.checkpoint_folder("run", [crossval.__name__], {"depth": depth}, [data])

    assert folder("x", 1) == folder("x", 1)
    assert len({folder("x", 1), folder("y", 1), folder("x", 2)}) == 3


EXECUTION = Execution(backend="loky", jobs=1, experiment="test")


def test_a_fold_with_nothing_to_test_is_left_out_and_its_recordings_have_the_reason(
    tmp_path: Path,
) -> None:
    """The only subject of the first has no video."""
    features, _ = planted(n_subjects=8, trials=1)
    features = without(features, pl.col("subject") == "0", "visual")
    roles = ["tvrrrrrr", "rtttvvrr", "rrvrtttt"]  # a fold a word, a subject a letter
    said = {"r": "train", "v": "validation", "t": "test"}
    rows = [
        (fold, f"{subject:02}_0", str(subject), said[letter])
        for fold, word in enumerate(roles)
        for subject, letter in enumerate(word)
    ]
    folds = pl.DataFrame(rows, schema=dict(FOLDS_SCHEMA), orient="row")
    rates = {"fps": FPS, "sampling_rate": SAMPLING_RATE}
    config = small("uni_au", epochs=1)
    system = uni_au.SYSTEM
    work = partial(on_features.train_fold, features, system=system, config=config, seed=0, **rates)
    results = crossval.run(work, folds, checkpoints=tmp_path, execution=EXECUTION, label="x")
    assert list(results) == [1, 2]
    lacking = on_features.lacking(features, system=system, config=config)
    crossval.write(tmp_path, results, folds, features, lacking)
    ledger = pl.read_parquet(tmp_path / "_ledger.parquet").filter(recording_id="00_0")
    assert ledger["reason"].to_list() == ["no video"]
    with pytest.raises(NothingToTest, match="1 have no video"):
        crossval.run(work, folds.filter(fold=0), checkpoints=tmp_path, execution=EXECUTION,
                     label="x")  # fmt: skip
