"""dvc.yaml against the code: deps are what is imported, params are what is read."""

import ast
from pathlib import Path
from typing import Any, get_args

import pytest

from pipeline_lib.core.imports import dynamic_imports, imported_modules, path_of
from pipeline_lib.params import Dataset, load_params
from tests.dag import files_of, imported_from, module_and_argument, modules_of, stages


def code_deps(name: str) -> set[str]:
    return {module for dep in stages()[name]["deps"] for module in modules_of(dep)}


def chosen(package: str, arguments: list[str]) -> str:
    """The module that a stage takes out of `package` by a computed name."""
    if package == "pipeline_lib.datasets":
        settings = load_params().datasets[arguments[0]]
        return f"{package}.{settings.layout}.{settings.part or 'adapter'}"
    if package == "pipeline_lib.twins":
        return f"{package}.{arguments[0]}.writer"
    return f"{package}.{arguments[-1]}"


def imports(cmd: str) -> set[str]:
    module, arguments = module_and_argument(cmd)
    found = imported_modules(module)
    for package in {p for name in found for p in dynamic_imports(name)}:
        found |= imported_modules(chosen(package, arguments))
    return files_of(found)


@pytest.mark.parametrize("name", sorted(stages()))
def test_deps_are_exactly_what_the_stage_imports(name: str) -> None:
    assert code_deps(name) == imports(stages()[name]["cmd"])


@pytest.mark.parametrize("layout", get_args(Dataset.model_fields["layout"].annotation))
def test_deps_of_ingest_are_exact_whatever_layout_params_name(layout: str) -> None:
    folder = Path("pipeline_lib/datasets", layout)
    here, own = Path("pipeline_lib/datasets/bids").glob("*.py"), folder.glob("[!_]*.py")
    declared = code_deps("ingest@sample") - set(map(str, here)) | set(map(str, own))
    assert declared == files_of(imported_modules("stages.ingest") | imported_from(folder))


@pytest.mark.parametrize("name", sorted(stages()))
def test_params_are_exactly_what_the_stage_reads(name: str) -> None:
    module, arguments = module_and_argument(stages()[name]["cmd"])
    assert stages()[name]["params"] == params_read(module, arguments)


@pytest.mark.parametrize("package", ["pipeline_lib", "models", "metrics"])
def test_only_stages_load_params(package: str) -> None:
    for path in Path(package).rglob("*.py"):
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
        assert "load_params" not in names, path


def params_read(module: str, arguments: list[str]) -> set[str]:
    """The keys of params.yaml that a stage's `main` reads: the longest chains from `params`.

    `params.datasets[dataset].root` in `main(dataset)` reads `datasets.<argument>.root`; a name
    bound to a section continues it; one that runs over a list of params stands for each of them.
    What says how to run a stage and changes no result does not count.
    """
    main = next(
        node
        for node in ast.parse(path_of(module).read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    )
    names = [argument.arg for argument in main.args.args]
    reader = _Reader({name: [value] for name, value in zip(names, arguments, strict=True)})
    reader.visit(main)
    return {
        key
        for key in reader.read
        if key.split(".")[0] != "execution"
        and not any(key.startswith(f"{section}.") for section in reader.read)
    }


class _Reader(ast.NodeVisitor):
    """Collects chains of attributes and subscripts from `params` or from a name bound to one."""

    def __init__(self, values: dict[str, list[str]]) -> None:
        self.values = values  # name -> what it may stand for in a subscript
        self.bound = {"params": [""]}  # name -> keys that it stands for
        self.read: set[str] = set()

    def visit_Assign(self, node: ast.Assign) -> None:
        target, keys = node.targets[0], self.keys(node.value)
        if isinstance(target, ast.Name) and keys and hasattr(_at(keys[0]), "model_dump"):
            self.bound[target.id] = keys
            self.subscripts(node.value)
        elif not (isinstance(target, ast.Name) and target.id == "params"):
            self.generic_visit(node)

    def visit_DictComp(self, node: ast.DictComp | ast.ListComp) -> None:
        for loop in node.generators:
            keys = self.keys(loop.iter)
            if keys and isinstance(loop.target, ast.Name):
                self.values[loop.target.id] = [str(value) for key in keys for value in _at(key)]
        self.generic_visit(node)

    visit_ListComp = visit_DictComp

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.take(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.take(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.take(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.read.update(key for key in self.bound.get(node.id, []) if key)

    def take(self, node: ast.Attribute | ast.Subscript | ast.Call) -> None:
        if keys := self.keys(node):
            self.read.update(keys)
            self.subscripts(node)
        else:
            self.generic_visit(node)

    def subscripts(self, node: ast.AST) -> None:
        """`params.models[params.scale]` reads `scale` too."""
        for child in ast.walk(node):
            if isinstance(child, ast.Subscript):
                self.visit(child.slice)

    def keys(self, node: ast.AST) -> list[str]:
        """The dotted keys that a chain stands for, none if it does not start at params."""
        match node:
            case ast.Name(name):
                return self.bound.get(name, [])
            case ast.Attribute(above, name):
                # An attribute of a plain dict is a method that reads the whole of it.
                return [
                    key if key and isinstance(_at(key), dict) else f"{key}.{name}".lstrip(".")
                    for key in self.keys(above)
                ]
            case ast.Subscript(above, ast.Name(index)):
                return [
                    f"{key}.{value}" for key in self.keys(above) for value in self.values[index]
                ]
            case ast.Subscript(above, index):
                return [f"{key}.{_at(i)}" for key in self.keys(above) for i in self.keys(index)]
            case ast.Call(ast.Name("getattr"), [above, ast.Name(index)]):
                return [
                    f"{key}.{value}" for key in self.keys(above) for value in self.values[index]
                ]
        return []


def _at(key: str) -> Any:
    """The value or section at a key of params.yaml."""
    value: Any = load_params()
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value
