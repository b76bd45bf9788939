"""How much the box around a face trembles, and how well it follows, before and after smoothing.

    python -m pipeline_lib.video.steadiness OPENFACE.csv [...] [--smoothing 2.0]

Trembling is the second difference of the box from frame to frame, which even movement does not
have: its root mean square over the frames with a face on both sides, in px and as a share of the
box's edge. Following is the share of landmarks inside the box, as it is and with a tenth more.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import LANDMARKS
from pipeline_lib.face.openface_csv import read_csv
from pipeline_lib.video.box import face_boxes, steady

Floats = npt.NDArray[np.float64]

MARGINS = (0.0, 0.05)  # on each side, as a share of the edge


def trembling(boxes: Floats, times: Floats) -> tuple[float, float]:
    """Second difference of centre and of edge, px: root mean square over frames.

    boxes : (n_frames, 4); frames whose box or whose neighbour's is NaN do not count
    times : (n_frames,) s; steps may differ, the result is for the median step
    """
    steps = np.diff(times)[:, None]
    speeds = np.diff(boxes[:, :3], axis=0) / steps
    bends = np.diff(speeds, axis=0) / ((steps[1:] + steps[:-1]) / 2) * np.median(steps) ** 2
    x, y, edge = np.nanmean(bends**2, axis=0)
    return float(np.sqrt(x + y)), float(np.sqrt(edge))


def share_inside(rows: pl.DataFrame, boxes: Floats, *, margin: float) -> float:
    """Share of all landmarks that lie in the box of their frame, widened by a margin.

    rows  : schema.OPENFACE or read_csv; frames without a face do not count
    boxes : (n_frames, 4), not turned
    """
    seen = rows["success"].to_numpy()
    points = rows.select(LANDMARKS).to_numpy()[seen].reshape(seen.sum(), 2, -1)
    half = boxes[seen, 2] * (0.5 + margin)
    off = np.abs(points - boxes[seen, :2, None]).max(axis=1)
    return float((off <= half[:, None] + 1e-6).mean())


def report(name: str, rows: pl.DataFrame, *, smoothing: float) -> list[str]:
    """Two lines, before and after smoothing, of one clip."""
    times = rows["timestamp"].to_numpy()
    raw = face_boxes(rows, align="none")
    face = np.nanmean(raw[:, 2])
    lines = []
    for state, boxes in (("raw", raw), ("steady", steady(raw, times, smoothing=smoothing))):
        shown = np.where(np.isnan(raw), np.nan, boxes)
        px = trembling(shown, times)
        inside = [share_inside(rows, boxes, margin=margin) for margin in MARGINS]
        cells = [
            *(f"{value:10.3f}" for value in px),
            *(f"{value / face:10.3%}" for value in px),
            *(f"{value:10.2%}" for value in inside),
        ]
        lines.append(f"{name:22}{state:8}{''.join(cells)}")
    return lines


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline_lib.video.steadiness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("csv", type=Path, nargs="+", help="output of OpenFace, of any backend")
    parser.add_argument("--smoothing", type=float, default=2.0, help="s, as crop.smoothing")
    options = parser.parse_args(arguments)
    titles = ("centre px", "edge px", "centre", "edge", "inside", "inside +5%")
    sys.stdout.write(f"{'':30}{''.join(f'{title:>10}' for title in titles)}\n")
    for path in options.csv:
        lines = report(path.stem, read_csv(path), smoothing=options.smoothing)
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
