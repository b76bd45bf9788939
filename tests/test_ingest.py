"""What is read again, and what later stages take for changed."""

from pathlib import Path

import numpy as np
import pytest

from pipeline_lib import ingest
from pipeline_lib.recordings import Reading, Signal, Source


def source(root: Path, name: str = "sub-01_physio.json", content: str = "{}") -> Source:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)
    return Source("a", "s", "t", "v", None, None, None, tables=(root / name,))


def key(root: Path, **file: str) -> list[object]:
    ingest.content_hash.cache_clear()
    (recording,) = ingest.as_recordings([source(root, **file)])
    return ingest.input_hashes(recording, root=root)


def test_a_file_is_read_again_if_its_name_or_content_changes(tmp_path):
    first = key(tmp_path)
    assert key(tmp_path, name="sub-01_recording-ecg_physio.json") != first
    assert key(tmp_path, content="[]") != first
    assert key(tmp_path / "elsewhere") == first


@pytest.mark.parametrize("change", [{"start": -4.0}, {"unit": "V"}, {"sampling_rate": 256.0}])
def test_what_is_filtered_again(tmp_path, change):
    def content(**changed) -> str:
        given = {"channel": "ECG", "unit": "mV", "sampling_rate": 128.0, "start": -5.0} | changed
        reading = Reading(signals=(Signal(samples=np.arange(9.0), **given),))
        ((_, result),) = ingest.ingest_batch(
            ingest.as_recordings([source(tmp_path)]),
            read=lambda sources, **_: [(sources[0], reading)],
            heart="ECG",
            eda_unit=None,
            root=tmp_path,
            synthetic=True,
        )
        return result.table["signals_sha256"].item()

    assert content() == content()
    assert content(**change) != content()
