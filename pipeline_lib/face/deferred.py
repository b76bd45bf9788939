"""Keep a library from loading another one until it uses it."""

import sys
from functools import partial
from importlib import import_module
from types import ModuleType


def defer(*names: str) -> None:
    """Let imports of these modules, a package before its modules, cost nothing before their use.

    A placeholder stands for each, and the first use of one of them imports what was asked for.
    (importlib's LazyLoader does not do here: in Python 3.11 an `import` statement wakes it up.)
    Modules that are there already stay.
    """
    placeholders = {name: ModuleType(name) for name in names if name not in sys.modules}

    def load(name: str, attribute: str) -> object:
        if attribute.startswith("__"):  # what looks through all modules is no use
            raise AttributeError(f"{name} is deferred and has no {attribute}")
        for other, placeholder in placeholders.items():
            if sys.modules.get(other) is placeholder:
                del sys.modules[other]
        return getattr(import_module(name), attribute)

    for name, placeholder in placeholders.items():
        placeholder.__getattr__ = partial(load, name)  # type: ignore[method-assign]
        package, _, last = name.rpartition(".")
        if package in placeholders:
            setattr(placeholders[package], last, placeholder)
    sys.modules.update(placeholders)
