"""What people kept from old cameras, players, phones and discs, and what sound editors write."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

import pytest

from longtake.errors import InputCorrupt
from media.ffmpeg.tools import ffmpeg
from media.probing.in_child import inspect_in_child
from media.probing.probe import probe
from tests.cases.measure import level_db, pictures, sound
from tests.media.engine import run, transcode
from tests.patience import WAIT_S

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=352x288:r=25:d=3")
SOUND = ("-f", "lavfi", "-i", "sine=440:d=3:r=44100")
DV = ("-s", "720x576", "-pix_fmt", "yuv420p", "-c:v", "dvvideo")
FILMS = {
    "wmv2-wmav2.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "wmv1-wmav1.wmv": ("-c:v", "wmv1", "-c:a", "wmav1"),
    "msmpeg4v3-adpcm.avi": ("-c:v", "msmpeg4", "-c:a", "adpcm_ms"),
    "msmpeg4v2-adpcm.avi": ("-c:v", "msmpeg4v2", "-c:a", "adpcm_ima_wav"),
    "cinepak.avi": ("-c:v", "cinepak", "-c:a", "pcm_u8"),
    "dv.avi": (*DV, "-c:a", "pcm_s16le", "-ar", "48000", "-ac", "2"),
    "dv.dv": (*DV, "-ar", "48000", "-ac", "2"),
    "dv.mov": (*DV, "-c:a", "pcm_s16le", "-ar", "48000", "-ac", "2"),
    "svq1.mov": ("-c:v", "svq1", "-c:a", "adpcm_ima_qt"),
    "cineform.mov": ("-c:v", "cfhd", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s24le"),
    "v210.mov": ("-c:v", "v210", "-c:a", "pcm_s16be"),
    "jpeg2000.mkv": ("-c:v", "jpeg2000", "-c:a", "truehd", "-strict", "-2"),
    "sorenson.flv": ("-c:v", "flv", "-c:a", "nellymoser"),
    "phone.3gp": (
        *("-s", "352x288", "-c:v", "h263"),
        *("-c:a", "libopencore_amrnb", "-ar", "8000"),
    ),
}
SOUNDS = {
    "take.aiff": ("-c:a", "pcm_s24be"),
    "take.aifc": ("-c:a", "pcm_f32be"),
    "take.caf": ("-c:a", "alac"),
    "take.w64": ("-c:a", "pcm_s16le"),
    "memo.amr": ("-c:a", "libopencore_amrnb", "-ar", "8000", "-ac", "1"),
    "song.wma": ("-c:a", "wmav2"),
    "call.wav": ("-c:a", "adpcm_ms"),
}


def tone_db(path: Path) -> float:
    """Level of the tone in the second second."""
    return level_db(sound(path)[1][48_000:96_000], 440)


def small(path: Path) -> bytes:
    """Every tenth picture, in 32 by 32 grey pixels."""
    picked = "select=not(mod(n\\,10)),scale=32:32:flags=area,format=gray"
    command = (
        *(ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:v:0", "-vf", picked),
        *("-fps_mode", "passthrough", "-f", "rawvideo", "-"),
    )
    return subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S).stdout


@pytest.mark.parametrize(
    "name", ["dv.avi", "dv.dv", "svq1.mov", "cinepak.avi", "cineform.mov", "v210.mov"]
)
async def test_an_old_picture_is_copied_into_mov(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    run(*PICTURE, *SOUND, *FILMS[name], source)
    audio = {"codec": "pcm"}
    made = await transcode(source, tmp_path / "out.mov", video={"codec": "copy"}, audio=audio)
    before, after = (
        run("-i", path, "-map", "0:v", "-f", "hash", "-") for path in (source, made.path)
    )
    assert before == after


@pytest.mark.parametrize("name", FILMS)
async def test_an_old_film_becomes_a_new_one(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    run(*PICTURE, *SOUND, *FILMS[name], source)
    before, _ = await inspect_in_child(source)
    made = await transcode(source, tmp_path / "new.mp4", preset="web-480p", chunk_s=1)
    shown, after = pictures(source), pictures(made.path)
    assert len(after) == len(shown) == before.video[0].frames
    times = [each.time - before.start_s for each in shown]  # WMV begins behind zero
    assert [each.time for each in after] == pytest.approx(times, abs=0.002)
    pairs = zip(small(made.path), small(source), strict=True)
    assert statistics.mean(abs(new - old) for new, old in pairs) < 6
    assert made.facts.duration_s == pytest.approx(before.duration_s, abs=0.05)
    assert tone_db(made.path) == pytest.approx(tone_db(source), abs=1)


@pytest.mark.parametrize("name", SOUNDS)
async def test_an_editors_or_a_phones_sound_is_read(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    run(*SOUND, *SOUNDS[name], *(("-f", "aiff") if name.endswith("aifc") else ()), source)
    assert "wrong-extension" not in {finding.code for finding in (await probe(source)).findings}
    made = await transcode(source, tmp_path / "new.mp3", preset="audio-mp3")
    assert made.facts.duration_s == pytest.approx(3, abs=0.06)
    assert tone_db(made.path) == pytest.approx(tone_db(source), abs=1)


@pytest.mark.parametrize("name", ["wmv2-wmav2.wmv", "song.wma"])
async def test_a_windows_file_that_was_cut_off_is_told(name: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / name, tmp_path / f"cut-{name}"
    film = name in FILMS
    picture, options = (PICTURE, FILMS[name]) if film else ((), SOUNDS[name])
    run(*picture, *SOUND, *options, whole)
    await inspect_in_child(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputCorrupt, match=r"promises 3\.\d s and ends after .*--salvage"):
        await inspect_in_child(cut)
    facts, _ = await inspect_in_child(cut, salvage=True)
    assert "what is there was taken" in "\n".join(facts.warnings)
