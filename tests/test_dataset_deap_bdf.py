"""The adapter of DEAP's BDF files on hand-made sessions: onsets, wirings, units and the join."""

import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets.deap import onsets, original as deap_bdf
from pipeline_lib.datasets.deap.presentations import Presentation
from pipeline_lib.recordings import DatasetError, Reading, RecordingError
from pipeline_lib.twins.deap import bdf
from tests.test_dataset_deap import PRESENTED, add_video, ratings_of, rows, write_ratings

RATE, SECONDS = 64, 240
ONSETS = {1: 5.25, 2: 80.5, 3: 161.75}  # trial -> s
HIGH = 0x18FF00
OPTIONS = {"heart": "PPG", "eda_unit": "nS"}
GSR = bdf.Channel("GSR1", "nS", (-131072, 131071))
PLETHYSMOGRAPH = bdf.Channel("Plet", "uV", (-32768, 32767))
BLANK = bdf.Channel("", "Boolean", bdf.DIGITAL)
STATUS = bdf.Channel("Status", "Boolean", bdf.DIGITAL)


def signal(label: str, time: np.ndarray) -> np.ndarray:
    """Time can be read off both signals; others say who they are."""
    known = {"Plet": 10 * time, "GSR1": 2000 + 5 * time}
    return known.get(label, np.full(len(time), -77.0))


def pulses(codes: Mapping[float, int], *, high: int = 0) -> np.ndarray:
    """Status with each code for a tenth of a second."""
    status = np.zeros(SECONDS * RATE, int)
    for at, code in codes.items():
        status[round(at * RATE) :][: RATE // 10] = code
    return status | high


def write_session(
    root: Path,
    status: np.ndarray,
    *,
    number: int = 1,
    channels: Sequence[bdf.Channel] = (GSR, PLETHYSMOGRAPH, STATUS),
) -> Path:
    time = np.arange(SECONDS * RATE) / RATE
    samples = np.stack([*(signal(channel.label, time) for channel in channels[:-1]), status])
    path = root / "data_original" / f"s{number:02d}.bdf"
    path.parent.mkdir(exist_ok=True)
    head = bdf.header(channels, n_records=SECONDS, sampling_rate=RATE)
    path.write_bytes(head + bdf.records(samples, channels, sampling_rate=RATE))
    return path


def write_table(root: Path, *, unit: float = 1e-6, numbers: Sequence[int] = (1,)) -> None:
    """Start_time runs on another clock, which has its zero 2.5 s into the recording."""
    table = [row for number in numbers for row in rows(number)]
    for row in table:
        row["Start_time"] = round((ONSETS[row["Trial"]] - 2.5) / unit)
    write_ratings(root, table)


def shown(trials: Mapping[int, float] = ONSETS) -> dict[float, int]:
    return {onset: 4 for onset in trials.values()}


def read(root: Path, **options) -> dict[str, Reading | RecordingError]:
    sources = deap_bdf.discover(root)
    return {s.trial: r for s, r in deap_bdf.read(sources, **OPTIONS | options)}


def onset_of(reading: Reading) -> float:
    """When the video began in the file, as the PPG tells."""
    (ppg, _) = reading.signals
    return ppg.samples[0] / 10 - ppg.start


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_table(tmp_path)
    write_session(tmp_path, pulses(shown()))
    return tmp_path


def test_onsets_follow_presentation(root):
    for trial in PRESENTED:
        add_video(root, 1, trial)
    for source, reading in deap_bdf.read(deap_bdf.discover(root), **OPTIONS):
        assert source.recording_id == f"s01_t{source.order:02d}"
        assert source.stimulus == str(PRESENTED[source.order][0])
        assert source.video.name == f"s01_trial{source.order:02d}.avi"
        assert reading.ratings == ratings_of(source.order)
        time = ONSETS[source.order] + np.arange(-3 * RATE, 60 * RATE) / RATE
        ppg, eda = reading.signals
        np.testing.assert_allclose(ppg.samples, 10 * time, atol=0.01)
        np.testing.assert_allclose(eda.samples, 2 + 0.005 * time, atol=1e-4)
        assert (ppg.start, ppg.sampling_rate, eda.start, eda.sampling_rate) == (-3, RATE, -3, RATE)
        assert (eda.unit, eda.source_unit, ppg.unit) == ("uS", "nS", "a.u.")
        assert (reading.video_start, reading.duration, reading.missing) == (0, 60, ())


@pytest.mark.parametrize(
    "channels",
    [(PLETHYSMOGRAPH, BLANK, GSR, STATUS), (GSR, PLETHYSMOGRAPH, BLANK),
     (GSR, BLANK, PLETHYSMOGRAPH, BLANK)],
)  # fmt: skip
def test_channels_lie_anywhere_and_status_without_a_label_is_the_last(root, channels):
    write_session(root, pulses(shown()), channels=channels)
    for trial, reading in zip(ONSETS, read(root).values(), strict=True):
        assert onset_of(reading) == pytest.approx(ONSETS[trial], abs=0.01)
        assert reading.signals[1].samples[0] == pytest.approx(2 + (ONSETS[trial] - 3) / 200)


def test_status_is_not_the_last_if_it_has_a_label(root):
    path = write_session(root, pulses(shown()), channels=(GSR, PLETHYSMOGRAPH, STATUS, BLANK))
    assert str(read(root)["t01"]).startswith("nothing recorded: s01.bdf: 0 onsets")
    content = path.read_bytes()  # the codes now lie in the channel without a label
    labels = (STATUS.label.ljust(16) + " " * 16).encode()
    path.write_bytes(content.replace(labels, labels[16:] + labels[:16], 1))
    assert onset_of(read(root)["t01"]) == pytest.approx(5.25, abs=0.01)


def test_high_bits_make_no_onsets_and_hide_none(root):
    status = pulses(shown(), high=HIGH)
    status[:RATE] |= 0x010000
    for onset in ONSETS.values():  # a bit that falls while the code stands
        status[round(onset * RATE) + 3 :][:RATE] ^= 0x100000
    assert len(np.flatnonzero(np.diff(status & 0xFF) == 4)) == 3
    assert len(np.flatnonzero((np.diff(status) != 0) & (status[1:] & 0xFF == 4))) == 6
    write_session(root, status, channels=(GSR, PLETHYSMOGRAPH, BLANK))
    assert [onset_of(reading) for reading in read(root).values()] == pytest.approx(
        list(ONSETS.values()), abs=0.01
    )


def test_code_that_stands_from_the_first_sample_is_no_onset():
    np.testing.assert_array_equal(onsets.find_onsets(np.array([4, 4, 0, 4, 4, 5, 4])), [3, 6])


def test_end_is_a_minute_after_the_onset_whatever_the_codes_say(root):
    codes = shown() | {2.0: 5, 20.0: 5, 66.0: 1, 230.0: 7}  # ends astray or missing
    write_session(root, pulses(codes))
    for trial, reading in zip(ONSETS, read(root).values(), strict=True):
        assert onset_of(reading) == pytest.approx(ONSETS[trial], abs=0.01)
        assert reading.signals[0].samples.size == 63 * RATE


@pytest.mark.parametrize("unit", [1e-6, 1e-4])
def test_lost_onset_is_told_by_start_time(root, unit):
    write_table(root, unit=unit)
    write_session(root, pulses(shown({1: ONSETS[1], 3: ONSETS[3]})))
    readings = read(root)
    gap = "s01.bdf: 2 onsets of videos for 3 trials; none for Trial 2"
    assert str(readings["t02"]) == f"nothing recorded: {gap}, no video"
    for trial in (1, 3):  # the second onset is not the second trial's
        assert onset_of(readings[f"t{trial:02d}"]) == pytest.approx(ONSETS[trial], abs=0.01)
    add_video(root, 1, 2)
    assert read(root)["t02"].missing == (gap,)


@pytest.mark.parametrize("starts", [("", "", ""), (1, 1, 1), (3, 2, 1), (0, "inf", "nan")])
def test_lost_onset_without_start_time_joins_nothing(root, starts):
    table = [row | {"Start_time": start} for row, start in zip(rows(), starts, strict=True)]
    write_ratings(root, table)
    write_session(root, pulses(shown({1: ONSETS[1], 3: ONSETS[3]})))
    for reading in read(root).values():
        assert "which Start_time does not tell apart" in str(reading)


def test_video_that_was_started_again_is_told_by_start_time(root):
    write_session(root, pulses(shown() | {72.0: 4}))
    for trial, reading in zip(ONSETS, read(root).values(), strict=True):
        assert onset_of(reading) == pytest.approx(ONSETS[trial], abs=0.01)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0, 1), st.sampled_from([1e-6, 1e-4])
)
def test_lost_onsets_are_given_back_right_or_not_at_all(seed, n_trials, share, unit):
    rng = np.random.default_rng(seed)
    starts = rng.uniform(70, 110, n_trials).cumsum()
    kept = rng.random(n_trials) < share
    rated = {
        i + 1: Presentation(1, i + 1, i + 1, start / unit, {}) for i, start in enumerate(starts)
    }
    times = starts + 33.3 + rng.uniform(-0.3, 0.3, n_trials)
    truth = {trial: time for trial, time in zip(rated, times, strict=True) if kept[trial - 1]}
    found = onsets.assign(times[kept], rated)
    assert found in ({}, truth)
    if n_trials > 12 and kept.sum() > n_trials / 2:
        assert found == truth


def test_lead_in_is_what_is_there(root):
    table = [row | {"Start_time": ""} for row in rows()]
    write_ratings(root, table)
    write_session(root, pulses({1.5: 4, 80.5: 4, 161.75: 4}))
    first = read(root)["t01"]
    assert (first.signals[0].start, first.signals[0].samples.size) == (-1.5, 61.5 * RATE)
    assert first.signals[0].samples[0] == pytest.approx(0, abs=0.01)


def test_truncated_file_costs_what_it_lacks(root):
    path = root / "data_original" / "s01.bdf"
    record = 3 * 3 * RATE
    path.write_bytes(path.read_bytes()[: 256 * 4 + 120 * record + 7])
    readings = read(root)
    assert onset_of(readings["t01"]) == pytest.approx(ONSETS[1], abs=0.01)
    assert str(readings["t02"]) == (
        "s01.bdf: ends 39.5 s after the onset, 60 expected; copy it again"
    )
    assert "2 onsets of videos for 3 trials in 120 of 240 records; none for Trial 3" in str(
        readings["t03"]
    )


def test_missing_files_are_partial(root):
    write_table(root, numbers=(1, 2, 3))
    add_video(root, 2, 1)
    sources = deap_bdf.discover(root)  # of participant 3 nothing is there
    assert {source.subject for source in sources} == {"s01", "s02"}
    first, second, _ = (reading for _, reading in deap_bdf.read(sources[3:], **OPTIONS))
    assert (first.missing, first.ratings) == (("no s02.bdf",), ratings_of(1))
    assert str(second) == "nothing recorded: no s02.bdf, no video"


@pytest.mark.parametrize(("number", "unit"), [(22, 1e-3), (23, 1e6)])
def test_gsr_has_one_unit_a_site(tmp_path, number, unit):
    write_table(tmp_path, numbers=(number,))
    write_session(tmp_path, pulses(shown()), number=number)
    reading = read(tmp_path, eda_unit={"twente": "nS", "geneva": "Ohm"})["t01"]
    raw = 2000 + 5 * (ONSETS[1] - 3)
    expected = unit * raw if number == 22 else unit / raw
    assert reading.signals[1].samples[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        ((GSR, STATUS), "0 of its 2 channels are named Plet"),
        ((GSR, GSR, PLETHYSMOGRAPH, STATUS), "2 of its 4 channels are named GSR1"),
        ((GSR, PLETHYSMOGRAPH, STATUS, STATUS), "2 of its 4 channels are named Status"),
    ],
)
def test_channel_that_is_not_there_once_is_named(root, channels, reason):
    write_session(root, pulses(shown()), channels=channels)
    with pytest.raises(RecordingError, match=rf"s01\.bdf: {reason}"):
        raise read(root)["t01"]


def test_bad_file_costs_its_participant_only(root):
    write_table(root, numbers=(1, 2))
    (root / "s02.bdf").write_bytes(b"\xffBIOSEMI")
    sources = deap_bdf.discover(root)
    assert len(next(deap_bdf.read(sources[:3], **OPTIONS))[1].signals) == 2
    for _, error in deap_bdf.read(sources[3:], **OPTIONS):
        with pytest.raises(RecordingError, match=r"s02\.bdf: not a readable BDF"):
            raise error


def test_memory_is_that_of_a_channel(root):
    """Of a session of 48 channels and an hour at 512 Hz, as a file that is one hole."""
    channels = [*[bdf.Channel(f"EEG{i}", "uV", GSR.physical) for i in range(45)], GSR, STATUS]
    path = root / "data_original" / "s01.bdf"
    path.write_bytes(bdf.header(channels, n_records=3600, sampling_rate=512))
    with path.open("r+b") as file:
        file.truncate(256 * 48 + 3600 * 47 * 512 * 3)
    tracemalloc.start()
    assert "0 onsets of videos for 3 trials" in str(read(root)["t01"])
    assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    tracemalloc.stop()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.floats(0, 1), st.binary(min_size=1, max_size=8), st.booleans())
def test_damaged_file_is_read_or_refused(root, place, damage, in_header):
    path = root / "data_original" / "s01.bdf"
    content = write_session(root, pulses(shown())).read_bytes()
    at = int(place * ((256 * 4 if in_header else len(content)) - len(damage)))
    path.write_bytes(content[:at] + damage + content[at + len(damage) :])
    for reading in read(root).values():  # and no other error, nor a warning
        assert isinstance(reading, RecordingError) or all(
            np.isfinite(signal.samples).all() for signal in reading.signals
        )


def test_wrong_root_is_explained(tmp_path):
    with pytest.raises(DatasetError, match=r"expected data_original/s01\.bdf"):
        deap_bdf.discover(tmp_path)
    write_table(tmp_path)
    with pytest.raises(DatasetError, match=r"no DEAP files; expected data_original/s01\.bdf"):
        deap_bdf.discover(tmp_path)
    (tmp_path / "s04.bdf").touch()
    with pytest.raises(DatasetError, match=r"s04\.bdf: has no row in"):
        deap_bdf.discover(tmp_path)


@pytest.mark.parametrize(
    ("options", "key"), [({"heart": "ECG"}, "heart"), ({"eda_unit": None}, "eda_unit")]
)
def test_params_that_do_not_fit_are_named(root, options, key):
    with pytest.raises(DatasetError, match=rf"datasets\.<name>\.{key}"):
        read(root, **options)
