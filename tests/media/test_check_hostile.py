"""Packages made to do harm, and damaged ones: told in words, never followed, never a crash."""

from __future__ import annotations

import random
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from longtake.errors import InvalidJob
from media.check.checking import check, judged
from media.check.codecs import codec_string, same_codec
from media.check.inits import read_init
from media.check.reading import read_package
from media.check.renditions import facts, peak, renditions
from tests.media.engine import run
from tests.media.mutations import Change, mpd, playlist, text
from tests.media.packages import package, picture, sound

SECRET = "s3cret-of-this-host"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    picture(folder / "v180.mp4", "320x180")
    sound(folder / "a.mp4")
    return package(folder)


@pytest.fixture
def out(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (mpd('d="30030"', 'd="1" r="2000000000"'), "dash-syntax"),
        (mpd('d="30030"', f'd="{"9" * 5000}"'), "dash-syntax"),
        (playlist("EXTINF:4.004", "EXTINF:nan"), "hls-syntax"),
        (playlist("EXTINF:4.004", "EXTINF:1e300"), "hls-syntax"),
        (playlist("00002.m4s", "%00.m4s"), "file-missing"),
        (playlist("00002.m4s", "a" * 5000), "file-missing"),
        (playlist("00002.m4s", "%2e%2e/%2e%2e/secret.m4s"), "uri-outside"),
        (text("c/00001.vtt", "00:00:01", f"{'9' * 5000}:00:01"), "captions-syntax"),
    ],
)
async def test_what_is_made_to_do_harm_is_told(change: Change, rule: str, out: Path) -> None:
    (out.parent / "secret.m4s").write_text(SECRET)
    change(out)
    found = await check(out)
    assert rule in {finding.rule for finding in found.findings}
    assert SECRET not in found.model_dump_json()


async def test_a_bomb_of_entities_is_not_expanded(out: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE MPD [<!ENTITY e0 "harm">{entities}]><MPD>&e11;</MPD>'
    for encoding in ("utf-8", "utf-16"):
        (out / "manifest.mpd").write_bytes(bomb.encode(encoding))
        found = await check(out)
        assert [each.rule for each in found.findings if each.where == "manifest.mpd"] == [
            "dash-syntax"
        ]


def test_damage_anywhere_is_no_crash(good: Path, tmp_path: Path) -> None:
    files = [path.relative_to(good) for path in good.rglob("*") if path.is_file()]
    texts = [path for path in files if path.suffix in (".m3u8", ".mpd", ".vtt", ".json")]
    for seed in range(80):
        chance = random.Random(seed)
        out = shutil.copytree(good, tmp_path / str(seed))
        for name in (chance.choice(files), chance.choice(texts), chance.choice(texts)):
            data = bytearray((out / name).read_bytes())
            for _ in range(chance.choice((1, 5, 20))):
                place = chance.randrange(min(len(data), 2000))
                if chance.random() < 0.6:
                    data[place] = chance.randrange(256)
                else:
                    end = place + chance.randrange(20)
                    data[place:end] = chance.choice((b"", b"99999999999", b"-1", b'"', b"\n"))
            (out / name).write_bytes(data)
        try:
            read = read_package(str(out))
        except InvalidJob:
            continue  # the master is no master any more
        list(judged(read))
        assert all(facts(each).segments for each in renditions(read))
        shutil.rmtree(out)


@pytest.mark.parametrize(
    ("encoder", "codec"),
    [
        (("-c:v", "libvpx-vp9", "-deadline", "realtime"), "vp09.00.10.08"),
        (("-c:v", "libx264", "-profile:v", "baseline", "-level", "3"), "avc1.42c01e"),
        (("-c:a", "aac"), "mp4a.40.2"),
        (("-c:a", "libmp3lame"), "mp4a.6b"),
        (("-c:a", "ac3"), "ac-3"),
        (("-c:a", "eac3"), "ec-3"),
        (("-c:a", "libopus"), "opus"),
        (("-c:a", "flac"), "flac"),
    ],
)
def test_codecs_are_told_as_in_manifests(
    encoder: tuple[str, ...], codec: str, tmp_path: Path
) -> None:
    source = "testsrc2=s=64x64:r=10:d=0.3" if encoder[0] == "-c:v" else "sine=r=48000:d=0.3"
    target = tmp_path / "made.mp4"
    run(
        *("-f", "lavfi", "-i", source, *encoder, "-pix_fmt", "yuv420p", "-strict", "-2"),
        *("-movflags", "+delay_moov+default_base_moof+frag_keyframe", target),
    )
    assert read_init(target.read_bytes()).codec == codec


def test_codec_strings_of_records() -> None:
    hevc = bytes.fromhex("01 22 20000000 b00000000000 99".replace(" ", ""))
    assert codec_string("hvc1", hevc) == "hvc1.2.4.H153.B0"
    assert codec_string("av01", bytes.fromhex("81284c00")) == "av01.1.08M.10"
    assert same_codec("av01.0.04M.10.0.110.09.16.09.0", "av01.0.04M.10")
    assert not same_codec("av01.0.05M.10", "av01.0.04M.10")
    assert same_codec("fLaC", "flac")


def test_the_peak_is_of_runs_from_half_to_one_and_a_half_target_durations() -> None:
    four, one = Fraction(4), Fraction(1)
    assert peak([1000, 2000], [four, four], four) == 4000
    # The last second alone is too short to count: with the segment before it, it does.
    assert peak([1000, 1000, 1000], [four, four, one], four) == 2000 * 8 / 5
    assert peak([1000], [one], four) == 8000
