"""The files dvc.yaml as DVC resolves them, for the tests that hold them against the code."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.core.imports import PACKAGES, imported_modules, path_of

# What (nearly) every stage imports, and what every stage that trains does: deps as a whole. All
# other packages among the deps hold nothing that their stages do not import.
SHARED = (Path("pipeline_lib/core"), Path("pipeline_lib/learning"))


@cache
def stages() -> dict[str, dict[str, Any]]:
    """Every stage, `foreach` and `matrix` expanded: name -> address, cmd, deps, params, outs."""
    from dvc.repo import Repo

    with Repo(".") as repo:
        return {
            stage.addressing.rpartition(":")[2]: {
                "address": stage.addressing,
                "cmd": stage.cmd,
                "deps": {dep.def_path for dep in stage.deps if dep not in stage.params},
                "params": {name for d in stage.params for name in d.params},
                "outs": {out.def_path for out in stage.outs},
            }
            for stage in repo.index.stages
        }


def modules_of(dep: str) -> set[str]:
    """The files of code that a dep stands for; a package stands for all that it holds."""
    path = Path(dep)
    if path.parts[0] not in PACKAGES:
        return set()
    return {p.as_posix() for p in ([path] if path.suffix == ".py" else path.rglob("[!_]*.py"))}


def files_of(modules: Iterable[str]) -> set[str]:
    """The files of modules, with the whole of a shared package or of a layout's folder."""
    found = set(modules)
    for folder in {path_of(name).parent for name in found}:
        if folder in SHARED or folder.parent.name in ("datasets", "twins"):
            found |= imported_from(folder)
    return {path_of(name).as_posix() for name in found}


def imported_from(folder: Path) -> set[str]:
    """The modules in a folder, and what they import."""
    modules = (".".join(path.with_suffix("").parts) for path in folder.rglob("[!_]*.py"))
    return {name for module in modules for name in imported_modules(module)}


def module_and_argument(cmd: str) -> tuple[str, list[str]]:
    """`python -m stages.train amigos mvp` -> stages.train, [amigos, mvp]."""
    _, _, module, *arguments = cmd.split()
    return module, arguments


def declared() -> dict[str, Any]:
    with open("params.yaml") as file:
        content: dict[str, Any] = yaml.safe_load(file)
    return content
