"""What cannot be done is refused in words, with the right exit code, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from longtake import Longtake
from longtake.contracts.result import JobSummary
from tests.conftest import CORPUS
from tests.e2e.service import Service, until
from tests.media import hostile
from tests.media.engine import run
from tests.media.hostile import TOKEN
from tests.media.listener import listening

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clip") / "clip.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-f", "lavfi"),
        *("-i", "sine=440:r=48000:d=3", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return target


@pytest.fixture(autouse=True)
def nothing_is_left(service: Service) -> Iterator[None]:
    """After every refusal: no file in the output's folder, no encoder, no open workflow."""
    before = set(service.out.rglob("*"))
    yield
    left = set(service.out.rglob("*")) - before
    assert not left, f"left behind: {left}"
    assert not service.encoders()
    if (service.home / "server" / "service.json").exists():
        until(lambda: not asyncio.run(running(service)), 10, "no workflow is open")
    assert not list((service.home / "work" / "tmp").glob("*"))


async def running(service: Service) -> tuple[JobSummary, ...]:
    client = await Client.connect(service.state()["address"])
    return await Longtake(client).list(state="running")


def refused(service: Service, *arguments: str | Path) -> tuple[int, str]:
    done = service.run("transcode", *arguments)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def damaged(clip: Path, folder: Path, kind: str) -> Path:
    """A broken input of a kind."""
    target = folder / f"{kind}.mp4"
    data = clip.read_bytes()
    contents = {
        "empty": b"",
        "text": b"this is not a film\n" * 20,
        "truncated": data[: len(data) // 2],
        "playlist": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
        "script": b"ffconcat version 1.0\nfile /etc/passwd\n",
    }
    target.write_bytes(contents[kind])
    return target


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("empty", 1, "InputCorrupt"),
        ("text", 1, "InputUnsupported"),
        ("truncated", 1, "InputCorrupt"),
        ("playlist", 1, "InputUnsupported"),
        ("script", 1, "InputUnsupported"),
    ],
)
def test_an_input_that_is_no_media(
    service: Service, clip: Path, tmp_path: Path, kind: str, code: int, words: str
) -> None:
    source = damaged(clip, tmp_path, kind)
    found, said = refused(service, source, "-o", service.out / "x.mp4")
    assert found == code
    assert words in said
    assert source.name in said
    assert "root:" not in said


def test_an_upload_that_stopped_names_both_lengths(service: Service, tmp_path: Path) -> None:
    whole = tmp_path / "whole.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=20", "-c:v", "libx264", "-preset"),
        *("ultrafast", "-g", "25", "-cluster_time_limit", "1000", whole),
    )
    data, cut = whole.read_bytes(), 0
    for _ in range(10):
        cut = data.index(b"\x1f\x43\xb6\x75", cut + 1)
    source = tmp_path / "stopped.mkv"
    source.write_bytes(data[:cut])
    code, said = refused(service, source, "-o", service.out / "x.mp4")
    assert code == 1
    assert "InputCorrupt" in said
    assert "20.0 s" in said
    assert "9.0 s" in said
    done = service.json(
        *("transcode", source, "-o", tmp_path / "salvaged.mp4", "--speed", "ultrafast"),
        "--salvage",
    )
    assert done["outputs"][0]["media"]["video"][0]["frames"] == 225
    assert "ends after 9.0 s" in done["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.mp4", "-o", "{out}/x.mp4"), "InputNotFound"),
        (("{clip}", "-o", "{out}/none/x.mp4"), "OutputConflict"),
        (("{clip}", "-o", "{out}"), "OutputConflict"),
        (("{clip}", "-o", "{out}/x.xyz"), "InvalidJob"),
        (("{clip}", "-o", "{clip}"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--preset", "web-9000p"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--crf", "99"), "crf"),
        (("{clip}", "-o", "{out}/x.mp4", "--start", "5", "--end", "2"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--start", "500"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--video", "copy", "--start", "1"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--video", "none", "--audio", "none"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--crf", "0", "--max-bitrate", "4M"), "InvalidJob"),
        (("{clip}", "-o", "{out}/x.mp4", "--id", "../../etc"), "id"),
        (("{clip}", "-o", "{out}/x.mp4", "--priority", "9"), "priority"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else value,
)
def test_a_request_that_makes_no_sense(
    service: Service, clip: Path, arguments: tuple[str, ...], words: str
) -> None:
    filled = [word.format(out=service.out, clip=clip) for word in arguments]
    code, said = refused(service, *filled)
    assert code == 2, said
    assert words in said


def test_an_output_that_exists_is_not_replaced(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "mine.mp4"
    output.write_bytes(b"precious")
    code, said = refused(service, clip, "-o", output)
    assert code == 2
    assert "OutputConflict" in said
    assert "--overwrite" in said
    assert output.read_bytes() == b"precious"


def test_a_copy_that_the_container_cannot_hold(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    source = tmp_path / "pcm.mkv"
    run("-i", clip, "-c:v", "copy", "-c:a", "pcm_s16le", source)
    code, said = refused(service, source, "-o", service.out / "x.mp4", "--preset", "remux")
    assert code == 2
    assert "pcm_s16le" in said
    assert ".mkv" in said


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no media corpus beside the checkout")
@pytest.mark.parametrize("name", ["bit-flips.mp4"])
def test_damaged_payload_ends_in_words_or_a_warning(
    service: Service, name: str, tmp_path: Path
) -> None:
    done = service.run("transcode", CORPUS / "hostile" / name, "-o", tmp_path / "x.mp4")
    assert done.returncode in (0, 1)
    said = done.stderr + done.stdout
    assert "InputCorrupt" in said or "decode errors" in said


def test_a_job_reads_nothing_but_its_input_and_calls_nobody(
    service: Service, tmp_path: Path
) -> None:
    with listening() as listener:
        bait = hostile.bait(tmp_path, listener.url("latest/meta-data"))
        said = ""
        for name in ("list-called.mp4", "list-of-address.m3u8", "script.mp4"):
            lure = hostile.lure(name, tmp_path, bait)
            code, words = refused(service, lure, "-o", service.out / "x.mp4")
            assert code == 1
            assert "InputUnsupported" in words
            said += words
        mixed = hostile.lure("list-of-text.ts", tmp_path, bait)
        mixed.write_bytes(b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom" + mixed.read_bytes())
        code, words = refused(service, mixed, "-o", service.out / "x.mp4")
        assert (code, "InputCorrupt" in words) == (1, True)
        said += words
        output = tmp_path / "out.mp4"
        lure = hostile.playlist_in_avi(tmp_path, bait)
        assert service.run("transcode", lure, "-o", output, "--speed", "ultrafast").returncode == 0
        assert listener.settled() == []
    written = [path for path in service.home.rglob("*") if path.is_file()]
    assert written
    assert TOKEN not in said
    for path in (*written, output):
        assert TOKEN.encode() not in path.read_bytes(), f"the secret is in {path}"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_ends_in_words_and_leaves_nothing(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this system does not let us mount a small disk")
    try:
        code, said = refused(service, clip, "-o", disk / "x.mp4", "--crf", "18")
        assert code == 1
        assert "ResourceExhausted" in said
        assert "no space left" in said
        assert str(disk) in said
        assert list(disk.iterdir()) == []
        until(lambda: not service.encoders(), 5, "no encoder")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
