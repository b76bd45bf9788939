"""Tables of features: which columns are whose, and what is fitted on which rows."""

import numpy as np
import polars as pl
import pytest

from models.tabular import HANDCRAFTED, Fold, columns

NAN = float("nan")
NAMES = [f"r{i}" for i in range(6)]
ROLES = ["train", "train", "train", "validation", "test", "test"]
FOLD = pl.DataFrame({"fold": 0, "recording_id": NAMES, "role": ROLES})
LABELS = pl.DataFrame({"recording_id": NAMES, "valence_label": 0, "arousal_label": 1})


def fold(x: list[float], y: list[float]) -> Fold:
    table = pl.DataFrame({"recording_id": NAMES, "heart_x": x, "visual_y": y})
    return Fold.of(table, LABELS, FOLD, families=HANDCRAFTED)


def test_columns_belong_to_the_family_of_their_prefix() -> None:
    names = ["recording_id", "has_video", "EDA_mean", "heart_rate", "visual_AU01_r_mean", "eda_x"]
    table = pl.DataFrame(schema=dict.fromkeys(names, pl.Float64))
    assert columns(table, "physio", HANDCRAFTED) == ["EDA_mean", "heart_rate", "eda_x"]
    assert columns(table, "video", HANDCRAFTED) == ["visual_AU01_r_mean"]
    with pytest.raises(ValueError, match=r"begins with \['visual_'\], as those of video do"):
        columns(table.drop("visual_AU01_r_mean"), "video", HANDCRAFTED)


def test_rows_meet_their_roles_in_whatever_order_tables_have_them() -> None:
    table = pl.DataFrame({"recording_id": NAMES, "heart_x": range(6), "visual_y": range(6)})
    found = Fold.of(table.reverse(), LABELS, FOLD.sample(6, shuffle=True, seed=0),
                    families=HANDCRAFTED)  # fmt: skip
    assert found.recording_ids.tolist() == NAMES
    assert found.raw["physio"].ravel().tolist() == [*range(6)]
    assert found.role.tolist() == ROLES


def test_scaler_knows_the_training_recordings_that_have_the_modality() -> None:
    data = fold([1, 2, 3, 6, 100, 100], [NAN, 1, 2, 3, 50, NAN])
    train = data.filled["physio"][:4].ravel()
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-12)
    seen = data.filled["video"][1:4].ravel()
    np.testing.assert_allclose([seen.mean(), seen.std()], [0, 1], atol=1e-12)
    assert data.has(["physio", "video"]).tolist() == [False, True, True, True, True, False]
    assert data.has([]).all()


def test_imputer_learns_from_training_rows_alone() -> None:
    """b = 2a in training; the test rows say otherwise and have no say."""
    a = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]
    table = pl.DataFrame(
        {"recording_id": NAMES, "heart_a": a, "heart_b": [2, 4, None, 8, -900, None]}
    ).with_columns(visual_y=1.0)
    data = Fold.of(table, LABELS, FOLD, families=HANDCRAFTED)
    filled = data.filled["physio"]
    honest = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(filled[honest, 0], filled[honest, 1], atol=1e-3)
    by_role = data.fill(data.role == "train")["physio"]
    np.testing.assert_allclose(by_role[:3, 0], [-1.2247449, 0, 1.2247449])
