"""The whole page: complete, the same every time, and quiet."""

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import neurokit2 as nk
import numpy as np
import polars as pl
import pytest
from PIL import Image

from pipeline_lib.comparison import family
from pipeline_lib.core import schema
from pipeline_lib.evaluation import summarise
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation, Params, load_params
from pipeline_lib.report import figures, labels, page, real
from pipeline_lib.report.deviations import Setup
from pipeline_lib.report.videos import Videos

RNG = np.random.default_rng(0)
N_FRAMES = 36
EVALUATION = Evaluation(bootstrap=100, permutations=100, confidence=0.95, margin=0.05)


def rows(schema_, *rows_):
    """A table of a schema; what a row does not say is null."""
    empty = dict.fromkeys(schema_)
    return pl.DataFrame([empty | row for row in rows_], schema=dict(schema_), orient="row")


def index(*, synthetic=True):
    ratings = [1.0, 4.5, 5.0, 9.0]
    return rows(
        schema.RECORDINGS,
        *(
            {"recording_id": f"P{i}_1", "subject": f"P{i}", "valence": r, "arousal": r}
            | {
                "valence_label": int(r > 4.5),
                "arousal_label": int(r > 4.5),
                "status": "ok",
                "synthetic": synthetic,
            }
            for i, r in enumerate(ratings)
        ),
    )


def results(*, synthetic=True):
    predictions = rows(
        schema.PREDICTIONS,
        *(
            {"recording_id": f"P{i}_1", "subject": f"P{i}", "fold": i % 2, "target": target}
            | {"label": i // 2 % 2, "score": (i % 7) / 7}
            for i in range(20)
            for target in schema.TARGETS
        ),
    )
    rules = Rules("grouped", (), times_tested=1)
    return summarise(predictions, evaluation=EVALUATION, seed=0, synthetic=synthetic, rules=rules)


def comparisons():
    families = {target: {"weighted_f1": family([], EVALUATION)} for target in schema.TARGETS}
    rules = {"protocol": "grouped", "flaws": []}
    return {"confidence": 0.95, "margin": 0.05} | rules | families


def curves():
    validation = [0.9, 0.5, 0.7]
    epochs = [
        {"fold": fold, "epoch": i + 1, "train_loss": 1 / (i + 1), "validation_loss": loss}
        | {"best": i < 2}
        for fold in (0, 1)
        for i, loss in enumerate(validation)
    ]
    return rows(schema.HISTORY, *epochs)


def jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "brown").save(buffer, "JPEG")
    return buffer.getvalue()


def sample():
    seen = {"success": True, "backend": "embedded", **dict.fromkeys(real.ACTION_UNITS, 1.0)}
    frames = [
        {"recording_id": "clip", "frame": i + 1, "time": i / 18}
        | ({"success": False, "backend": "embedded"} if 5 < i < 9 else seen)
        for i in range(N_FRAMES)
    ]
    faces = [
        {"recording_id": "clip", "crop": "large", "time": i / 4, "face": i > 0, "jpeg": jpeg()}
        for i in range(8)
    ]
    ecg = nk.ecg_simulate(20, sampling_rate=128, heart_rate=66, random_state=1)
    eda = nk.eda_simulate(20, sampling_rate=128, scr_number=3, random_state=1)
    physio = [
        {"recording_id": trial, "channel": name, "unit": unit, "sampling_rate": 128.0}
        | {"start": 0.0, "quality": 0.9, "samples": x.tolist()}
        for trial in ("stare", "rest")
        for name, unit, x in (("ECG", "mV", ecg), ("EDA", "uS", eda))
    ]
    recordings = [
        {"recording_id": name, "subject": "s", "stimulus": name.upper(), "order": i}
        for i, name in enumerate(("rest", "clip", "stare"), start=1)
    ]
    ledger = [
        {"recording_id": "empty", "status": "failed", "reason": "/home/me/empty.mp4: no <face>"},
        {"recording_id": "clip", "status": "ok", "reason": "", "faces": 7},
        {"recording_id": "rest", "status": "excluded", "reason": "no video"},
    ]
    return page.Real(
        recordings=rows(schema.RECORDINGS, *recordings),
        openface=rows(schema.OPENFACE, *frames),
        crops=rows(schema.CROPS, *faces),
        crop_ledger=rows(schema.LEDGER, *ledger),
        physio=rows(schema.PHYSIO, *physio),
        tracked="clip",
    )


def trained(*, synthetic=True):
    return page.Trained(
        recordings=index(synthetic=synthetic),
        threshold=4.5,
        effect=0.9 if synthetic else None,
        results=dict.fromkeys(("mvp", "videomae", "majority"), results(synthetic=synthetic)),
        comparisons=comparisons(),
        curves={"mvp": curves()},
        degraded={},
        cases=None,
        crop_pair=None,
    )


def setup(*, synthetic):
    params = load_params()
    taken = {
        name: getattr(params, name) for name in Setup.__annotations__ if name in Params.model_fields
    }
    clips = Videos(4, 20.0, 4 if synthetic else 0)
    return Setup(
        **taken | {"models": params.models["tiny"]},
        videos=dict.fromkeys(("kinetics", "amigos", "deap"), clips),
    )


def render(**changes):
    ledger = rows(
        schema.LEDGER,
        {"recording_id": "P0_1", "subject": "P0", "status": "failed", "reason": "/a/b/c.mov: cut"},
    )
    fold = {"fold": 0, "test_subjects": 1, "fitted_on_subjects": {"train": 3}, "shared": 0}
    settings = {
        "scale": "tiny",
        "trained": {"amigos": trained(), "deap": trained()},
        "fused": {},
        "setup": setup(synthetic=True),
        "ledgers_by_set": {"amigos": {"openface": ledger}},
        "synced": {"amigos": rows(schema.SYNC, {"recording_id": "P0_1", "reason": "no video"})},
        "min_confidence": 0.5,
        "faces": {},
        "audit": {"amigos": {"mvp": [fold]}},
        "flawed": json.loads(Path("results/inflation.json").read_text()),
        "real_sample": sample(),
    }
    return page.render(**settings | changes)


@pytest.fixture(scope="module")
def html():
    return render()


def own(html):
    """The page without plotly.js."""
    return html.replace(figures.library(), "")


def test_the_same_inputs_give_the_same_bytes(html):
    assert render() == html


def test_nothing_is_loaded_and_no_folder_told(html):
    text = own(html)
    assert text.count("plotly-graph-div") == 10
    assert html.count(figures.library()) == 1
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "url(" not in text
    assert "/home" not in text
    assert "/a/b" not in text
    assert "default-src 'none'" in text


def test_ids_are_unique(html):
    ids = re.findall(r'\bid="([^"]+)"', own(html))
    assert len(ids) == len(set(ids))


def test_twins_are_called_so(html):
    assert "AMIGOS and DEAP are synthetic twins." in html
    assert "ours, synthetic twin" in html
    of_real = {"trained": {"amigos": trained(synthetic=False)}, "setup": setup(synthetic=False)}
    of_real = own(render(**of_real))
    assert "synthetic" not in of_real
    assert "Best possible" not in of_real


def test_a_system_that_has_no_place_is_an_error():
    odd = replace(trained(), results={"oracle": results()})
    with pytest.raises(ValueError, match=r"\['oracle'\]: no place"):
        render(trained={"amigos": odd})


def data_of(fragment):
    return json.loads(re.search(r'Plotly\.newPlot\(\s*"[^"]+",\s*(\[.*?\}\]),', fragment, re.S)[1])


def decoded(values):
    """plotly writes numpy arrays as base64."""
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


def test_ratings_on_the_threshold_stand_left_of_it():
    low, high, *_ = data_of(labels.labels_figure(index(), dataset="x", threshold=4.5))
    x = decoded(low["x"])
    assert x[decoded(low["y"]) > 0].tolist() == [0.75, 4.25]
    assert x[decoded(high["y"]) > 0].tolist() == [4.75, 8.75]


def test_the_kept_epoch_is_marked():
    _, validation, *_ = data_of(figures.curves_figure({"mvp": curves()}, dataset="x"))
    assert decoded(validation["marker"]["size"]).tolist() == [0, 7, 0]


def test_action_units_have_gaps_where_no_face_was():
    shown = sample()
    raw, smooth, *_ = data_of(real.action_units_figure(shown.openface, shown.crops))
    for track in (raw, smooth):
        assert np.flatnonzero(np.isnan(decoded(track["y"]))).tolist() == [6, 7, 8]


def test_heart_rate_stands_in_the_figure():
    first = sample().physio.filter(recording_id="rest")
    assert "R-peaks, 66 a minute" in real.heart_figure(first)


def test_trials_are_joined_in_their_order_with_their_responses():
    shown = sample()
    stimuli = real.consecutive(shown.recordings, shown.physio)
    assert stimuli == {"rest": "REST", "stare": "STARE"}
    figure = real.skin_figure(shown.physio, stimuli)
    line, responses = data_of(figure)
    assert decoded(line["x"])[-1] == pytest.approx(40 - 1 / 128)
    assert len(decoded(responses["x"])) == 6
    assert figure.index("REST") < figure.index("STARE")


def test_faces_of_real_people_are_not_shown_unasked():
    crops = {"crops": sample().crops, "ledger": sample().crop_ledger}
    html = own(render(faces={"amigos": page.Faces(**crops, synthetic=False), "deap": None}))
    assert "AMIGOS: crops</h3><p>Real recordings." in html
    assert "name deap in report.faces_of" in html
    assert html.count("<img") == 2 * 8  # the sample's and those of one set
    html = own(render(faces={"amigos": page.Faces(**crops, synthetic=True)}))
    assert "AMIGOS: crops</h3><p>Synthetic twin." in html


def test_running_median_leaves_out_gaps():
    x = np.array([1.0, 9.0, 1.0, np.nan, 2.0, 2.0])
    np.testing.assert_array_equal(real.running_median(x, 3), [5, 1, 5, np.nan, 2, 2])
