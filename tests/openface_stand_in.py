"""A program that behaves as OpenFace 2.2's FeatureExtraction does, down to the bytes it writes.

It fails as the video's name tells it. Of the real one it has the order of its messages, the order
and the decimals of its columns, the names of its files, and these habits: it takes its inputs one
by one and ends, with exit code 0, at the first that it cannot open; it writes each frame into the
CSV's final name as it comes; where the face is lost, pose and landmarks stay as they were; when a
video is done it writes the CSV anew, with other action units.
"""

import os
import signal
import sys
import time
from pathlib import Path

N_ROWS = 20
RATE = 25  # Hz
LOST = (5, 6)  # rows without a face, from 0

KEYS = ["frame", "face_id", "timestamp", "confidence", "success"]
EYES = [f"eye_lmk_{axis}_{i}" for axis in ("x", "y", "X", "Y", "Z") for i in range(56)]
GAZE = [f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"]
ANGLES = ["gaze_angle_x", "gaze_angle_y"]
POSITION, ROTATION = [[f"pose_{kind}{axis}" for axis in "xyz"] for kind in "TR"]
IN_PICTURE = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
IN_SPACE = [f"{axis}_{i}" for axis in "XYZ" for i in range(68)]
SHAPE = ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))]
UNITS = [f"{unit:02}" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)]
INTENSITIES = [f"AU{unit}_r" for unit in (*UNITS, "45")]
PRESENCES = [f"AU{unit}_c" for unit in (*UNITS, "28", "45")]

GROUPS = {  # in the order of the file, whatever the order of the options
    "-gaze": [*GAZE, *ANGLES, *EYES],
    "-pose": [*POSITION, *ROTATION],
    "-2Dfp": IN_PICTURE,
    "-3Dfp": IN_SPACE,
    "-pdmparams": SHAPE,
    "-aus": [*INTENSITIES, *PRESENCES],
}

MEASUREMENTS = [name for names in GROUPS.values() for name in names]

# Value with a face, decimals, and whether it stays where the face is lost.
CELLS = {
    **dict.fromkeys(GAZE, (0.25, 6, False)),
    **dict.fromkeys(ANGLES, (0.125, 3, False)),
    **dict.fromkeys(EYES, (1.5, 1, True)),
    **dict.fromkeys(POSITION, (1.5, 1, True)),
    **dict.fromkeys(ROTATION, (0.125, 3, True)),
    **dict.fromkeys([*IN_PICTURE, *IN_SPACE], (1.5, 1, True)),
    **dict.fromkeys(SHAPE, (1.5, 3, True)),
    **dict.fromkeys(INTENSITIES, (1.5, 2, False)),
    **dict.fromkeys(PRESENCES, (1.0, 2, False)),
}
RAW = {  # what stands there until the end of the video
    **dict.fromkeys(INTENSITIES, (2.5, 2, False)),
    **dict.fromkeys(PRESENCES, (1.0, 1, False)),
}

BEFORE = """\
Reading the landmark detector/tracker from: /opt/OpenFace/model/main_ceclm_general.txt
Reading the landmark detector module from: /opt/OpenFace/model/cen_general.txt
Reading the PDM module from: /opt/OpenFace/model/pdms/In-the-wild_aligned_PDM_68.txt....Done
Reading the Triangulations module from: /opt/OpenFace/model/tris_68.txt....Done
Reading the intensity CEN patch experts from: \
/opt/OpenFace/model/patch_experts/cen_patches_0.25_of.dat...."""
NO_MODELS = """\
Could not find CEN patch experts, for instructions of how to download them, see \
https://github.com/TadasBaltrusaitis/OpenFace/wiki/Model-download 

ERROR: Could not load the landmark detector
"""


def header(names: list[str], *, version: int) -> str:
    return ", ".join([name for name in KEYS if version > 1 or name != "face_id"] + names)


def row(index: int, names: list[str], *, version: int = 2, raw: bool = False) -> str:
    found = index not in LOST
    cells = {**CELLS, **RAW} if raw else CELLS
    ids = [str(index + 1), *(["0"] if version > 1 else []), f"{index / RATE:.3f}"]
    written = [
        f"{value if found or stays else 0:.{decimals}f}"
        for value, decimals, stays in (cells[name] for name in names)
    ]
    return ", ".join([*ids, "0.98" if found else "0.02", str(int(found)), *written])


def text(*, version: int = 2, n_rows: int = N_ROWS, options: list[str] | None = None) -> str:
    """A finished CSV."""
    names = [name for group in options or GROUPS for name in GROUPS[group]]
    names = [name for name in names if version > 1 or name not in (*ANGLES, *EYES)]
    lines = [header(names, version=version)]
    lines += [row(i, names, version=version) for i in range(n_rows)]
    return "\n".join(lines) + "\n"


def say(line: str, end: str = "\n") -> None:
    print(line, end=end, flush=end == "\n")  # noqa: T201


class Died(Exception):
    """To be turned into whatever the video's name says."""


def track(video: str, csv: Path, names: list[str]) -> None:
    """Write a row a frame, as they come."""
    name = Path(video).name
    n_written = N_ROWS // 2 if any(word in name for word in ("half", "dies")) else N_ROWS
    percent = 0
    with csv.open("w") as file:
        file.write(header(names, version=2) + "\n")
        for index in range(n_written):
            file.write(row(index, names, raw=True) + "\n")
            if (index + 1) / N_ROWS >= percent / 100:
                say(f"{percent}% ", end="\n" if percent == 100 else "")
                percent += 10
    if "dies" in name:
        raise Died


def extract(video: str, folder: str, name: str, options: list[str]) -> None:
    groups = [group for group in GROUPS if group in options] or list(GROUPS)
    names = [column for group in groups for column in GROUPS[group]]
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    details = f"Input:{video}\nInput full path:{video}\nCamera parameters:500,500,320,240\n"
    Path(out, f"{name}_of_details.txt").write_text(details)
    say("Starting tracking")
    csv = out / f"{name}.csv"
    track(video, csv, names)
    say("Closing output recorder\nClosing input reader\nClosed successfully")
    if "-aus" in groups:
        say("Postprocessing the Action Unit predictions")
        if "unfinished" in Path(video).name:
            raise Died
        n_rows = len(csv.read_text().splitlines()) - 1
        written = text(n_rows=n_rows, options=groups)
        is_cut = "cut" in Path(video).name  # as by a full disk, which OpenFace does not notice
        csv.write_text(written[:-31] if is_cut else written)
        if is_cut and "killed" in Path(video).name:
            raise Died


def die(video: str) -> None:
    if "killed" in Path(video).name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hangs" in Path(video).name:
        Path(video).with_suffix(".pid").write_text(str(os.getpid()))
        time.sleep(600)
    sys.stderr.write("terminate called after throwing an instance of 'cv::Exception'\n")
    sys.exit(5)


def take(arguments: list[str], option: str) -> str | None:
    """The value of the first such option, which is then gone; None if there is none."""
    if option not in arguments:
        return None
    position = arguments.index(option)
    _, value = arguments.pop(position), arguments.pop(position)
    return value


def main(arguments: list[str]) -> int:
    say(BEFORE, end="")
    if "-no_models" in arguments:
        say(NO_MODELS, end="")
        return 1
    say("Done")
    folder = take(arguments, "-out_dir") or "processed"
    while video := take(arguments, "-f"):
        say(f"Attempting to read from file: {video}")
        if "unreadable" in Path(video).name or not Path(video).exists():
            say(f"Failed to open the video file at location: {video}")
            break
        say("Device or file opened")
        of = take(arguments, "-of") or video
        # Neither goes further than this video. -appends: as programs of others do.
        name = of if "-appends" in arguments else Path(of).stem
        try:
            extract(video, folder, name, arguments)
        except Died:
            die(video)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
