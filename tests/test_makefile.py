"""What the first `make demo` runs side by side, against the DAG."""

import re
import shlex
import subprocess
from fnmatch import fnmatch

from tests.dag import stages


def test_every_stage_is_in_one_lane_but_those_that_wait_for_all() -> None:
    command = ["make", "--dry-run", "--always-make", "runs"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    patterns = [p for lane in re.findall("--glob (.*?) 2>&1", printed) for p in shlex.split(lane)]
    lanes = {
        name: [
            p
            for p in patterns
            if fnmatch(stage["address"], p) and (":" in p) == (":" in stage["address"])
        ]
        for name, stage in stages().items()
    }
    assert {name for name, found in lanes.items() if not found} == {"assets", "report"}
    assert all(len(found) <= 1 for found in lanes.values())
    assert all(any(pattern in found for found in lanes.values()) for pattern in patterns)
