"""A whole file at another loudness: what was kept, and what an independent meter finds in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mutagen.flac import FLAC
from mutagen.id3 import ID3
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.oggopus import OggOpus
from pydantic import ValidationError

from longtake.contracts import MediaFacts, Normalize
from longtake.contracts.loudness import Loudness
from longtake.contracts.normalize import container_of
from longtake.errors import InputUnsupported, InvalidJob
from media.probing.in_child import inspect_in_child
from media.sound.level import Result
from media.sound.normalize import level_track, measure_track, plan_normalize
from media.transcode.assemble import assemble, verify
from tests.conftest import corpus_files
from tests.media.engine import no_tick, run
from tests.media.meter import independent_lufs
from tests.media.meter import loudness as measured

RECORDED = [
    path
    for path in corpus_files(".mp3", ".wav", ".flac", ".m4a", ".ogg", ".opus")
    if path.name != "garbage-prefix.mp3"  # its first bytes are of no format
]


@dataclass(frozen=True)
class Made:
    """What came of a job, and the last of its tracks."""

    path: Path
    source: MediaFacts
    facts: MediaFacts
    before: Loudness
    result: Result
    warnings: tuple[str, ...]


async def normalize(source: Path, output: Path, **asked: Any) -> Made:
    """What the workflow does, step by step, in this process."""
    job = Normalize(input=str(source), output=str(output), **asked)
    facts, index = await inspect_in_child(source)
    plan = plan_normalize(facts, index, job, container_of(job.output))
    sounds, warnings = [], list(plan.warnings)
    for number, audio in enumerate(plan.audio):
        path = output.with_name(f"{output.name}.{number}.sound")
        measured, _ = await measure_track(source, plan, number, path, no_tick)
        before = measured.loudness
        aim = job.aim(audio.channels)
        result = await level_track(source, plan, number, before, aim, path, no_tick)
        warnings += result.warnings
        sounds.append(path)
    await assemble(source, plan, None, sounds, output, no_tick)
    found, lost = await verify(output, plan, index if plan.video else None)
    return Made(output, facts, found, before, result, (*warnings, *lost))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with two sound tracks of different layout and level, chapters and tags."""
    folder = tmp_path_factory.mktemp("film")
    (folder / "tags.txt").write_text(
        ";FFMETADATA1\ntitle=My film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
    )
    six = "|".join(f"0.02*sin(2*PI*{300 + 200 * n}*t)" for n in range(6))
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=3"),
        *("-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.3:seed=1:r=44100:d=3"),
        *("-f", "lavfi", "-i", f"aevalsrc='{six}':s=48000:d=3:c=5.1"),
        *("-i", folder / "tags.txt", "-map", "0", "-map", "1", "-map", "2", "-map_metadata", "3"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
        *("-metadata:s:a:1", "language=ger", folder / "film.mp4"),
    )
    return folder / "film.mp4"


async def test_a_film_keeps_its_picture_tracks_chapters_and_tags(
    film: Path, tmp_path: Path
) -> None:
    made = await normalize(film, tmp_path / "out.mp4", target="streaming")
    assert packets(made.path) == packets(film)
    assert [(a.codec, a.sample_rate, a.channels) for a in made.facts.audio] == [
        ("aac", 44_100, 1),
        ("aac", 48_000, 6),
    ]
    assert made.facts.audio[1].language == "ger"
    assert [chapter.title for chapter in made.facts.chapters] == ["One"]
    assert made.facts.tags["title"] == "My film"
    for number, (rate, channels) in enumerate([(44_100, 1), (48_000, 6)]):
        track = tmp_path / f"{number}.wav"
        run("-i", made.path, "-map", f"0:a:{number}", "-c:a", "pcm_f32le", track)
        lufs = independent_lufs(track, tmp_path, rate, channels)
        assert lufs == pytest.approx(-14, abs=0.1)
        found = await measured(track, rate)
        assert found.true_peak_dbtp is not None
        assert found.true_peak_dbtp <= -1


async def test_a_picture_that_the_output_cannot_hold_is_refused_with_what_normalize_has(
    film: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidJob, match=r"WebM cannot hold h264: write to .*\.mp4") as refused:
        await normalize(film, tmp_path / "out.webm", target="streaming")
    assert "--video" not in str(refused.value)


async def test_each_track_has_a_bit_rate_for_its_channels(film: Path, tmp_path: Path) -> None:
    """The first is mono: at its rate the second one's six channels would be heard to suffer."""
    facts, index = await inspect_in_child(film)
    job = Normalize(input=str(film), output=str(tmp_path / "out.mp4"))
    plan = plan_normalize(facts, index, job, container_of(job.output))
    assert [audio.settings.bitrate_bps for audio in plan.audio] == [128_000, 384_000]
    assert plan.decisions["audio"] == "encoded: aac, as the source's"


async def test_the_codec_is_that_of_the_first_track(film: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.mkv"
    run("-i", film, "-map", "0:v", "-map", "0:a", "-c", "copy", "-c:a:1", "ac3", mixed)
    facts, index = await inspect_in_child(mixed)
    for output, words in (
        ("out.mkv", "encoded: aac, as the first track's"),
        ("out.opus", "encoded: opus, for Ogg Opus from aac and ac3"),
    ):
        job = Normalize(input=str(mixed), output=str(tmp_path / output))
        plan = plan_normalize(facts, index, job, container_of(job.output))
        assert plan.decisions["audio"] == words
        assert len({audio.settings.codec for audio in plan.audio}) == 1


def packets(path: Path) -> str:
    """Checksum of the picture's packets, as they are stored."""
    return run("-i", path, "-map", "0:v", "-c", "copy", "-f", "md5", "-")


@pytest.mark.slow
@pytest.mark.skipif(not RECORDED, reason="no media corpus beside the checkout")
@pytest.mark.parametrize("source", RECORDED, ids=lambda path: path.name)
async def test_recordings_land_within_a_tenth_in_their_own_form(
    source: Path, tmp_path: Path
) -> None:
    made = await normalize(source, tmp_path / f"out{source.suffix}", target="podcast")
    (track,) = made.facts.audio
    (own,) = made.source.audio
    assert (track.codec, track.channels, track.sample_rate) == (
        own.codec,
        own.channels,
        own.sample_rate,
    )
    aim = -19 if track.channels == 1 else -16
    found = await measured(made.path, track.sample_rate)
    assert found.integrated_lufs == pytest.approx(aim, abs=0.1)
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= -1
    assert made.warnings == made.source.warnings or not made.result.warnings
    assert made.result.rounds <= 2, "a limiter's gain is sought before anything is encoded"
    other = independent_lufs(made.path, tmp_path, track.sample_rate, track.channels)
    assert other == pytest.approx(aim, abs=0.1)


async def test_tags_cover_and_chapters_stay_and_an_old_gain_goes(tmp_path: Path) -> None:
    """Read back by mutagen, which shares no code with FFmpeg."""
    cover = tmp_path / "cover.png"
    run("-f", "lavfi", "-i", "testsrc2=s=32x32", "-frames:v", "1", cover)
    for name, encoder in (
        ("talk.mp3", ("-c:a", "libmp3lame")),
        ("talk.m4a", ("-c:a", "aac")),
        ("talk.flac", ("-c:a", "flac")),
        ("talk.opus", ("-c:a", "libopus")),
    ):
        source = _tagged(tmp_path / f"source-{name}", cover, *encoder)
        made = await normalize(source, tmp_path / name, target="podcast")
        assert not [words for words in made.warnings if "replaygain" in words.casefold()]

    id3 = ID3(tmp_path / "talk.mp3")
    assert MP3(tmp_path / "talk.mp3").info.length == 1.5, "LAME's delay and padding, believed"
    assert (id3["TIT2"].text, id3["TPE1"].text) == (["Talk"], ["Ann"])
    assert id3.getall("APIC")[0].data == cover.read_bytes()
    chapters = sorted(id3.getall("CHAP"), key=lambda chapter: chapter.start_time)
    assert [(chapter.start_time, chapter.end_time) for chapter in chapters] == [
        (0, 700),
        (700, 1500),
    ]
    assert [chapter.sub_frames["TIT2"].text for chapter in chapters] == [["One"], ["Two"]]
    assert [frame.desc for frame in id3.getall("TXXX")] == []

    mp4 = MP4(tmp_path / "talk.m4a")
    assert (mp4["\xa9nam"], mp4["\xa9ART"]) == (["Talk"], ["Ann"])
    assert bytes(mp4["covr"][0]) == cover.read_bytes()
    assert [(chapter.start, chapter.title) for chapter in mp4.chapters] == [
        (0, "One"),
        (pytest.approx(0.7, abs=0.001), "Two"),
    ]

    flac = FLAC(tmp_path / "talk.flac")
    assert (flac["title"], flac["artist"]) == (["Talk"], ["Ann"])
    assert flac.pictures[0].data == cover.read_bytes()
    opus = OggOpus(tmp_path / "talk.opus")
    assert (opus["title"], opus["artist"]) == (["Talk"], ["Ann"])
    for comments in (flac, opus):
        assert (comments["chapter001"], comments["chapter001name"]) == (["00:00:00.700"], ["Two"])
        assert not [key for key in comments if key.casefold().startswith(("replaygain", "r128"))]


def _tagged(path: Path, cover: Path, *encoder: str) -> Path:
    """A second and a half of noise with everything that a file may carry."""
    told = path.with_name("tags.txt")
    told.write_text(
        ";FFMETADATA1\ntitle=Talk\nartist=Ann\nREPLAYGAIN_TRACK_GAIN=-3.00 dB\n"
        "R128_TRACK_GAIN=100\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=700\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=700\nEND=1500\ntitle=Two\n"
    )
    noise = ("-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.2:seed=1:r=48000:d=1.5")
    if path.suffix in (".opus", ".flac"):  # Ogg's muxer would write another second, FLAC's none
        told.write_text(
            ";FFMETADATA1\ntitle=Talk\nartist=Ann\nREPLAYGAIN_TRACK_GAIN=-3.00 dB\n"
            "CHAPTER000=00:00:00.000\nCHAPTER000NAME=One\n"
            "CHAPTER001=00:00:00.700\nCHAPTER001NAME=Two\n"
        )
    picture = () if path.suffix == ".opus" else ("-map", "2", "-disposition:v:0", "attached_pic")
    run(
        *(*noise, "-i", told, "-i", cover, "-map", "0", "-map_metadata", "1"),
        *("-map_chapters", "1", *picture, "-c:v", "copy", *encoder, path),
    )
    return path


@pytest.mark.parametrize("bitrate_bps", [64_000, 128_000, 192_000, 256_000])
async def test_an_mp3_lands_at_once(bitrate_bps: int, tmp_path: Path) -> None:
    """LAME lowers the level by up to 0.45 dB on its own; that is known before."""
    source = tmp_path / "hum.wav"
    tones = "+".join(f"sin(2*PI*{hertz}*t)" for hertz in (300, 1100, 2500))
    levels = f"aevalsrc='0.05*({tones})*(0.6+0.4*sin(3*t))':s=44100:d=3"
    run("-f", "lavfi", "-i", levels, source)
    made = await normalize(
        source, tmp_path / "out.mp3", codec="mp3", bitrate_bps=bitrate_bps, loudness_lufs=-25
    )
    assert made.result.rounds == 1
    assert made.result.best.stage.ceiling_dbtp is None
    found = await measured(made.path, 44_100)
    assert found.integrated_lufs == pytest.approx(-25, abs=0.05)


async def test_silence_and_too_short_a_sound_keep_their_level(tmp_path: Path) -> None:
    for name, source in (("silent", "anullsrc=d=1"), ("short", "sine=440:d=0.3")):
        path = tmp_path / f"{name}.wav"
        run("-f", "lavfi", "-i", source, path)
        made = await normalize(path, tmp_path / f"{name}.flac")
        assert len(made.result.warnings) == 1
        assert name in made.result.warnings[0]
        same = [run("-i", file, "-f", "md5", "-") for file in (path, made.path)]
        assert same[0] == same[1]


@pytest.mark.parametrize("output", ["out.gif", "out.webp", "out.avif", "out.ts"])
def test_what_holds_no_sound_is_refused_with_what_does(output: str) -> None:
    with pytest.raises(ValidationError, match=r"use one of .*\.mp3.*") as refused:
        Normalize(input="in.wav", output=output)
    assert ".gif," not in str(refused.value).partition("use one of")[2]


async def test_a_copied_picture_is_not_said_to_be_encoded(tmp_path: Path) -> None:
    """H.264 in AVI cannot be cut; here nobody cuts it."""
    source = tmp_path / "film.avi"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-f", "lavfi", "-i", "sine=440:d=1"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-c:a", "mp3", source),
    )
    made = await normalize(source, tmp_path / "out.mkv")
    assert "in one piece" in " ".join(made.source.warnings), "or this shows nothing"
    assert "in one piece" not in " ".join(made.warnings)


async def test_a_source_without_sound_is_refused(tmp_path: Path) -> None:
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-c:v", "libx264", tmp_path / "mute.mp4")
    with pytest.raises(InputUnsupported, match="no sound"):
        await normalize(tmp_path / "mute.mp4", tmp_path / "out.mp4")


@pytest.mark.parametrize("bitrate_bps", [128_000, 192_000])
async def test_an_mp3_at_a_low_sample_rate_lands_at_once(bitrate_bps: int, tmp_path: Path) -> None:
    """LAME lowers what it encodes, below 32 kHz as at 160 kbit/s whatever is asked: by 0.18 dB more
    than 192 kbit/s would tell."""
    source = tmp_path / "voice.wav"
    run("-f", "lavfi", "-i", "sine=300:r=24000:d=3", "-c:a", "pcm_s16le", source)
    made = await normalize(source, tmp_path / "voice.mp3", codec="mp3", bitrate_bps=bitrate_bps)
    assert made.result.rounds == 1
    assert made.result.best.after.integrated_lufs == pytest.approx(-23, abs=0.03)


async def test_what_aac_takes_of_stereo_needs_no_second_round(corpus: Path, tmp_path: Path) -> None:
    """It leaves 0.075 LU of this sound out."""
    made = await normalize(corpus / "rotated-270.mp4", tmp_path / "out.m4a")
    assert made.result.rounds == 1
    found = await measured(made.path, made.facts.audio[0].sample_rate)
    assert found.integrated_lufs == pytest.approx(made.result.best.after.integrated_lufs, abs=0.01)
