"""Hand-crafted features of every recording, for SVM and MLP."""

import sys

import numpy as np
import polars as pl

from pipeline_lib import paths, tables
from pipeline_lib.face.summary import visual_features
from pipeline_lib.params import load_params
from pipeline_lib.physio.features import physio_features
from pipeline_lib.schema import FEATURES, PHYSIO, VISUAL


def main(dataset: str) -> None:
    params = load_params()
    names = VISUAL[params.store.visual]
    rows = []
    for shard in tables.shards(paths.features(dataset)):
        physio = tables.read_subject(paths.physio(dataset), PHYSIO, shard.stem)
        for recording in tables.read_table(shard, FEATURES).to_dicts():
            name = recording["recording_id"]
            visual = np.reshape(recording["visual"] or [], (-1, len(names)))
            rows.append(
                {
                    "recording_id": name,
                    "has_video": recording["n_frames"] > 0,
                    "has_physio": recording["n_times"] > 0,
                }
                | visual_features(visual, names=names)
                | physio_features(physio.filter(pl.col("recording_id") == name))
            )
    tables.write_table(pl.DataFrame(rows), paths.handcraft(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
