"""What a module imports from this project: for exact deps in dvc.yaml and for cache keys."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("stages", "pipeline_lib", "models", "metrics")

# They move results, log them or hand out work, and change none.
IO_MODULES = frozenset(
    {
        "pipeline_lib.core.imports",
        "pipeline_lib.core.parallel",
        "pipeline_lib.core.paths",
        "pipeline_lib.core.spool",
        "pipeline_lib.core.tables",
        "pipeline_lib.core.tracking",
        "pipeline_lib.incremental",
        "pipeline_lib.params",
    }
)


def path_of(module: str) -> Path:
    return Path(*module.split(".")).with_suffix(".py")


def imported_modules(module: str) -> set[str]:
    """The project's modules that `module` imports, directly or not, itself included.

    Imports inside functions count. `import_module(f"models.{name}")` cannot be followed, see
    `dynamic_imports`.
    """
    found: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(_direct_imports(current))
    return found


def dynamic_imports(module: str) -> set[str]:
    """Packages out of which `module` imports by a computed name: {"models", ...}."""
    return {
        call.args[0].values[0].value.rstrip(".")
        for call in ast.walk(_tree(module))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "import_module"
        and isinstance(call.args[0], ast.JoinedStr)
        and isinstance(call.args[0].values[0], ast.Constant)
        and isinstance(call.args[0].values[0].value, str)
    }


def fingerprint(modules: Iterable[str]) -> str:
    """Hash of the syntax trees of the modules and of all that they import, IO modules excepted.

    Comments, docstrings and layout do not count, so editing them recomputes nothing.
    """
    computing = {name for module in modules for name in imported_modules(module)} - IO_MODULES
    digest = hashlib.sha256()
    for name in sorted(computing):
        digest.update(f"{name}\n{ast.dump(_without_docstrings(_tree(name)))}\n".encode())
    return digest.hexdigest()


@cache
def _direct_imports(module: str) -> frozenset[str]:
    return frozenset(
        name
        for node in ast.walk(_tree(module))
        for name in _names(node)
        if name.split(".")[0] in PACKAGES and path_of(name).exists()
    )


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _tree(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text())


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = body[0] if body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree
