"""dvc.yaml against the code: deps are what is imported, params are what is read."""

import ast
from pathlib import Path

import pytest

from pipeline_lib.imports import dynamic_imports, imported_modules, path_of
from pipeline_lib.params import load_params
from tests.dag import module_and_argument, stages


def code_deps(name: str) -> set[str]:
    return {dep for dep in stages()[name]["deps"] if dep.endswith(".py")}


def chosen(package: str, arguments: list[str]) -> str:
    """The module that a stage takes out of `package` by a computed name."""
    names = {"pipeline_lib.datasets": load_params().datasets}
    key = arguments[-1]
    return f"{package}.{names[package][key].layout if package in names else key}"


def imports(cmd: str) -> set[str]:
    module, arguments = module_and_argument(cmd)
    found = imported_modules(module)
    for package in {p for name in found for p in dynamic_imports(name)}:
        found |= imported_modules(chosen(package, arguments))
    return {path_of(name).as_posix() for name in found}


@pytest.mark.parametrize("name", sorted(stages()))
def test_deps_are_exactly_what_the_stage_imports(name: str) -> None:
    assert code_deps(name) == imports(stages()[name]["cmd"])


@pytest.mark.parametrize("name", sorted(stages()))
def test_params_are_exactly_what_the_stage_reads(name: str) -> None:
    module, arguments = module_and_argument(stages()[name]["cmd"])
    assert stages()[name]["params"] == params_read(module, arguments)


@pytest.mark.parametrize("path", sorted(Path(".").glob("*/**/*.py")), ids=str)
def test_only_stages_load_params(path: Path) -> None:
    if path.parts[0] in ("pipeline_lib", "models", "metrics"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
        assert path == Path("pipeline_lib/params.py") or "load_params" not in names


def params_read(module: str, arguments: list[str]) -> set[str]:
    """The keys of params.yaml that a stage reads: the longest chains from `params`.

    `params.datasets[dataset].root` in `main(dataset)` reads `datasets.<argument>.root`, and a name
    bound to a chain continues it. What runs the stage and changes no result does not count.
    """
    main = next(
        node
        for node in ast.parse(path_of(module).read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    )
    values = dict(zip((a.arg for a in main.args.args), arguments, strict=True))
    reader = _Reader(values)
    reader.visit(main)
    return {key for key in reader.read if key.split(".")[0] != "execution"}


class _Reader(ast.NodeVisitor):
    """Collects chains of attributes and subscripts from `params` or a name bound to one."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values  # the stage's arguments
        self.bound = {"params": ""}  # name -> key it stands for
        self.read: set[str] = set()

    def visit_Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        key = self.key(node.value)
        if isinstance(target, ast.Name) and key and not _is_leaf(key):
            self.bound[target.id] = key
            self.visit_index(node.value)
        elif not (isinstance(target, ast.Name) and target.id == "params"):
            self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.take(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.take(node)

    def visit_Name(self, node: ast.Name) -> None:
        if self.bound.get(node.id):
            self.read.add(self.bound[node.id])

    def take(self, node: ast.Attribute | ast.Subscript) -> None:
        if key := self.key(node):
            self.read.add(key)
            self.visit_index(node)
        else:
            self.generic_visit(node)

    def visit_index(self, node: ast.AST) -> None:
        """`params.models[params.scale]` reads `scale` too."""
        for child in ast.walk(node):
            if isinstance(child, ast.Subscript):
                self.visit(child.slice)

    def key(self, node: ast.AST) -> str:
        """The dotted key that a chain stands for, "" if it does not start at params."""
        if isinstance(node, ast.Name):
            return self.bound.get(node.id, "")
        if isinstance(node, ast.Attribute):
            above = self.key(node.value)
            started = above or (isinstance(node.value, ast.Name) and node.value.id == "params")
            return f"{above}.{node.attr}".lstrip(".") if started else ""
        if isinstance(node, ast.Subscript):
            above = self.key(node.value)
            return f"{above}.{self.value(node.slice)}" if above else ""
        return ""

    def value(self, index: ast.expr) -> str:
        if isinstance(index, ast.Name):
            return self.values[index.id]
        value = load_params()
        for part in self.key(index).split("."):
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        return str(value)


def _is_leaf(key: str) -> bool:
    """Whether a key holds a value, not a section."""
    value = load_params()
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return not hasattr(value, "model_fields") and not isinstance(value, dict)
