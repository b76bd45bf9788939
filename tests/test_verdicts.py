"""No fitting on folds that the audit has not seen."""

from pathlib import Path

import polars as pl
import pytest

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import CROPS, FOLDS, LEDGER, RECORDINGS
from pipeline_lib.learning import verdicts
from pipeline_lib.learning.splits import LeakageError, Rules

GROUPED = Rules("grouped", (), times_tested=1)


def write_folds(dataset: str, role: str) -> None:
    row = {"fold": 0, "recording_id": "r", "subject": "s", "role": role}
    tables.write_table(pl.DataFrame([row], schema=dict(FOLDS)), paths.folds(dataset))


def write_clips(dataset: str, *, key: str, seconds: float = 1.0) -> None:
    row = {"recording_id": "r", "subject": "s", "status": "ok", "key": key, "seconds": seconds}
    ledger = pl.DataFrame([dict.fromkeys(LEDGER) | row], schema=dict(LEDGER))
    tables.write_table(ledger, paths.ledger(paths.crops(dataset)))
    clips = [{"recording_id": "r", "crop": crop} for crop in ("large", "small")]
    table = pl.DataFrame([dict.fromkeys(CROPS) | clip for clip in clips], schema=dict(CROPS))
    tables.write_table(table, tables.shard(paths.crops(dataset), "s"))


@pytest.fixture(autouse=True)
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for dataset in ("amigos", "deap"):
        write_folds(dataset, "test")
        verdicts.clear(dataset, {dataset: GROUPED})
        write_clips(dataset, key="k")
    write_clips("kinetics", key="k")
    both = {"deap": GROUPED, "amigos": GROUPED}
    verdicts.clear("corpus-kad", both, corpus=["kinetics", "amigos", "deap"])
    verdicts.clear("corpus-k400", {}, corpus=["kinetics"])


@pytest.mark.parametrize("verdict", ["deap", "corpus-kad"])
def test_audited_folds_are_given_out(verdict: str) -> None:
    assert verdicts.cleared_folds("deap", verdict=verdict)["role"].to_list() == ["test"]


@pytest.mark.parametrize("verdict", ["deap", "corpus-kad", "amigos", "never given"])
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
    assert verdicts.followed_rules("deap", verdict="deap") == flawed


def test_a_corpus_is_given_out_with_the_folds_that_it_has() -> None:
    folds, crops = verdicts.cleared_corpus("kad", ["kinetics", "amigos", "deap"])
    assert (set(folds), set(crops)) == ({"amigos", "deap"}, {"kinetics", "amigos", "deap"})
    assert crops["deap"] == paths.crops("deap")
    assert verdicts.cleared_corpus("k400", ["kinetics"])[0] == {}


def test_clips_that_changed_since_are_refused() -> None:
    write_clips("deap", key="other")
    with pytest.raises(LeakageError, match=r"deap/crops is not what .*corpus-kad"):
        verdicts.cleared_corpus("kad", ["kinetics", "amigos", "deap"])


def test_a_verdict_on_a_corpus_changes_with_its_clips_alone() -> None:
    before = paths.verdict("corpus-k400").read_bytes()
    write_clips("deap", key="other")
    write_clips("kinetics", key="k", seconds=2.0)
    verdicts.clear("corpus-k400", {}, corpus=["kinetics"])
    assert paths.verdict("corpus-k400").read_bytes() == before
    write_clips("kinetics", key="other")
    verdicts.clear("corpus-k400", {}, corpus=["kinetics"])
    assert paths.verdict("corpus-k400").read_bytes() != before


def test_lessons_change_with_the_labels() -> None:
    def note(label: int) -> bytes:
        row = {"recording_id": "r", "stimulus": "x", "valence_label": label}
        table = pl.DataFrame([dict.fromkeys(RECORDINGS) | row], schema=dict(RECORDINGS))
        tables.write_table(table, paths.index("deap"))
        verdicts.note_lessons("kad", ["deap"])
        return paths.verdict("lessons-kad").read_bytes()

    assert note(0) == note(0) != note(1)
