"""params.yaml: what is wrong in it is an error that names the key."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline_lib.core.files import parse_yaml
from pipeline_lib.params import ParamsError, load_params


@pytest.fixture
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = parse_yaml(Path("params.yaml").read_text())
    return loaded


def load(content: dict[str, Any], folder: Path) -> object:
    path = folder / "params.yaml"
    path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))
    return load_params(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("physio.smaplig_rate", 128.0, "physio.smaplig_rate: Extra inputs"),
        ("physio.sampling_rate", "128 Hz", "physio.sampling_rate: Input should be a valid number"),
        ("openface.timeout", -1.0, "openface.timeout: Input should be greater than 0"),
        ("physio.sampling_rate", 0.128, "physio.sampling_rate: Input should be greater than or eq"),
        ("crop.clip_seconds", 4000.0, "crop.clip_seconds: Input should be less than or equal to"),
        ("datasets.amigos.window_start", -4000.0, "datasets.amigos.window_start: Input should be"),
        (
            "datasets.deap.threshold",
            0.5,
            "datasets.deap.threshold: Value error, is 0.5, which parts",
        ),
        ("physio.EDA.high", 70.0, "EDA.high = 70.0 Hz is not below sampling_rate / 2 = 64.0"),
        ("physio.PPG.low", 9.0, "low = 9.0 Hz is not below high = 8.0 Hz"),
        ("crop.large", "60%", "crop.large: Input should be a valid number"),
        ("scale", "huge", "scale: Input should be 'tiny' or 'paper'"),
        ("datasets.deap.layout", "DEAP", "datasets.deap.layout: Input should be"),
        ("datasets.deap.part", "long", "'long'; deap has ['null', 'original']"),
        ("datasets.sample.part", "long", "'long'; bids has ['null']"),
        ("twins.deap.effect", 1.5, "twins.deap.effect: Input should be less than or equal to 1"),
        ("splits.protocol", "losocv", "splits.protocol: Input should be 'grouped', 'loso'"),
        ("flaws", ["window_overlap"], "flaws.0: Input should be 'trial_level'"),
        ("evaluation.margin", 5.0, "evaluation.margin: Input should be less than 1"),
        ("trained_on", ["deep"], "trained_on names ['deep']"),
        ("pretrain", ["kinetics"], "pretrain names ['kinetics'], not among corpora"),
        ("supervise.kad", "k400_deap", "supervise starts from ['k400_deap']"),
        ("finetune.deap-videomae.start", "pretrain-all", "finetune.deap-videomae.start is"),
        ("finetune.deap-videomae.start", "kad", "finetune.deap-videomae.start: String should"),
        ("finetune.deap-videomae_small.crop", "tiny", "finetune.deap-videomae_small.crop: Input"),
        ("systems.finetune", ["videomae"], "finetune has ['amigos-videomae', 'amigos-videomae_k4"),
        ("models.tiny.mvp.heads", 7, "dim = 32 is not a multiple of heads = 7"),
        ("models.tiny.videomae.pretrained_on", "k400", "made on, which is null"),
        (
            "models.paper.videomae.pretrained_on",
            "kad",
            "pretrained_on = kad holds ['amigos', 'deap']",
        ),
        (
            "models.paper.videomae.pretrained_on",
            "k600",
            "k600 is not among pretrain ['k400', 'kad']",
        ),
        ("models.tiny.videomae.patch_size", 15, "not whole patches of patch_size = 15 px"),
        ("systems.baseline", ["svm_audio"], "systems.baseline.0: Input should be 'majority'"),
        ("baselines.boosting.leaves", 1, "boosting.leaves: Input should be greater than or equal"),
        ("models.tiny.ehci.EDA_bands", [0.5, 0.2], "edges of bands rise"),
        ("models.tiny.ehci.cells", 63, "63 a side do not fit into the 62 px"),
        ("fusion.tiny.viper.inputs", ["video"], "fusion.tiny.viper.inputs names ['video'], not"),
        ("systems.fuse", ["vipre"], "systems.fuse names ['vipre'], which fusion."),
        ("assets.face_landmarker.sha256", "64184e", "assets.face_landmarker.sha256"),
    ],
)
def test_wrong_param_names_its_key(
    content: dict[str, Any], tmp_path: Path, key: str, value: object, said: str
) -> None:
    *above, last = key.split(".")
    section = content
    for name in above:
        section = section[name]
    section[last] = value
    with pytest.raises(ParamsError) as error:
        load(content, tmp_path)
    assert said in str(error.value)


@pytest.mark.parametrize("protocol", ["loso", "stimulus"])
def test_trials_cannot_be_dealt_out_where_subjects_are(
    content: dict[str, Any], tmp_path: Path, protocol: str
) -> None:
    content["flaws"], content["splits"]["protocol"] = ["trial_level"], protocol
    with pytest.raises(ParamsError, match=f"trial_level.* splits.protocol = {protocol}"):
        load(content, tmp_path)


def test_missing_param_names_its_key(content: dict[str, Any], tmp_path: Path) -> None:
    del content["openface"]["timeout"]
    with pytest.raises(ParamsError, match=r"openface\.timeout: Field required"):
        load(content, tmp_path)


def test_sections_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_params().crop.large = 2.0
