"""No fitting on folds that the audit has not seen."""

from pathlib import Path

import polars as pl
import pytest

from pipeline_lib import paths, tables, verdicts
from pipeline_lib.schema import FOLDS
from pipeline_lib.splits import LeakageError, Rules

GROUPED = Rules("grouped", (), times_tested=1)


def write_folds(dataset: str, role: str) -> None:
    row = {"fold": 0, "recording_id": "r", "subject": "s", "role": role}
    tables.write_table(pl.DataFrame([row], schema=dict(FOLDS)), paths.folds(dataset))


@pytest.fixture(autouse=True)
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for dataset in ("amigos", "deap"):
        write_folds(dataset, "test")
        verdicts.clear(dataset, {dataset: GROUPED})
    verdicts.clear("pretrain-both", {"deap": GROUPED, "amigos": GROUPED})


@pytest.mark.parametrize("verdict", ["deap", "pretrain-both"])
def test_audited_folds_are_given_out(verdict: str) -> None:
    assert verdicts.cleared_folds("deap", verdict=verdict)["role"].to_list() == ["test"]


@pytest.mark.parametrize("verdict", ["deap", "pretrain-both", "amigos", "never given"])
def test_folds_that_changed_since_are_refused(verdict: str) -> None:
    write_folds("deap", "train")
    with pytest.raises(LeakageError, match=r"deap/folds.parquet is not what .*`dvc repro audit`"):
        verdicts.cleared_folds("deap", verdict=verdict)


def test_other_folds_of_one_set_leave_the_verdict_on_the_other_as_it_was() -> None:
    before = paths.verdict("amigos").read_bytes()
    write_folds("deap", "train")
    verdicts.clear("deap", {"deap": GROUPED})
    verdicts.clear("amigos", {"amigos": GROUPED})
    assert paths.verdict("amigos").read_bytes() == before


def test_a_verdict_tells_the_rules_and_the_flaws() -> None:
    flawed = Rules("repeated", ("trial_level",), times_tested=3)
    verdicts.clear("deap", {"deap": flawed})
    assert verdicts.followed_rules("deap") == flawed
