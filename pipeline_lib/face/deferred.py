"""Keep a library from loading another one until it uses it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """Let imports of these modules, a package before its modules, cost nothing in this block.

    A placeholder stands for each where it is imported, and imports it at the first use. Later
    imports, by anybody, are the usual ones. (importlib's LazyLoader does not do here: in Python
    3.11 an `import` statement wakes it up.) Modules that are there already stay.
    """
    placeholders = {name: ModuleType(name) for name in names if name not in sys.modules}

    def load(name: str, attribute: str) -> object:
        if attribute.startswith("__"):  # what looks through all modules is no use
            raise AttributeError(f"{name} is deferred and has no {attribute}")
        remove()
        return getattr(import_module(name), attribute)

    def remove() -> None:
        for name, placeholder in placeholders.items():
            if sys.modules.get(name) is placeholder:
                del sys.modules[name]

    for name, placeholder in placeholders.items():
        placeholder.__getattr__ = partial(load, name)  # type: ignore[method-assign]
        package, _, last = name.rpartition(".")
        if package in placeholders:
            setattr(placeholders[package], last, placeholder)
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        remove()
