"""A program with pyfaceau 1.4's command line, messages and CSV: `pyfaceau VIDEO -o CSV`.

It fails as the first of its own options, before the video, tells it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import av

UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25")
INTENSITIES = [f"AU{unit}_r" for unit in (*UNITS, "26", "45")]
LOST = (
    5,
    6,
    7,
)  # frames without a face, from 0; the smoothing fills the first and the last of them

NO_MODELS = """\
pyfaceau: The OpenFace model files that pyclnf needs are not installed yet.

pyclnf does not include them: they belong to OpenFace (Carnegie Mellon
University) and may only be used for academic or non-profit, non-commercial
research. License: https://github.com/TadasBaltrusaitis/OpenFace/blob/master/OpenFace-license.txt

To install them (431.9 MB, one time), do ONE of these:

  1. Open a terminal and run:
         pyclnf-download-models
"""


def rows(n_frames: int, lost: Sequence[int] = LOST) -> list[dict[str, object]]:
    """What it knows of each frame, in the order of its columns; without a face no action units."""
    keys = [{"frame": i, "timestamp": i / 30.0, "success": i not in lost} for i in range(n_frames)]
    inside = [i for i in lost if {i - 1, i + 1} <= set(lost)]
    return [
        dict(row)
        if i in inside or len(lost) == n_frames
        else {**row, **{name: (i % 45) / 10.0 + 1 / 3 for name in INTENSITIES}}
        for i, row in enumerate(keys)
    ]


def text(rows: Sequence[dict[str, object]]) -> str:
    """As pandas writes them: floats in full, nothing for what is missing."""
    names = max(rows, key=len)
    lines = [",".join(names)]
    lines += [",".join(str(row.get(name, "")) for name in names) for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    *mode, video, _, csv = arguments
    try:
        with av.open(video) as container:
            n_frames = sum(1 for _ in container.decode(video=0))
    except av.error.FFmpegError:
        sys.stderr.write(f"pyfaceau: cannot read any frame from {video}. Is it a video file?\n")
        return 1
    sys.stderr.write(f"Processing {Path(video).name} ...\n")
    match mode:
        case ["no_models"]:
            sys.stderr.write(NO_MODELS)
            return 1
        case ["no_face"]:
            Path(csv).write_text(text(rows(n_frames, lost=range(n_frames))))
            name = Path(video).name
            sys.stderr.write(f"No face was found in {name}. The CSV was still written: {csv}\n")
            return 1
        case ["crash"]:
            sys.stderr.write(f"pyfaceau: {video}: something went wrong\n")
            return 1
        case ["short"]:
            n_frames -= 1
    Path(csv).write_text(text(rows(n_frames)))
    sys.stderr.write(f"Done: a face was found in {n_frames} frames. AU values saved to {csv}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
