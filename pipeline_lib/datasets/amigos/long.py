"""The four long videos of AMIGOS, which MVP leaves out; else as pipeline_lib.datasets.amigos."""

from functools import partial

from pipeline_lib.datasets.amigos import adapter
from pipeline_lib.datasets.amigos.adapter import LONG_VIDEOS, read
from pipeline_lib.recordings import Official

__all__ = ["OFFICIAL", "discover", "read"]

OFFICIAL = Official(37, 148, None, "AMIGOS readme: 37 participants, 4 long videos")
discover = partial(adapter.discover, videos=LONG_VIDEOS)
