"""A stretch of one modality goes, and nothing else."""

import numpy as np
import polars as pl
import pytest

from pipeline_lib.learning import crossval
from pipeline_lib.stored_features import degradation
from pipeline_lib.stored_features.trials import Modality
from pipeline_lib.studies.planted import planted
from tests.test_models import run


@pytest.mark.parametrize(("modality", "width"), [("visual", 42), ("physio", 2)])
@pytest.mark.parametrize("share", degradation.SHARES)
def test_one_stretch_is_missing(modality: Modality, width: int, share: float) -> None:
    features, _ = planted(n_subjects=1, trials=2)
    masked = degradation.mask(features, modality, share, seed=0)
    assert masked.drop(modality).equals(features.drop(modality))
    for before, after in zip(features[modality], masked[modality], strict=True):
        missing = np.isnan(after.to_numpy().reshape(-1, width))
        assert missing.any(axis=1).sum() == missing.all(axis=1).sum()
        assert missing[:, 0].mean() == pytest.approx(share)
        assert np.abs(np.diff(missing[:, 0].astype(int))).sum() <= 2
        known = ~missing.ravel()
        np.testing.assert_array_equal(after.to_numpy()[known], before.to_numpy()[known])


def test_no_recording_loses_what_it_does_not_have() -> None:
    features, _ = planted(n_subjects=1, trials=1)
    nothing = features.with_columns(pl.lit(None, pl.List(pl.Float32)).alias("visual"))
    assert degradation.mask(nothing, "visual", 0.5, seed=0)["visual"].list.len().to_list() == [0]


def test_without_the_video_valence_is_lost_and_arousal_is_not() -> None:
    features, fold = planted()
    result = run("mvp", features, fold, quality="mask")
    assert result.degraded is not None
    folds = fold.with_columns(pl.col("fold").cast(pl.Int32))
    table = crossval.degraded({0: result.degraded}, folds, features)
    right = table.filter(share=1.0).with_columns(
        ((pl.col("score") > 0.5) == (pl.col("label") == 1)).alias("right")
    )
    hits = dict(right.group_by(pl.concat_str("modality", "target", separator=" ")).agg(
        pl.col("right").mean()).iter_rows())  # fmt: skip
    assert hits["visual arousal"] >= 0.8
    assert hits["physio valence"] >= 0.8
    assert max(hits["visual valence"], hits["physio arousal"]) <= 0.75
