"""The checker reads what HEVC and AV1 say of themselves, and packages of other shapes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from longtake.contracts.check import PackageCheck
from media.check.checking import check
from tests.media.mutations import all_of, later, master, playlist, text
from tests.media.packages import PQ, SVT_AV1, X264, X265, package, picture, sound

RUNGS = {"v180": "320x180", "v90": "160x90"}


def rules(found: PackageCheck) -> set[str]:
    return {finding.rule for finding in found.findings}


@pytest.fixture(scope="module")
def hevc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hevc")
    for name, size in RUNGS.items():
        picture(folder / f"{name}.mp4", size, X265, PQ, pixel_format="yuv420p10le")
    sound(folder / "a.mp4")
    return package(folder, captions=False)


async def test_hdr_in_hevc_breaks_no_rule(hevc: Path) -> None:
    found = await check(hevc)
    assert rules(found) == {"hls-compatible", "hls-hdr10"}
    assert found.errors == 0
    (codec,) = {each.codec for each in found.renditions if each.kind == "video"}
    assert codec is not None
    assert codec.startswith("hvc1.2.4.L")


async def test_hdr_that_is_not_told_is_found(hevc: Path) -> None:
    master(",VIDEO-RANGE=PQ")(hevc)
    assert "hls-video-range" in rules(await check(hevc))


async def test_an_open_gop_is_found(hevc: Path) -> None:
    """A clean random access picture (21) is no IDR (19, 20)."""
    path = hevc / "v90" / "00002.m4s"
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    while data[at + 4] >> 1 & 63 not in (19, 20):
        at += 4 + struct.unpack_from(">I", data, at)[0]
    data[at + 4] = 21 << 1
    path.write_bytes(data)
    assert "segment-keyframe" in rules(await check(hevc))


async def test_av1_breaks_no_rule(tmp_path: Path) -> None:
    for name, size in RUNGS.items():
        picture(tmp_path / f"{name}.mp4", size, SVT_AV1)
    sound(tmp_path / "a.mp4")
    out = package(tmp_path, captions=False)
    assert rules(await check(out)) == {"hls-compatible"}
    master(r"av01\.0", "av01.1")(out)
    assert "hls-codecs" in rules(await check(out))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    for name, size in RUNGS.items():
        picture(tmp_path / f"{name}.mp4", size, X264)
    sound(tmp_path / "a.mp4")
    return package(tmp_path)


async def test_captions_are_placed_by_their_timestamp_map(plain: Path) -> None:
    """A film whose clock begins at 10 s, and captions whose clock begins at 0."""
    ticks = {"v180": 300_000, "v90": 300_000, "a": 480_000}
    segments = [f"{track}/0000{number}.m4s" for track in ticks for number in (1, 2, 3)]
    all_of(*(later(name, ticks[name.partition("/")[0]]) for name in segments))(plain)
    assert {"captions-timestamp-map", "captions-cues"} <= rules(await check(plain))
    told = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000"
    all_of(*(text(f"c/0000{number}.vtt", "WEBVTT", told) for number in (1, 2, 3)))(plain)
    left = rules(await check(plain / "master.m3u8"))
    assert not {rule for rule in left if rule.startswith("captions")}


async def test_whole_segments_under_aes_128_are_judged_by_their_tags_and_sizes(
    plain: Path,
) -> None:
    key = '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/1",IV=0x' + "0" * 31 + "1"
    for name in ("v180", "v90", "a"):
        playlist(r"^(#EXT-X-MAP.*)$", rf"\1\n{key}", f"{name}/playlist.m3u8")(plain)
        for path in (plain / name).glob("*.m4s"):
            path.write_bytes(bytes(path.stat().st_size // 16 * 16 + 16))
    master(r"^#EXT-X-I-FRAME.*\n", count=0)(plain)
    found = await check(plain / "master.m3u8")
    assert rules(found) == {"iframe-missing"}
    assert {each.encryption for each in found.renditions if each.kind != "text"} == {"aes-128"}


async def test_one_manifest_alone_can_be_checked(plain: Path) -> None:
    assert (await check(plain / "manifest.mpd")).findings == ()
    (plain / "master.m3u8").unlink()
    assert (await check(plain)).findings == ()
