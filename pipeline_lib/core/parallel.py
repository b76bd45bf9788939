"""Spread work over processes of this machine or over a Dask cluster, with progress."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pipeline_lib.params import Execution

Item = TypeVar("Item")
Out = TypeVar("Out")


def run(
    function: Callable[[Item], Out], items: Sequence[Item], *, execution: Execution, label: str
) -> Iterator[Out]:
    """Yield function(item) for all items in the order in which they finish.

    A raising item ends the others and raises here; a dead worker raises joblib's
    TerminatedWorkerError.
    """
    import joblib
    from rich.console import Console
    from rich.progress import track

    tasks = (joblib.delayed(function)(item) for item in items)
    with _backend(execution):
        pool = joblib.Parallel(n_jobs=execution.jobs, return_as="generator_unordered")
        yield from track(pool(tasks), label, total=len(items), console=Console(stderr=True))


def n_workers(execution: Execution) -> int:
    """Processes that work side by side on this machine."""
    import joblib

    return execution.jobs if execution.jobs > 0 else int(joblib.cpu_count())


@contextlib.contextmanager
def _backend(execution: Execution) -> Iterator[None]:
    import joblib

    if execution.backend == "loky":
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            yield
        return
    from distributed import Client

    with Client(execution.backend), joblib.parallel_config("dask"):
        yield
