"""Hand-crafted features of every recording, for classic classifiers, and how far to trust them."""

import math
import sys

import numpy as np
import polars as pl

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import FEATURES, PHYSIO, VISUAL
from pipeline_lib.params import load_params
from pipeline_lib.physio.face_summary import visual_features
from pipeline_lib.physio.features import physio_features
from pipeline_lib.physio.quality_indices import quality_indices


def main(dataset: str) -> None:
    params = load_params()
    names = VISUAL[params.store.visual]
    features, quality = [], []
    for shard in tables.shards(paths.features(dataset)):
        physio = tables.read_subject(paths.physio(dataset), PHYSIO, shard.stem)
        for recording in tables.read_table(shard, FEATURES).iter_rows(named=True):
            name = {"recording_id": recording["recording_id"]}
            signals = physio.filter(pl.col("recording_id") == recording["recording_id"])
            visual = np.reshape(recording["visual"] or [], (-1, len(names)))
            features.append(
                {
                    **name,
                    "has_video": recording["n_frames"] > 0,
                    "has_physio": recording["n_times"] > 0,
                    **visual_features(visual, names=names),
                    **physio_features(signals),
                }
            )
            share = recording["face_share"] if recording["n_frames"] else math.nan
            quality.append({**name, "visual_face_share": share, **quality_indices(signals)})
    tables.write_table(pl.DataFrame(features), paths.handcraft(dataset))
    tables.write_table(pl.DataFrame(quality), paths.handcraft_quality(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
