"""Cases from the field that are about sound and what else lies in a file."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest

from tests.media.engine import transcode
from tests.media.test_av_sync import RATE
from tests.media.test_sound import samples, tone

pytestmark = pytest.mark.slow


async def test_a_header_that_knows_only_the_first_part(cases: Path, tmp_path: Path) -> None:
    source = cases / "lying-vbr-header.mp3"
    wav = await transcode(source, tmp_path / "out.wav")
    assert 8.00 <= wav.facts.audio[0].duration_s <= 8.10
    mp3 = await transcode(source, tmp_path / "out.mp3", audio={"bitrate_bps": 192_000})
    heard = len(samples(mp3.path, channels=1)) / mp3.facts.audio[0].sample_rate
    assert 8.00 <= heard <= 8.10
    assert frames_promised(source) < frames_there(source)
    assert frames_promised(mp3.path) == frames_there(mp3.path)


def frames_promised(mp3: Path) -> int:
    """What the header of LAME says (`Xing`, or `Info` at a constant rate), which has a field of it
    behind its flags."""
    data = mp3.read_bytes()
    at = max(data.find(b"Xing"), data.find(b"Info"))
    assert at > 0
    flags, frames = struct.unpack_from(">II", data, at + 4)
    assert flags & 1
    return int(frames)


def frames_there(mp3: Path) -> int:
    with av.open(f"file:{mp3}") as container:
        return sum(packet.size > 0 for packet in container.demux(audio=0))


@pytest.mark.parametrize("preset", ["audio-mp3", "audio-aac"])
async def test_a_voice_in_the_centre_channel(preset: str, cases: Path, tmp_path: Path) -> None:
    source = cases / "surround-voice-in-centre.flac"
    suffix = {"audio-mp3": ".mp3", "audio-aac": ".m4a"}[preset]
    made = await transcode(source, tmp_path / f"out{suffix}", preset=preset)
    both = samples(made.path)
    left, right = ([float(v) for v in both[side::2]][RATE // 5 :] for side in (0, 1))
    assert tone(left[:48_000], 1000) == pytest.approx(tone(right[:48_000], 1000), abs=0.2)
    assert tone(left[:48_000], 400) - tone(left[:48_000], 1000) == pytest.approx(3, abs=0.7)
    assert tone(left[:48_000], 1000) >= -32
    assert tone(left[:48_000], 400) - tone(right[:48_000], 400) >= 35
    loud = left[2 * RATE :][:48_000]
    assert tone(loud, 1000) - tone(loud, 3000) >= 40


async def test_facts_too_large_for_a_message(cases: Path, tmp_path: Path) -> None:
    made = await transcode(cases / "huge-metadata.mka", tmp_path / "out.mp3")
    assert made.facts.audio[0].duration_s == pytest.approx(3.0, abs=0.03)
    assert made.source.chapter_count == 3000
    assert made.facts.chapter_count == 3000 or any("chapters" in words for words in made.warnings)
    assert len(made.source.model_dump_json()) < 100_000
    assert len(made.plan.model_dump_json()) < 100_000


async def test_tracks_that_are_neither_picture_nor_sound(cases: Path, tmp_path: Path) -> None:
    source = cases / "camera-timecode-data.mov"
    for name, options in (
        ("a.mkv", {"preset": "web-480p"}),
        ("b.mp4", {"preset": "web-480p"}),
        ("c.mkv", {"preset": "remux"}),
    ):
        made = await transcode(source, tmp_path / name, **options)
        assert (len(made.facts.video), len(made.facts.audio)) == (1, 1)
        assert made.facts.video[0].frames == 50
        assert any("data" in words for words in made.warnings)


async def test_four_tracks_come_out_in_order_with_their_languages(
    cases: Path, tmp_path: Path
) -> None:
    made = await transcode(
        cases / "four-sound-tracks.mkv",
        tmp_path / "out.mp4",
        video={"codec": "none"},
        audio={"tracks": "all"},
    )
    assert [track.language for track in made.facts.audio][:3] == ["eng", "fre", "eng"]
    for number, frequency in enumerate((300, 400, 500, 600)):
        mono = [float(v) for v in samples(made.path, stream=number, channels=1)[RATE:][:9600]]
        levels = {pitch: tone(mono, pitch) for pitch in (300, 400, 500, 600)}
        assert max(levels, key=lambda pitch: levels[pitch]) == frequency
    assert [track.default for track in made.facts.audio] == [True, False, False, False]
