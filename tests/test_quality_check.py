"""The check of a download: what is planted in the twins is found, and nothing else is written."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline_lib import params
from pipeline_lib.core.files import parse_yaml
from pipeline_lib.datasets.amigos import adapter as amigos_layout
from pipeline_lib.datasets.deap import adapter as deap_layout
from pipeline_lib.params import Execution
from pipeline_lib.quality import trouble
from pipeline_lib.quality.check import check, look_at
from pipeline_lib.recordings import Reading, Source
from pipeline_lib.twins.amigos import writer as amigos
from pipeline_lib.twins.deap import writer as deap
from stages import check_data

TWIN = params.Twin(
    subjects=5, trials=3, seconds=5.0, effect=0.8, traps="few", seed=3, width=96, height=64
)
N_TIMES = (5 + 5) * 128  # samples of AMIGOS
HERE = Execution(backend="loky", jobs=1, experiment="test")


@pytest.fixture(scope="module")
def twins(clips, tmp_path_factory):
    """The roots of an AMIGOS with copies planted in it, and of a DEAP."""
    folder = tmp_path_factory.mktemp("twins")
    for name, writer in (("amigos", amigos), ("deap", deap)):
        writer.write(folder / name, twin=TWIN, clips=clips, jobs=1)
    face = folder / "amigos/Exp1_P02_face/P2_4_face.mov"
    shutil.copy(face, folder / "amigos/Exp1_P03_face/P3_4_face.mov")
    return folder


@pytest.fixture
def project(twins, tmp_path, monkeypatch):
    """A folder with nothing but params.yaml, whose data sets are the twins."""
    content = parse_yaml(Path("params.yaml").read_text())
    content["execution"]["jobs"] = 1
    for name in ("amigos", "deap"):
        content["datasets"][name]["root"] = str(twins / name)
    (tmp_path / "params.yaml").write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def change(project: Path, dataset: str, **changes: object) -> None:
    content = parse_yaml((project / "params.yaml").read_text())
    content["datasets"][dataset] |= changes
    (project / "params.yaml").write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))


def amigos_facts(twins: Path, *, decode: bool = False):
    root, settings = twins / "amigos", {"heart": "ECG", "eda_unit": "Ohm"}
    run = {"read": amigos_layout.read, "root": root, "decode": decode, "execution": HERE}
    return check(amigos_layout.discover(root), **run, **settings)


def deap_facts(twins: Path):
    root, settings = twins / "deap", {"heart": "PPG", "eda_unit": "relative_Ohm"}
    run = {"read": deap_layout.read, "root": root, "decode": False, "execution": HERE}
    return check(deap_layout.discover(root), **run, **settings)


def reasons(facts) -> dict[str, tuple[str, str]]:
    bad = facts.recordings.filter(facts.recordings["status"] != "ok")
    return {name: (s, r) for name, s, r in bad.select("recording_id", "status", "reason").rows()}


PLANTED = {
    "P01_4": ("partial", "no P1_4_face.mov"),
    "P02_5": ("partial", "no self-assessment"),
    "P03_9": ("partial", f"ECG: {N_TIMES} of {N_TIMES} samples are NaN"),
    "P05_5": ("partial", "P5_5_face.mov: 0 bytes"),
    "P05_10": ("excluded", "nothing recorded: empty cell, no ratings, no video"),
}


def test_what_is_planted_is_found_without_watching(twins):
    facts = amigos_facts(twins)
    assert reasons(facts) == PLANTED
    assert facts.videos["decoded"].null_count() == facts.videos.height == 13
    assert set(facts.videos.select("codec", "width", "height").rows()) == {("h264", 96, 64)}
    eda = facts.channels.filter(channel="EDA")
    assert set(eda.select("unit", "source_unit", "length").rows()) == {("uS", "Ohm", N_TIMES)}


def test_decoding_finds_truncated_videos_too(twins):
    facts = amigos_facts(twins, decode=True)
    more = {name: r for name, r in reasons(facts).items() if name not in PLANTED}
    assert list(more) == ["P04_4"]
    assert more["P04_4"][1].endswith("of 250 frames decode")
    whole = facts.videos.filter(pl.col("video").str.ends_with("P2_4_face.mov"))
    assert whole.select("announced", "decoded").rows() == [(250, 250)]


def test_what_is_planted_in_deap_shows_in_the_grid(twins):
    table = trouble.grid(deap_facts(twins).recordings)
    bad = {
        (subject, trial): cell.reason
        for subject, cells in table.rows.items()
        for trial, cell in zip(table.trials, cells, strict=True)
        if cell.status != "ok"
    }
    n_times = (3 + 5) * 128
    assert bad == {
        ("s01", "t01"): f"PPG: {n_times} of {n_times} samples are NaN",
        ("s05", "t03"): "no s05_trial03.avi",
    }


def test_copies_are_found_by_the_headers(twins):
    (copies,) = trouble.copies(amigos_facts(twins).recordings)
    assert copies == trouble.Copies("video", ("P02_4", "P03_4"), subjects=2, splits=1)


@pytest.mark.parametrize("dataset", ["amigos", "deap"])
def test_the_command_writes_a_page_and_nothing_else(project, twins, dataset, capsys):
    raw = files(twins)
    assert check_data.main(dataset, decode=False) == 0
    assert files(project) == ["params.yaml", f"results/quality/{dataset}-check.html"]
    assert files(twins) == raw
    page = (project / f"results/quality/{dataset}-check.html").read_bytes()
    assert b"synthetic twin" in page
    assert str(twins).encode() not in page
    assert "Usable:" in capsys.readouterr().out
    check_data.main(dataset, decode=False)
    assert (project / f"results/quality/{dataset}-check.html").read_bytes() == page


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"root": "nowhere"}, "no such folder"), ({"heart": "PPG"}, "and no PPG")],
)
def test_a_set_that_cannot_be_read_ends_with_1_and_says_why(project, changes, words, capsys):
    change(project, "amigos", **changes)
    assert check_data.main("amigos", decode=False) == 1
    assert words in capsys.readouterr().out
    assert files(project) == ["params.yaml"]


def test_a_set_of_which_nothing_is_usable_ends_with_1(project, twins, capsys):
    root = project / "broken"
    matrix = root / "Data_Preprocessed_P01.mat"
    root.mkdir()
    matrix.write_bytes(b"not a matrix")
    change(project, "amigos", root=str(root))
    assert check_data.main("amigos", decode=False) == 1
    assert "none of 16 recordings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "status", "n_videos"), [("P2_4_face.mov", "ok", 1), ("P5_5_face.mov", "failed", 0)]
)
def test_a_shared_video_stands_once_and_without_it_nothing_is_left(twins, name, status, n_videos):
    (video,) = twins.rglob(name)
    events = [Source(f"s_{i}", "s", str(i), str(i), i, None, video) for i in (1, 2)]
    run = {"root": twins, "decode": False, "execution": HERE}
    facts = check(events, read=lambda sources: ((s, Reading()) for s in sources), **run)
    assert facts.recordings["status"].to_list() == [status] * 2
    assert facts.videos.height == n_videos


def test_what_is_no_video_has_a_reason(tmp_path):
    text = tmp_path / "a.avi"
    text.write_text("no video")
    look = look_at(text, decode=False)
    assert "a.avi: cannot be read as video" in look.reason
    assert look.content is None
    assert "No such file" in look_at(tmp_path / "gone.avi", decode=False).reason
