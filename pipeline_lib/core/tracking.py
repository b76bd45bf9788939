"""What a stage tells of itself: a parent run per execution, a child a stage, one a fold.

A stage writes down what it says (pipeline_lib.core.spool), and one process beside all stages brings
it to MLflow (pipeline_lib.mlflow_sender), so no stage waits for it. A server that cannot be reached
is an error before any work; one that dies later costs a warning, not results. Nothing is sent
anywhere but to the server of MLFLOW_TRACKING_URI.
"""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import time
import urllib.request
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline_lib.core import files, paths, spool

if TYPE_CHECKING:
    import torch

DEFAULT_URI = "sqlite:///mlflow.db"
_ENTRIES = r"\n((?:    - .*\n|      .*\n)+)"
LOCKED_OUTS = re.compile("^    outs:" + _ENTRIES, re.MULTILINE)
LOCKED_DEPS = r"^  {}:\n    cmd: .*\n    deps:" + _ENTRIES  # of one stage
LAST_WORDS = 60.0  # s to send what would be deleted with the folder


class TrackingError(RuntimeError):
    """The tracking server cannot be reached before work starts."""


class Run:
    """A run of the tracking server; its calls return at once."""

    def __init__(self, said: spool.Spool, name: str = "") -> None:
        self._said = said
        self._name = name

    def params(self, params: Mapping[str, Any]) -> None:
        self._send("params", params=_flat(params))

    def metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log finite numbers."""
        values = [(name, value, _now(), step) for name, value in metrics.items()]
        self._send("metrics", values=values)

    def results(self, metrics: Mapping[str, float]) -> None:
        """Log finite scores here and in the execution's own run, where executions are compared."""
        self._send("results", metrics=dict(metrics))

    def table(self, table: pl.DataFrame, name: str) -> None:
        """Log a table as the CSV artifact `name`."""
        self._send("text", text=table.write_csv(), name=name)

    def ledger(self, ledger: pl.DataFrame, seconds: Mapping[str, float]) -> None:
        """Log a stage's ledger with the seconds that each recording took now, and its counts."""
        spent = pl.Series("seconds", [seconds.get(name) for name in ledger["recording_id"]])
        self.table(ledger.with_columns(spent.cast(pl.Float64)), "ledger.csv")
        counts = ledger["status"].value_counts().rows()
        self.metrics({"computed": len(seconds), **{str(k): float(n) for k, n in counts}})

    def model(self, model: "torch.nn.Module", example: "Mapping[str, torch.Tensor]") -> None:
        """Log a model as a traced graph with its signature.

        example : a batch of inputs; noise is logged in its place, for it shows people
        """
        import torch

        file = f"{time.time_ns()}.pt"
        stand_in = {name: noise_like(values) for name, values in example.items()}
        torch.save((model.eval().cpu(), stand_in), self._said.folder / file)
        self._send("model", file=file)

    @contextlib.contextmanager
    def fold(self, fold: int | None) -> Iterator["Run"]:
        """A child run for one fold; None: for all at once."""
        child = Run(self._said, f"fold-{'all' if fold is None else fold}")
        child._send("fold")
        yield child
        child.finish("FINISHED")

    def finish(self, status: str) -> None:
        self._send("finish", status=status)

    def _send(self, op: str, **content: Any) -> None:
        try:
            self._said.write({"op": op, "run": self._name, "time": _now(), **content})
        except OSError as error:
            _warn(f"tracking has stopped; results are not touched: {error}")


@contextlib.contextmanager
def stage_run(
    stage: str, name: str, *, experiment: str, params: Mapping[str, Any]
) -> Iterator[Run]:
    """A run for one stage, under the parent of this pipeline execution.

    stage, name : stage@name in dvc.yaml; the name is that of a data set, DATASET-SYSTEM or another
    params      : as the stage read them
    Raises TrackingError if the server cannot be reached.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    check_reachable(uri)
    _warn(*spool.untold())
    start = {
        "op": "start",
        "run": "",
        "time": _now(),
        "local": uri == DEFAULT_URI,
        "experiment": experiment,
        "execution": os.environ.get("DVC_EXP_NAME") or _revision(),
        "name": f"{stage}@{name}",
        "tags": tags(stage, name),
    }
    said = spool.Spool.open(uri, f"{stage}@{name}", start)
    spool.send(said.folder.parent)
    run = Run(said)
    run.params(params)
    try:
        yield run
    except BaseException:
        run.finish("FAILED")
        raise
    else:
        run.finish("FINISHED")
    finally:
        _close(said)


def _close(said: spool.Spool) -> None:
    """End what a stage says; a sender that has died since its start is replaced."""
    try:
        said.close()
        spool.send(said.folder.parent)
    except (OSError, subprocess.CalledProcessError) as error:
        _warn(f"tracking waits in {said.folder}; results are not touched: {error}")
    if "/.dvc/tmp/exps/" in Path.cwd().as_posix():  # `dvc exp run --temp` deletes it at its end
        spool.wait(LAST_WORDS)
    _warn(*spool.untold())


def _warn(*texts: str) -> None:
    for text in texts:
        warnings.warn(text, stacklevel=3)


def tags(stage: str, name: str) -> dict[str, str]:
    """What tells this run from others: code, data, whether they are a twin's, flaws asked for."""
    dataset, _, system = name.partition("-")
    deps = _deps(stage, name)
    return {
        "stage": stage,
        "dataset": dataset,
        "system": system,
        "git_revision": _revision(),
        **_origin(name),
        **_flaws(deps, name),
        **_dependency_hashes(deps),
    }


def _now() -> int:
    """ms, as MLflow counts."""
    return round(time.time() * 1000)


def check_reachable(uri: str) -> None:
    """Raise TrackingError unless the server answers, or the database's folder can be written."""
    try:
        if uri.startswith("http"):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=10).close()
        elif uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).absolute().parent
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"{folder} cannot be written")
    except OSError as error:
        raise TrackingError(
            f"MLflow at {uri} cannot be used: {error}; start it, or unset MLFLOW_TRACKING_URI for "
            f"{DEFAULT_URI}"
        ) from error


def _origin(name: str) -> dict[str, str]:
    """Whether any data that the stage sees are a synthetic twin's, its pre-training's too."""
    verdicts = [p for p in map(paths.verdict, (name, f"corpus-{name}")) if p.exists()]
    cleared = [json.loads(verdict.read_text()) for verdict in verdicts]
    # One of an earlier version, which the audit will replace, does not name twins.
    seen = {d for verdict in cleared for d in (*verdict["clips"], *verdict.get("synthetic", ()))}
    indices = [paths.sources(d) for d in sorted({name.partition("-")[0], *seen})]
    twins = [
        pl.read_parquet(index, columns=["synthetic"])["synthetic"].any()
        for index in indices
        if index.exists()
    ]
    return {"data": "twin" if any(twins) else "real"} if twins else {}


def _flaws(deps: Sequence[str], name: str) -> dict[str, str]:
    """Which flaws were asked for, of a stage that rests on a verdict of the audit."""
    if not any(Path(dep).parent == paths.verdict(name).parent for dep in deps):
        return {}
    # A fine-tuned system has a verdict of its own, with the flaws of its pre-training.
    names = (name, name.partition("-")[0], f"corpus-{name}")
    verdict = next(p for p in map(paths.verdict, names) if p.exists())
    rules = json.loads(verdict.read_text())["rules"].values()
    flaws = sorted({flaw for of_set in rules for flaw in of_set["flaws"]})
    return {"flaws": ", ".join(flaws) or "none"}


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unversioned"


def _dependency_hashes(deps: Sequence[str]) -> dict[str, str]:
    """Content hashes, from dvc.lock, of what other stages made and this one reads."""
    read = [Path(dep) for dep in deps]
    return {
        f"dep.{out['path']}": out.get("md5", "")
        for out in _outs()
        if any(Path(out["path"]).is_relative_to(dep) or dep.is_relative_to(out["path"])
               for dep in read)
    }  # fmt: skip


def _deps(stage: str, name: str) -> list[str]:
    """The paths that a stage depends on: those of its lock, which hold whatever its params name.

    A stage that never ran has no lock: then those of dvc.yaml, its names put in as far as they
    are those of a data set and a system.
    """
    locked = re.compile(LOCKED_DEPS.format(re.escape(f"{stage}@{name}")), re.MULTILINE)
    for text in _texts("dvc.lock"):
        if found := locked.search(text):
            return re.findall(r"^    - path: (.*)$", found[1], re.MULTILINE)
    entry = _stages().get(stage, {})
    deps: list[str] = entry.get("do", entry).get("deps", [])
    dataset, _, system = name.partition("-")
    return [
        re.sub(
            r"\$\{(item|key|item\.\w+)\}", lambda m: system if "system" in m[1] else dataset, dep
        )
        for dep in deps
    ]


def _stages() -> dict[str, Any]:
    contents = [files.parse_yaml(text) or {} for text in _texts("dvc.yaml")]
    return {stage: entry for each in contents for stage, entry in each.get("stages", {}).items()}


def _outs() -> list[dict[str, Any]]:
    """What the locks say of outs: a tenth of their text, which as a whole takes long to parse."""
    found = (block for text in _texts("dvc.lock") for block in LOCKED_OUTS.findall(text))
    return files.parse_yaml("".join(found)) or []


def _texts(name: str) -> list[str]:
    """The files of DVC's with this name."""
    with _dvc_waits():
        return [
            path.read_text() for path in (*Path().glob(name), *sorted(Path().glob(f"*/{name}")))
        ]


@contextlib.contextmanager
def _dvc_waits() -> Iterator[None]:
    """DVC writes its locks in place; where two of its processes run, one may be at it now."""
    lock = Path(".dvc/tmp/lock")
    if not lock.exists():
        yield
        return
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def noise_like(values: "torch.Tensor") -> "torch.Tensor":
    """Noise in the place of measurements and pixels; padding, lengths and masks as they are."""
    import torch

    noise = torch.Generator().manual_seed(0)
    values = values.cpu()
    if values.is_floating_point():
        measured = (values != 0).any(dim=-1, keepdim=True)  # models rely on zeros past the end
        return torch.randn(values.shape, generator=noise, dtype=values.dtype) * measured
    if values.dtype == torch.uint8:
        return torch.randint(256, values.shape, generator=noise, dtype=values.dtype)
    return values


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if hasattr(value, "model_dump"):
            value = value.model_dump()
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
