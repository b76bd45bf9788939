"""Flaws on request: what each does, that it is marked, and that nothing is without the request."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import stages.audit
import stages.split
from models.tabular import HANDCRAFTED, Fold
from pipeline_lib import corpus
from pipeline_lib.core import paths
from pipeline_lib.core.schema import FOLDS, LEDGER, RATINGS, TARGETS
from pipeline_lib.core.tables import write_table
from pipeline_lib.learning import splits, verdicts
from pipeline_lib.learning.splits import EPOCH, LEAKY, OF_TRAINING, SCALE, WINDOWS
from pipeline_lib.learning.training import by_role
from pipeline_lib.params import load_params
from pipeline_lib.report.comparisons import FLAWS
from pipeline_lib.stored_features import systems as on_features
from pipeline_lib.stored_features.trials import BOTH, VisualScale
from pipeline_lib.studies.planted import FPS, SAMPLING_RATE, planted
from tests.test_models import run
from tests.test_protocols import BALANCED, index
from tests.test_splits import audit, made


def flawed(fold: pl.DataFrame, *flaws: str) -> pl.DataFrame:
    return splits.with_flaws(fold, flaws)


def names(fold: pl.DataFrame, *roles: str) -> set[str]:
    return set(fold.filter(pl.col("role").is_in(roles))["recording_id"])


@pytest.fixture(scope="module")
def small() -> tuple[pl.DataFrame, pl.DataFrame]:
    return planted(n_subjects=8, trials=2)


# ---- The audit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("flaw", OF_TRAINING)
def test_a_flaw_of_training_is_a_step_that_passes_on_request_alone(flaw: str) -> None:
    indices, folds = made()
    (first, *_) = audit(indices, folds, flaws=[flaw])["a"]["mvp"]
    assert (first["flaws"], first["shared"]) == ([flaw], first["test_subjects"])
    assert flaw in first["fitted_on_subjects"]
    slipped_in = {d: flawed(table, flaw) for d, table in folds.items()}
    with pytest.raises(splits.LeakageError, match=f"{flaw} sees 2 test subjects"):
        audit(indices, slipped_in)


def test_no_flaw_lets_another_step_see_the_test() -> None:
    indices, folds = made(flaws=["trial_level"])
    with pytest.raises(splits.LeakageError, match=r"train sees \d test subjects"):
        audit(indices, folds, flaws=[*OF_TRAINING, LEAKY])


def test_leaky_pretraining_sees_all_and_marks_those_that_are_pretrained() -> None:
    found = audit(*made(), flaws=[LEAKY])["a"]
    assert found["mvp"] == audit(*made())["a"]["mvp"]
    assert [fold["flaws"] for fold in found["videomae"]] == [[LEAKY]] * 5
    assert found["videomae"][0]["fitted_on_subjects"]["pretrain"] == 20
    assert found["videomae"][0]["shared"] == found["videomae"][0]["test_subjects"]


def test_honest_pretraining_ignores_the_roles_of_flaws() -> None:
    _, folds = made()
    leaking = {d: flawed(table, *OF_TRAINING) for d, table in folds.items()}
    for fold in range(5):
        seen = splits.pretraining_list(leaking, ["a", "b"], fold=fold)
        assert seen.equals(splits.pretraining_list(folds, ["a", "b"], fold=fold))


# ---- Verdicts -----------------------------------------------------------------------------------


def test_folds_are_given_out_with_the_flaws_of_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(0, name, name, role) for name, role in zip("abc", splits.ROLES, strict=True)]
    write_table(pl.DataFrame(rows, schema=dict(FOLDS), orient="row"), paths.folds("deap"))
    asked = splits.Rules("grouped", (EPOCH, LEAKY), 1)
    verdicts.clear("deap", {"deap": asked.with_pretraining((), "deap")})
    verdicts.clear("deap-videomae", {"deap": asked.with_pretraining(["k", "deap"], "deap")})
    given = verdicts.cleared_folds("deap", verdict="deap")
    assert sorted(given.rows())[-1] == (0, "c", "c", "test")
    assert names(given, EPOCH) == {"c"}
    rules = [verdicts.followed_rules("deap", verdict=v) for v in ("deap", "deap-videomae")]
    assert [each.flaws for each in rules] == [(EPOCH,), (EPOCH, LEAKY)]
    assert splits.together(rules).flaws == (EPOCH, LEAKY)


@pytest.mark.parametrize("leaky", [True, False])
def test_a_verdict_tells_pretraining_to_leak(
    leaky: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flaws = (EPOCH, LEAKY) if leaky else (EPOCH,)
    rules = splits.Rules("grouped", flaws, 1).without(*OF_TRAINING)
    write_table(pl.DataFrame(schema=dict(FOLDS)), paths.folds("deap"))
    verdicts.clear("corpus-kad", {"deap": rules})
    assert verdicts.is_leaky("kad") is leaky
    honest = json.loads(paths.verdict("corpus-kad").read_text())["rules"]["deap"]["flaws"]
    assert honest == ([LEAKY] if leaky else [])  # other flaws start no pre-training again


@pytest.mark.usefixtures("unsent")
def test_the_audit_stage_marks_whom_a_flaw_touches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text()) | {"flaws": [EPOCH, LEAKY]}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(content))
    for dataset in ("amigos", "deap", "hume_reaction", "kinetics"):
        write_table(index(BALANCED, dataset), paths.index(dataset))
        write_table(pl.DataFrame(schema=dict(RATINGS)), paths.ratings(dataset))
        write_table(pl.DataFrame(schema=dict(LEDGER)), paths.ledger(paths.crops(dataset)))
    for dataset in content["split_on"]:
        stages.split.main(dataset)
    stages.audit.main()
    verdicts_of = {
        name: json.loads(paths.verdict(name).read_text())["rules"]
        for name in (
            "amigos",
            "amigos-videomae",
            "amigos-videomae_k400",
            "amigos-videomae_other",
            "corpus-kad",
        )
    }
    flaws = {name: rules["amigos"]["flaws"] for name, rules in verdicts_of.items()}
    assert flaws == {
        "amigos": [EPOCH],
        "amigos-videomae": [EPOCH, LEAKY],
        "amigos-videomae_k400": [EPOCH],
        "amigos-videomae_other": [EPOCH],  # it never saw the target
        "corpus-kad": [LEAKY],
    }
    for name in ("k400", "k400_deap"):
        assert json.loads(paths.verdict(f"corpus-{name}").read_text())["rules"] == {}
    found = json.loads(paths.LEAKAGE.read_text())["amigos"]
    assert (found["svm"][0]["flaws"], found["videomae"][0]["flaws"]) == ([EPOCH], [EPOCH, LEAKY])


def test_leaky_pretraining_is_one_model_that_sees_everybody() -> None:
    _, folds = made()
    clips = {d: table["recording_id"].unique().to_list() for d, table in folds.items()}
    assert corpus.fold_numbers(folds, leaky=True) == [None]
    seen = corpus.visible(clips, folds, fold=None)
    assert seen == {d: set(table["recording_id"]) for d, table in folds.items()}


# ---- The epoch ----------------------------------------------------------------------------------


def test_the_epoch_is_chosen_by_the_test_on_request(
    small: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    """Other labels of the test change what is kept, and those of validation do not."""
    features, fold = small
    roles = by_role(features, flawed(fold, EPOCH), {})
    assert roles["validation"].equals(roles["test"])
    assert set(roles["train"]["recording_id"]) == names(fold, "train")

    def losses(of: str, *flaws: str) -> list[float | None]:
        flip = pl.col("recording_id").is_in([*names(fold, of)])
        turned = features.with_columns(
            pl.when(flip).then(1 - pl.col(f"{t}_label")).otherwise(f"{t}_label").alias(f"{t}_label")
            for t in TARGETS
        )
        history = run("uni_au", turned, flawed(fold, *flaws), epochs=1).history
        return [epoch.validation_loss for epoch in history]

    assert losses("test", EPOCH) != losses("validation", EPOCH) == losses("nobody", EPOCH)
    assert losses("test") == losses("nobody") != losses("validation")


def test_tables_know_who_chooses_the_epoch() -> None:
    honest, leaky = (table_fold(*flaws) for flaws in ((), (EPOCH,)))
    assert (honest.role[honest.chooses] == "validation").all()
    assert (leaky.role[leaky.chooses] == "test").all()
    np.testing.assert_array_equal(leaky.train, honest.train)


# ---- Scalers and imputers -----------------------------------------------------------------------


def table_fold(*flaws: str) -> Fold:
    """Of each feature the test recordings lie far away from the others."""
    roles = np.repeat(["train", "validation", "test"], [4, 2, 2])
    ids = [f"r{i}" for i in range(8)]
    x = np.where(roles == "test", 100.0, np.arange(8.0))
    features = pl.DataFrame({"recording_id": ids, "heart_x": x, "visual_y": x})
    labels = pl.DataFrame({"recording_id": ids, "valence_label": 0, "arousal_label": 1})
    fold = pl.DataFrame({"fold": 0, "recording_id": ids, "role": roles})
    return Fold.of(features, labels, flawed(fold, *flaws), families=HANDCRAFTED)


def test_tables_are_standardised_by_all_on_request() -> None:
    honest, leaky = (table_fold(*flaws) for flaws in ((), (SCALE,)))
    train = honest.filled["physio"][honest.train]
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-12)
    everybody = leaky.filled["physio"]
    np.testing.assert_allclose([everybody.mean(), everybody.std()], [0, 1], atol=1e-12)
    assert len(leaky.role) == 8
    np.testing.assert_array_equal(leaky.train, honest.train)


def test_action_units_are_standardised_by_all_on_request(
    small: tuple[pl.DataFrame, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    features, fold = small
    seen: list[set[str]] = []
    of = VisualScale.of

    def spy(rows: pl.DataFrame) -> VisualScale:
        seen.append(set(rows["recording_id"]))
        return of(rows)

    monkeypatch.setattr(VisualScale, "of", spy)
    run("uni_au", features, fold, epochs=1)
    run("uni_au", features, flawed(fold, SCALE), epochs=1)
    assert seen == [names(fold, "train"), names(fold, "train", "validation", "test")]


# ---- Windows ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "cut"), [("mvp_10s", True), ("uni_au", False)])
def test_windows_between_those_of_the_test_are_trained_on_on_request(
    system: str,
    cut: bool,
    small: tuple[pl.DataFrame, pl.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, fold = small
    trained: list[dict[str, list[str]]] = []
    fit = on_features.fit_fold

    def spy(model: Any, data: Any, **settings: Any) -> Any:
        trained.append({role: items.recording_ids for role, items in data.items()})
        return fit(model, data, **settings)

    monkeypatch.setattr(on_features, "fit_fold", spy)
    for flaws in ((), (WINDOWS,)):
        run(system, features, flawed(fold, *flaws), epochs=1)
    honest, leaky = trained
    assert set(honest["train"]) == names(fold, "train")
    leaked = names(fold, "validation", "test") if cut else set()
    assert set(leaky["train"]) == names(fold, "train") | leaked
    assert (leaky["test"], leaky["validation"]) == (honest["test"], honest["validation"])


def cut(seconds: float) -> on_features.Items:
    config = load_params().models["tiny"].mvp_10s.model_copy(update={"segment_seconds": seconds})
    return on_features.items_of(config, BOTH, fps=FPS, sampling_rate=SAMPLING_RATE)


def test_windows_that_leak_share_half_of_their_frames_with_tested_ones(
    small: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    features, _ = small
    items = cut(4.0)
    assert items.between is not None
    one, scale = features.head(1), VisualScale.of(features)
    ordinary, between = (of(one, scale).tensors["visual"] for of in (items.of, items.between))
    half = items.lengths.frames // 2
    assert len(between) == len(ordinary) - 1 == 1
    assert between[0, :half].equal(ordinary[0, half:])
    assert between[0, half:].equal(ordinary[1, :half])


def test_recordings_of_one_window_have_nothing_between() -> None:
    items = cut(10.0)
    features, _ = planted(n_subjects=1, trials=1)
    assert items.between is not None
    with pytest.raises(RuntimeError, match=r"segment_seconds = 10 s.*take overlapping_windows out"):
        items.between(features, VisualScale.of(features))


def test_every_flaw_has_its_words_in_the_report() -> None:
    assert set(FLAWS) == {"trial_level", LEAKY, *OF_TRAINING}
