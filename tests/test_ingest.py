"""What is read again."""

from pathlib import Path

from pipeline_lib import ingest
from pipeline_lib.recordings import Source


def key(root: Path, name: str = "sub-01_physio.json", content: str = "{}") -> list[object]:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)
    ingest.content_hash.cache_clear()
    source = Source("a", "s", "t", "v", None, None, None, tables=(root / name,))
    (recording,) = ingest.as_recordings([source])
    return ingest.input_hashes(recording, root=root)


def test_a_file_is_read_again_if_its_name_or_content_changes(tmp_path):
    first = key(tmp_path)
    assert key(tmp_path, name="sub-01_recording-ecg_physio.json") != first
    assert key(tmp_path, content="[]") != first
    assert key(tmp_path / "elsewhere") == first
