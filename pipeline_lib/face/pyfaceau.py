"""OpenFace's own intensities of action units without a compiler: pyfaceau beside the embedded one.

    python -m pipeline_lib.face.pyfaceau [-pyfaceau PROGRAM] ...

All other options are those of the embedded extractor, which measures everything; then the 17
intensities are replaced by pyfaceau's, and a frame counts as seen if both saw a face. pyfaceau
gives no presences: those stay the embedded ones. It reads every frame, whatever -fps is, since
its action units are relative to the running median of the whole video.

Neither pyfaceau (CC BY-NC 4.0) nor OpenFace's models (for academic research) come with this
project; they run as a program of their own, one process a video.

Exit codes: as the embedded extractor; 1 also if pyfaceau or its models are missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline_lib.core.schema import AU_INTENSITIES
from pipeline_lib.core.tables import atomic_write
from pipeline_lib.face import feature_extraction
from pipeline_lib.face.command_line import parse
from pipeline_lib.face.feature_extraction import NO_SETUP, SOME_FAILED, WRITTEN
from pipeline_lib.face.landmarker import SetupError
from pipeline_lib.face.openface_csv import CSVError
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.decode import frame_times, packet_times

COMMAND = "pipeline_lib.face.pyfaceau"

INSTALL = (
    "pip install pyfaceau, best into an environment of its own (-pyfaceau THERE/bin/pyfaceau in "
    "openface.command), then run its pyfaceau-download-models once, which asks you to accept "
    "OpenFace's academic licence"
)
# In its messages of missing models, and in Python's of a broken installation.
NO_MODELS = ("not installed yet", "ModuleNotFoundError", "ImportError")


def main(arguments: Sequence[str]) -> int:
    """Extract every input; returns the exit code."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("-pyfaceau", default="pyfaceau")
    known, rest = own.parse_known_args(arguments)
    options = parse(rest, command=COMMAND, description=__doc__)
    if shutil.which(known.pyfaceau) is None:
        sys.stderr.write(f"{known.pyfaceau}: no such program; {INSTALL}\n")
        return NO_SETUP
    try:
        options.out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return NO_SETUP
    codes = []
    for video, name in zip(options.f, options.of, strict=True):
        csv = options.out_dir / f"{name}.csv"
        try:
            codes.append(extract(video, csv, known.pyfaceau, _shared(options)))
        except OSError as error:  # a full disk, no permission, a folder of that name
            sys.stderr.write(f"{video}: {csv} cannot be written: {error.strerror or error}\n")
            codes.append(SOME_FAILED)
        if codes[-1] == NO_SETUP:
            return NO_SETUP
    return SOME_FAILED if any(codes) else WRITTEN


def extract(video: Path, csv: Path, pyfaceau: str, options: Sequence[str]) -> int:
    """Write a video's CSV; returns the exit code for this video, told on standard error."""
    with TemporaryDirectory(dir=csv.parent) as folder:
        embedded, units = Path(folder, "embedded.csv"), Path(folder, "units.csv")
        inputs = ["-f", str(video), "-of", embedded.name, "-out_dir", folder]
        if code := feature_extraction.main([*inputs, *options]):
            return code
        try:
            run_pyfaceau(video, units, pyfaceau)
            table = merge(pl.read_csv(embedded, infer_schema=False), read_units(units, video))
        except SetupError as error:
            sys.stderr.write(f"{error}\n")
            return NO_SETUP
        except RecordingError as error:
            sys.stderr.write(f"{error}\n")
            return SOME_FAILED
        atomic_write(csv, lambda file: table.write_csv(file, float_precision=2))
    return WRITTEN


def run_pyfaceau(video: Path, csv: Path, pyfaceau: str) -> None:
    """Let pyfaceau write its CSV, which it also does, with exit code 1, if it finds no face.

    Raises SetupError if it cannot work on this machine, RecordingError if not on this video.
    """
    # It hands the name of the video to a shell, so the name is one of ours.
    link = csv.with_name("video").with_suffix(video.suffix if video.suffix[1:].isalnum() else "")
    link.symlink_to(video.resolve())
    done = subprocess.run(
        [pyfaceau, str(link), "-o", str(csv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Its environment may have modules of the same names as this project's.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        errors="replace",
        check=False,
    )
    if csv.exists():
        return
    said = done.stdout.replace(str(link), str(video)).strip()
    if any(complaint in said for complaint in NO_MODELS):
        raise SetupError(f"{said}\n{INSTALL}")
    said = " | ".join(said.split("\n")[-3:])
    raise RecordingError(f"{video}: pyfaceau ended with exit code {done.returncode}: {said}")


def read_units(csv: Path, video: Path) -> pl.DataFrame:
    """Read pyfaceau's CSV: frame (from 1, as text), seen and the intensities (0-5).

    Raises CSVError if intensities are missing or it has not a row for each frame of the video.
    """
    table = pl.read_csv(csv, infer_schema=False)
    seen = pl.col("success") == "True"
    if not table.filter(seen).height:  # then pyfaceau leaves out the action units' columns
        table = table.with_columns(pl.lit(None, pl.String).alias(name) for name in AU_INTENSITIES)
    if lost := [name for name in AU_INTENSITIES if name not in table.columns]:
        raise CSVError(f"{video}: pyfaceau gives no {', '.join(lost)}; {INSTALL}")
    if all(table.height != len(times(video)) for times in (packet_times, frame_times)):
        raise CSVError(f"{video}: pyfaceau has {table.height} rows for {len(frame_times(video))} "
                       "frames, so which is which is not known")  # fmt: skip
    return table.select(
        (pl.col("frame").cast(pl.Int64) + 1).cast(pl.String),
        seen.alias("seen"),
        pl.col(*AU_INTENSITIES).cast(pl.Float64),
    )


def merge(embedded: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """The embedded extractor's cells, as text, with pyfaceau's intensities (see `read_units`).

    In frames that one of them did not see, success and intensities are 0, as OpenFace has it.
    """
    both = (pl.col("success") == "1") & pl.col("seen")
    joined = embedded.drop(AU_INTENSITIES).join(
        units, on="frame", how="left", maintain_order="left"
    )
    return joined.with_columns(
        both.cast(pl.Int8).alias("success"),
        pl.when(both).then(pl.col(*AU_INTENSITIES)).otherwise(0.0),
    ).select(embedded.columns)


def _shared(options: argparse.Namespace) -> list[str]:
    """The embedded extractor's options that hold for every input."""
    rate = [] if options.fps is None else ["-fps", str(options.fps)]
    model = [] if options.model is None else ["-model", str(options.model)]
    return [*options.groups, *rate, *model, *(["-q"] if options.q else [])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
