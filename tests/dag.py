"""dvc.yaml as DVC itself resolves it, for the tests that hold it against the code."""

from functools import cache
from typing import Any

import yaml


@cache
def stages() -> dict[str, dict[str, Any]]:
    """Every stage, `foreach` and `matrix` expanded: name -> cmd, deps, params, outs."""
    from dvc.repo import Repo

    with Repo(".") as repo:
        return {
            stage.addressing: {
                "cmd": stage.cmd,
                "deps": {dep.def_path for dep in stage.deps if dep not in stage.params},
                "params": {name for d in stage.params for name in d.params},
                "outs": {out.def_path for out in stage.outs},
            }
            for stage in repo.index.stages
        }


def module_and_argument(cmd: str) -> tuple[str, list[str]]:
    """`python -m stages.train amigos mvp` -> stages.train, [amigos, mvp]."""
    _, _, module, *arguments = cmd.split()
    return module, arguments


def declared() -> dict[str, Any]:
    with open("params.yaml") as file:
        content: dict[str, Any] = yaml.safe_load(file)
    return content
