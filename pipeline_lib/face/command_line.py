"""The command line of the embedded extractor: OpenFace 2.2's, as far as it goes."""

import argparse
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pipeline_lib.face.openface_csv import GROUPS

# OpenFace's, for what is not made here; argparse would take -fx for -f x.
NOT_OFFERED = (
    *("-3Dfp", "-pdmparams", "-hogalign", "-simalign", "-tracked"),
    *("-simsize", "-simscale", "-nomask", "-nobadaligned", "-mloc", "-au_static", "-wild"),
    *("-fx", "-fy", "-cx", "-cy", "-device", "-root", "-inroot", "-multi_view", "-world_coord"),
)

# Of the containers that video/decode.py opens; a folder may hold other files too.
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mj2", ".avi", ".mkv", ".webm", ".wmv"),
    *(".asf", ".mpg", ".mpeg", ".m2ts", ".mts", ".ts", ".flv", ".ogv", ".ogg"),
)


class _NotOffered(argparse.Action):
    """Refuses an option, with or without a value."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> NoReturn:
        parser.error(
            f"{option_string} is an option of OpenFace that this program does not offer; leave it "
            f"out (it makes {' '.join(GROUPS)}) or install OpenFace itself"
        )


def parse(arguments: Sequence[str], *, command: str, description: str | None) -> argparse.Namespace:
    """Read a command line; the names in `of` are as many as the videos in `f`, without suffix.

    command     : the module that is run
    description : for --help

    Ends the process with exit code 2 and a message if the usage is wrong.
    """
    parser = _parser(command, description)
    options = parser.parse_args(arguments)
    if len(options.of) > len(options.f):
        parser.error(f"{len(options.of)} -of for {len(options.f)} -f")
    if options.fps is not None and not options.fps > 0:
        parser.error(f"-fps is {options.fps}, not above 0")
    options.groups = options.groups or list(GROUPS)
    options.f += options.fdir
    if not options.f:
        parser.error("no input: name a video with -f or a folder with -fdir")
    names = [name.removesuffix(".csv") for name in options.of]
    options.of = names + [video.stem for video in options.f[len(names) :]]
    if problem := _same_csv(options.f, options.of):
        parser.error(problem)
    return options


def _parser(command: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
        epilog=f"OpenFace's {' '.join(NOT_OFFERED)} are not offered: exit code 2.",
    )
    parser.add_argument("--help", action="help")  # -h would swallow OpenFace's -hogalign
    parser.add_argument("-f", type=Path, action="append", default=[], help="a video; repeatable")
    parser.add_argument(
        "-fdir",
        type=_videos_in,
        action="extend",
        default=[],
        help="a folder, of which all videos are read in the order of their names; repeatable",
    )
    parser.add_argument(
        "-of", action="append", default=[], help="name of the CSV of an -f, in order"
    )
    parser.add_argument("-out_dir", type=Path, default=Path("processed"))
    parser.add_argument("-q", action="store_true", help="quiet")
    parser.add_argument("-fps", type=float, help="Hz, read only the frames nearest to this rate")
    parser.add_argument("-model", type=Path, help="face_landmarker.task")
    for group, columns in GROUPS.items():
        parser.add_argument(
            group, dest="groups", action="append_const", const=group, help=f"{columns[0]}, ..."
        )
    for option in NOT_OFFERED:
        parser.add_argument(option, nargs="?", action=_NotOffered, help=argparse.SUPPRESS)
    return parser


def _videos_in(folder: str) -> list[Path]:
    """The videos of a folder, by their suffixes, in the order of their names."""
    try:
        files = sorted(Path(folder).iterdir())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{folder}: {error.strerror}") from None
    videos = [
        file
        for file in files
        if file.suffix.lower() in VIDEO_SUFFIXES and file.name[0] != "." and file.is_file()
    ]
    if not videos:
        raise argparse.ArgumentTypeError(
            f"none of the {len(files)} files in {folder} is a video by its name "
            f"({' '.join(VIDEO_SUFFIXES)}); a folder of pictures cannot be read"
        )
    return videos


def _same_csv(videos: Sequence[Path], names: Sequence[str]) -> str:
    """Which videos would write the same file, "" if none."""
    writers: dict[str, list[str]] = defaultdict(list)
    for video, name in zip(videos, names, strict=True):
        writers[os.path.normpath(name)].append(str(video))
    return "; ".join(
        f"{' and '.join(same)} would both write {name}.csv: give them different names with -of"
        for name, same in writers.items()
        if len(same) > 1
    )
