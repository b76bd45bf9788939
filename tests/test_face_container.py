"""A program in a container gets its names for our files, and does not outlive the work."""

import os
import sys
import time
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from pipeline_lib.face.container import Container, ExtractorError, Mount, parse
from pipeline_lib.face.openface import batches, extract_batch
from pipeline_lib.params import Execution, OpenFace
from pipeline_lib.video.encode import write_video
from tests import docker_stand_in, openface_stand_in as openface


def container(command: str) -> Container:
    parsed = parse(command.split())
    assert parsed is not None
    return parsed


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, its videos in another, and `docker` on PATH."""
    for name in ("bin", "state", "project", "videos"):
        (tmp_path / name).mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} {docker_stand_in.__file__} "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_STAND_IN", str(tmp_path / "state"))
    monkeypatch.setenv("PROJECT", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def params(videos: Path) -> OpenFace:
    command = f"docker run -v {videos}:/videos:ro -v $PROJECT:/project openface FeatureExtraction"
    return OpenFace(
        command=command, options="-q", fps=None, batch=8, timeout=0.001, min_success=0.1
    )


def recordings(videos: Path, *names: str) -> list[dict[str, str]]:
    images = [np.full((32, 48, 3), 8 * i, np.uint8) for i in range(openface.N_ROWS)]
    for name in names:
        write_video(videos / name, images, frame_rate=openface.RATE)
    return [{"recording_id": name.removesuffix(".mp4"), "video": name} for name in names]


def test_videos_are_extracted_inside(project: Path) -> None:
    videos = project.parent / "videos"
    todo = recordings(videos, "a b.mp4", "unreadable.mp4", "c.mp4")
    results = dict(extract_batch(todo, root=videos, openface=params(videos)))
    statuses = {name: result.status for name, result in results.items()}
    assert statuses == {"a b": "ok", "unreadable": "failed", "c": "ok"}
    assert "Failed to open the video file" in results["unreadable"].reason


def test_the_container_ends_with_the_work(project: Path) -> None:
    """The client's death alone would leave it running."""
    videos = project.parent / "videos"
    todo = recordings(videos, "a.mp4", "dies_hangs.mp4")
    results = extract_batch(todo, root=videos, openface=params(videos))
    assert next(results)[0] == "a"
    pid_file = videos / "dies_hangs.pid"
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(int(pid_file.read_text()), 0)  # it runs
    results.close()  # type: ignore[attr-defined]
    assert not _runs(pid_file.read_text())
    assert list((project.parent / "state").iterdir()) == []


def _runs(pid: str) -> bool:
    """Whether a process is there and no zombie, for which nobody waits in a container's stead."""
    stat = Path("/proc", pid, "stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_video_outside_is_told_before_any_work(project: Path, tmp_path: Path) -> None:
    videos = project.parent / "videos"
    todo = recordings(tmp_path, "a.mp4")
    (videos / "a.mp4").symlink_to(tmp_path / "a.mp4")  # as DVC links its cache
    here = Execution(backend="loky", jobs=1, experiment="test")
    with pytest.raises(ExtractorError, match=rf"add -v {tmp_path}:{tmp_path} to openface\.command"):
        batches(todo, root=videos, openface=params(videos), execution=here)


@pytest.mark.parametrize(
    ("option", "writable"),
    [
        ("-v /host/data:/data", True),
        ("-v=/host/data:/data:ro", False),
        ("--volume /host/data:/data:rw,z", True),
        ("--volume=/host/data:/data:z,ro", False),
        ("--mount type=bind,source=/host/data,target=/data", True),
        ("--mount=type=bind,src=/host/data,dst=/data,readonly", False),
        ("--mount type=bind,source=/host/data,destination=/data,ro=true", False),
    ],
)
def test_mounts_are_read_as_docker_reads_them(option: str, writable: bool) -> None:
    parsed = container(f"docker run --rm -it {option} -e A=b openface FeatureExtraction")
    assert parsed.mounts == (Mount(Path("/host/data"), PurePosixPath("/data"), writable),)
    assert parsed.path(Path("/host/data/s 1/a.mp4"), writes=False) == "/data/s 1/a.mp4"


def test_the_innermost_mount_counts_and_volumes_are_none() -> None:
    parsed = container("docker run -v /a:/x -v /a/b:/y:ro -v named:/z -v /anonymous openface")
    assert parsed.path(Path("/a/c"), writes=True) == "/x/c"
    assert parsed.path(Path("/a/b/c"), writes=False) == "/y/c"
    with pytest.raises(ExtractorError, match="mounts /a/b read-only, but /a/b/c in it"):
        parsed.path(Path("/a/b/c"), writes=True)
    with pytest.raises(ExtractorError, match=r"does not see /named/d \(it mounts /a, /a/b\)"):
        parsed.path(Path("/named/d"), writes=False)


@pytest.mark.parametrize(
    ("command", "started"),
    [
        ("docker run openface FE", "docker run --name n --rm --init openface FE"),
        ("sudo docker run --rm --init i", "sudo docker run --name n --rm --init i"),
        ("podman run --rm openface FE", "podman run --name n --rm openface FE"),
    ],
)
def test_each_container_has_a_name_of_ours(command: str, started: str) -> None:
    assert container(command).start("n") == started.split()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("docker exec openface FeatureExtraction", "needs docker run"),
        ("docker run --name of openface FeatureExtraction", "leave --name out"),
        ("docker run -d openface FeatureExtraction", "leave -d out"),
    ],
)
def test_what_could_not_be_ended_is_refused(command: str, message: str) -> None:
    with pytest.raises(ExtractorError, match=message):
        parse(command.split())


def test_other_commands_are_no_containers() -> None:
    assert parse(["FeatureExtraction"]) is None
    assert parse(["python", "-m", "pipeline_lib.face.feature_extraction"]) is None
