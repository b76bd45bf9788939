"""StressID's two published tables in small, of people who were drawn, for tests."""

import csv
from pathlib import Path

import numpy as np

from pipeline_lib.datasets.stressid.labels import TASKS
from pipeline_lib.stressid_features.columns import GROWS, PHYSIO, VERDICT, VIDEO
from pipeline_lib.stressid_features.study import LONG, WORK

SUBJECTS = tuple(f"s{i:02}" for i in range(10))
WITHOUT_VIDEO = SUBJECTS[:2]
TABLES = {
    "physio": "Feature Extraction/Features/all_physiological_features.csv",
    "video": "Features/video11tasks_aus_gaze_mean_std.csv",
}
Rows = dict[str, dict[str, str]]  # recording_id -> cell by published name


def draw(seed: int = 0) -> dict[str, Rows]:
    """Columns that grow hold the length, meanHR and mean_AU12_r the task, in noise; rest: noise.

    As in the real tables, Baseline lasts a minute, has no video, and one recording is in neither.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Rows] = {"physio": {}, "video": {}}
    for subject in SUBJECTS:
        for task in TASKS[:-1] if subject == SUBJECTS[0] else TASKS:
            for modality, columns, shown in (
                ("physio", PHYSIO, "meanHR"),
                ("video", VIDEO, "mean_AU12_r"),
            ):
                if modality == "video" and (task == "Baseline" or subject in WITHOUT_VIDEO):
                    continue
                row = {name: rng.normal() for name in columns}
                row[shown] += 4.0 * (task in WORK)
                for name, ours in columns.items():
                    if VERDICT[ours] in GROWS:
                        row[name] = 0.1 * row[name] + 3.0 * (task in LONG)
                found[modality][f"{subject}_{task}"] = {k: repr(float(v)) for k, v in row.items()}
    return found


def write(root: Path, tables: dict[str, Rows]) -> Path:
    """Write the tables where the authors' repository has them, and say that they are synthetic."""
    for modality, rows in tables.items():
        path = root / TABLES[modality]
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = PHYSIO if modality == "physio" else VIDEO
        key = "" if modality == "physio" else "id"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [key, *columns], extrasaction="raise")
            writer.writeheader()
            writer.writerows({key: name, **row} for name, row in rows.items())
    (root / "SYNTHETIC.md").write_text("drawn for a test\n")
    return root
