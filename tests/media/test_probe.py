"""A probe says what an expert would want to know, and nothing that is not so."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from longtake.contracts.probe import Probe
from media.probing.probe import probe
from tests.media.engine import run
from tests.media.made import make

TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709"
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x36:r=10:d=2")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p")


def codes(found: Probe) -> set[str]:
    return {finding.code for finding in found.findings}


async def test_a_file_without_faults_has_no_warning(tmp_path: Path) -> None:
    good = tmp_path / "good.mp4"
    sound = ("-f", "lavfi", "-i", "sine=d=2")
    run(*PICTURE, *sound, "-vf", TAGS, *X264, "-c:a", "aac", "-movflags", "+faststart", good)
    found = await probe(good)
    assert not [finding for finding in found.findings if finding.severity == "warning"]
    assert found.index_first
    assert found.loudest[0].peak_dbfs == pytest.approx(-18, abs=0.5)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("variable-rate.mp4", "variable-frame-rate"),
        ("open-gop.mp4", "open-gop"),
        ("edit-list.mp4", "edit-list"),
        ("interlaced.ts", "interlaced"),
        ("h264.avi", "one-piece"),
    ],
)
async def test_what_can_make_trouble_is_found(name: str, code: str, tmp_path: Path) -> None:
    found = await probe(make(name, tmp_path))
    assert code in codes(found)
    others = {"variable-frame-rate", "open-gop", "edit-list", "interlaced", "one-piece"}
    assert codes(found) & others <= {code}


async def test_layout_name_and_tags_are_looked_at(tmp_path: Path) -> None:
    plain, named = tmp_path / "plain.mp4", tmp_path / "named.mkv"
    run(*PICTURE, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", plain)
    named.write_bytes(plain.read_bytes())
    found = await probe(plain)
    assert {"no-faststart", "missing-colour-tags", "b-frames"} <= codes(found)
    assert "wrong-extension" not in codes(found)
    assert "wrong-extension" in codes(await probe(named))
    assert "wrong-extension" not in codes(await probe(named, "plain.mp4")), "as a cache calls it"


@pytest.mark.parametrize(
    ("rate", "frames"),
    [("12", 12), ("30", 15), ("30000/1001", 15), ("24000/1001", 24), ("60000/1001", 60)],
)
async def test_a_rate_that_was_only_rounded_is_told_as_it_is(
    rate: str, frames: int, tmp_path: Path
) -> None:
    rounded = tmp_path / "milliseconds.mkv"
    run("-f", "lavfi", "-i", f"testsrc2=s=64x36:r={rate}", "-frames:v", str(frames), *X264, rounded)
    assert (await probe(rounded)).video[0].frame_rate == Fraction(rate)


async def test_turned_and_stretched_pictures_are_noted(tmp_path: Path) -> None:
    stored, turned = tmp_path / "stored.mp4", tmp_path / "turned.mp4"
    run(*PICTURE, "-vf", "setsar=4/3", *X264, stored)
    run("-display_rotation", "90", "-i", stored, "-c", "copy", turned)
    found = await probe(turned)
    assert {"rotation", "sample-aspect"} <= codes(found)
    assert found.video[0].rotation == 270


async def test_hdr_and_its_light_are_told(tmp_path: Path) -> None:
    pq = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc")
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    for name, extra in (("lit", f":{light}:max-cll=1000,400"), ("dark", "")):
        run(
            *(*PICTURE, "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", *pq),
            *("-x265-params", f"log-level=none:pools=1:hdr10=1{extra}", tmp_path / f"{name}.mp4"),
        )
    found = await probe(tmp_path / "lit.mp4")
    assert "hdr" in codes(found)
    assert "no-hdr-metadata" not in codes(found)
    assert found.video[0].hdr_light == "mastered for 0.005 to 1000 cd/m², MaxCLL 1000, MaxFALL 400"
    assert "no-hdr-metadata" in codes(await probe(tmp_path / "dark.mp4"))


@pytest.mark.parametrize(
    ("gain_db", "file", "is_clipped"),
    [
        (0, "half.wav", False),
        (18, "full.wav", False),
        (30, "clipped.wav", True),
        (30, "clipped.flac", True),
        (30, "clipped.m4a", True),
    ],
)
async def test_clipped_sound_is_heard(
    gain_db: int, file: str, is_clipped: bool, tmp_path: Path
) -> None:
    # A sine at 1/8 of full scale: 18.06 dB make it full, and 30 dB clip it.
    clipped = f"volume={gain_db}dB:precision=fixed,aformat=s16"
    run("-f", "lavfi", "-i", "sine=frequency=441:d=2", "-af", clipped, tmp_path / file)
    assert ("clipped-audio" in codes(await probe(tmp_path / file))) == is_clipped


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
async def test_chapters_and_tags_are_facts(suffix: str, tmp_path: Path) -> None:
    meta, film = tmp_path / "meta.txt", tmp_path / f"film{suffix}"
    meta.write_text(
        ";FFMETADATA1\ntitle=A film\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=2000\ntitle=Two\n"
    )
    run(*PICTURE, "-i", meta, "-map_metadata", "1", *X264, film)
    found = await probe(film)
    assert [(each.start_s, each.title) for each in found.chapters] == [(0, "One"), (0.5, "Two")]
    assert found.tags["title"] == "A film"
    assert "chapters" in codes(found)
    assert not found.other, "the track in which MP4 keeps its chapters is none of the film's"


async def test_late_and_short_sound_is_told(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x36:r=10:d=4", "-itsoffset", "0.5", "-f", "lavfi"),
        *("-i", "sine=d=1", *X264, "-c:a", "flac", film),
    )
    assert {"apart", "short-sound"} <= codes(await probe(film))
