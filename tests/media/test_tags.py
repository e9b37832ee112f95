"""Tags of loudness: what players are told, in files whose sound stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3
from mutagen.mp4 import MP4

from longtake.contracts.containers import CONTAINER_OF_SUFFIX
from longtake.contracts.loudness import Loudness
from longtake.errors import InputUnsupported
from media.probing.in_child import inspect_in_child
from media.sound.normalize import measure_track, plan_listening
from media.tags.gains import gain_tags, tag_file, tag_kind
from tests.media.engine import no_tick, run
from tests.media.meter import loudness

STALE = "+99.00 dB"

KINDS = {
    "out.mp3": ("-c:a", "libmp3lame", "-b:a", "96k", "-id3v2_version", "3"),
    "out4.mp3": ("-c:a", "libmp3lame", "-b:a", "96k", "-id3v2_version", "4"),
    "bare.mp3": ("-c:a", "libmp3lame", "-b:a", "96k", "-write_id3v2", "0", "-map_metadata", "-1"),
    "out.flac": ("-c:a", "flac"),
    "out.ogg": ("-c:a", "libvorbis"),
    "flac.ogg": ("-c:a", "flac"),
    "out.opus": ("-c:a", "libopus", "-b:a", "64k"),
    "out.m4a": ("-c:a", "aac", "-b:a", "96k"),
    "out.mp4": ("-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart"),
    "out.wav": ("-c:a", "pcm_s16le"),
}


@pytest.fixture(scope="module")
def chapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Title, an old gain, and chapters, as FFmpeg reads them."""
    path = tmp_path_factory.mktemp("tags") / "tags.txt"
    path.write_text(
        f";FFMETADATA1\ntitle=Song\nREPLAYGAIN_TRACK_GAIN={STALE}\nR128_TRACK_GAIN=9999\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
    )
    return path


def make(path: Path, chapters: Path, *encoder: str) -> Path:
    """Two seconds of noise at about -26 LUFS, with peaks."""
    tone = "0.03*(2*random(0)-1)+0.3*lt(mod(t,0.5),0.004)*sin(2*PI*2000*t)"
    source = ("-f", "lavfi", "-i", f"aevalsrc='{tone}|{tone}':s=48000:d=2")
    run(*source, "-i", chapters, "-map", "0:a", "-map_metadata", "1", *encoder, path)
    return path


def stored(path: Path) -> str:
    """Checksum of all packets as they are stored."""
    return run("-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-hash", "md5", "-")


async def tagged(source: Path, target: Path, album: Loudness | None = None) -> dict[str, str]:
    """What the steps of a job do: measure, and write the tags."""
    facts, _ = await inspect_in_child(source)
    kind = tag_kind(facts, CONTAINER_OF_SUFFIX[target.suffix], source.name)
    plan = plan_listening(facts)
    found, _ = await measure_track(source, plan, 0, target.with_suffix(".report"), no_tick)
    tags = gain_tags(kind, found.loudness, album)
    await tag_file(source, facts, kind, tags, target, no_tick)
    return tags


@pytest.mark.parametrize("name", KINDS)
async def test_tags_are_read_back_and_every_packet_is_the_source_s(
    name: str, chapters: Path, tmp_path: Path
) -> None:
    source = make(tmp_path / f"source-{name}", chapters, *KINDS[name])
    album = Loudness(integrated_lufs=-20.5, true_peak_dbtp=-1, sample_peak_dbfs=-6.0206)
    target = tmp_path / name
    written = await tagged(source, target, album)
    assert stored(target) == stored(source)

    facts, _ = await inspect_in_child(target)  # by FFmpeg, which wrote none of it
    told = {key.upper(): value for key, value in facts.tags.items()}
    level = await loudness(source)
    assert level.integrated_lufs is not None
    assert level.sample_peak_dbfs is not None
    if name == "out.opus":
        # Ten LU in Q7.8 would be 2560.
        assert int(told["R128_TRACK_GAIN"]) == pytest.approx(
            (-23 - level.integrated_lufs) * 256, abs=13
        )
        assert told["R128_ALBUM_GAIN"] == "-640"
        assert not [key for key in told if key.startswith("REPLAYGAIN")]
    else:
        gain = float(told["REPLAYGAIN_TRACK_GAIN"].removesuffix(" dB"))
        assert gain == pytest.approx(-18 - level.integrated_lufs, abs=0.05)
        peak = float(told["REPLAYGAIN_TRACK_PEAK"])
        assert peak == pytest.approx(10 ** (level.sample_peak_dbfs / 20), rel=0.01)
        assert told["REPLAYGAIN_ALBUM_GAIN"] == "2.50 dB"
        assert told["REPLAYGAIN_ALBUM_PEAK"] == "0.500000"
        assert not [key for key in told if key.startswith("R128")]
    assert {key: told[key] for key in written} == written
    if name not in ("bare.mp3", "out.wav"):  # FFmpeg's WAV has its title in another chunk
        assert told["TITLE"] == "Song"


async def test_a_player_that_follows_the_tags_plays_at_the_reference(
    chapters: Path, tmp_path: Path
) -> None:
    source = make(tmp_path / "source.flac", chapters, *KINDS["out.flac"])
    await tagged(source, tmp_path / "out.flac")
    run("-i", tmp_path / "out.flac", "-af", "volume=replaygain=track", tmp_path / "played.wav")
    played = await loudness(tmp_path / "played.wav")
    assert played.integrated_lufs == pytest.approx(-18, abs=0.05)


async def test_what_else_lies_in_a_file_stays(chapters: Path, tmp_path: Path) -> None:
    picture = tmp_path / "cover.png"
    run("-f", "lavfi", "-i", "testsrc2=s=32x32", "-frames:v", "1", picture)
    for name in ("out.mp3", "out.m4a"):
        plain = make(tmp_path / f"plain-{name}", chapters, *KINDS[name])
        source = tmp_path / f"source-{name}"
        cover = ("-map", "0:a", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic")
        run("-i", plain, "-i", picture, *cover, source)
        await tagged(source, tmp_path / name)
    id3 = ID3(tmp_path / "out.mp3")
    assert id3.version == ID3(tmp_path / "source-out.mp3").version
    assert id3["TIT2"].text == ["Song"]
    assert id3.getall("APIC")[0].data == picture.read_bytes()
    assert [chap.sub_frames["TIT2"].text for chap in id3.getall("CHAP")] == [["One"]]
    mp4 = MP4(tmp_path / "out.m4a")
    assert mp4["\xa9nam"] == ["Song"]
    assert bytes(mp4["covr"][0]) == picture.read_bytes()
    facts, _ = await inspect_in_child(tmp_path / "out.m4a")
    assert [chapter.title for chapter in facts.chapters] == ["One"]


async def test_an_old_gain_at_the_end_of_an_mp3_is_taken_out(
    chapters: Path, tmp_path: Path
) -> None:
    source = make(tmp_path / "source.mp3", chapters, *KINDS["out.mp3"])
    old = APEv2()
    old["REPLAYGAIN_TRACK_GAIN"], old["Artist"] = STALE, "Somebody"
    old.save(source)
    await tagged(source, tmp_path / "out.mp3")
    assert dict(APEv2(tmp_path / "out.mp3")) == {"Artist": "Somebody"}


async def test_silence_has_no_gain(chapters: Path, tmp_path: Path) -> None:
    run("-f", "lavfi", "-i", "anullsrc=d=1", tmp_path / "source.flac")
    assert await tagged(tmp_path / "source.flac", tmp_path / "out.flac") == {}
    facts, _ = await inspect_in_child(tmp_path / "out.flac")
    assert not [key for key in facts.tags if "GAIN" in key.upper()]


@pytest.mark.parametrize(
    ("name", "output", "words"),
    [
        ("film.mkv", "out.mkv", "MP3, FLAC, Ogg"),
        ("film.mov", "out.mp4", "MP3, FLAC, Ogg"),
        ("song.flac", "out.mp3", "the input's suffix"),
    ],
)
async def test_files_without_such_tags_are_refused_in_words(
    name: str, output: str, words: str, chapters: Path, tmp_path: Path
) -> None:
    source = make(tmp_path / name, chapters)
    with pytest.raises(InputUnsupported, match=words):
        await tagged(source, tmp_path / output)


async def test_a_file_that_is_cut_off_is_refused_in_words(chapters: Path, tmp_path: Path) -> None:
    source = make(tmp_path / "source.wav", chapters, *KINDS["out.wav"])
    facts, _ = await inspect_in_child(source)
    source.write_bytes(source.read_bytes()[:20])
    with pytest.raises(InputUnsupported, match="cannot be written"):
        await tag_file(source, facts, "wav", {"A": "b"}, tmp_path / "out.wav", no_tick)
