"""Sound: samples kept exactly, tracks chosen, channels mixed, and each container in time."""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from typing import Any

import pytest

from longtake.contracts import AudioOptions, Transcode
from longtake.errors import InvalidJob
from longtake.presets import resolve
from tests.media.engine import run, transcode
from tests.media.test_av_sync import RATE, assert_together, flash_and_beep


def samples(path: Path, *, stream: int = 0, channels: int = 2, kind: str = "s16") -> array[int]:
    """Decoded samples, interleaved."""
    raw = path.with_suffix(".raw")
    code = {"s16": "h", "s32": "i"}[kind]
    run("-i", path, "-map", f"0:a:{stream}", "-ac", channels, "-f", f"{kind}le", raw)
    return array(code, raw.read_bytes())


def tone(values: list[float], frequency: float) -> float:
    """Level of a frequency in dB, relative to full scale (Goertzel)."""
    real = sum(v * math.cos(2 * math.pi * frequency * n / RATE) for n, v in enumerate(values))
    imaginary = sum(v * math.sin(2 * math.pi * frequency * n / RATE) for n, v in enumerate(values))
    size = 2 * math.hypot(real, imaginary) / len(values) / 32768
    return 20 * math.log10(max(size, 1e-6))


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48,017 samples of 16-bit stereo at 44.1 kHz: no round number of anything."""
    target = tmp_path_factory.mktemp("sound") / "noise.wav"
    source = "aevalsrc='0.3*random(0)|0.3*random(1)':s=44100:d=2"
    run("-f", "lavfi", "-i", source, "-af", "atrim=end_sample=48017", "-c:a", "pcm_s16le", target)
    return target


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("out.flac", "flac"),
        ("out.wav", "pcm"),
        ("out.mov", "pcm"),
        ("out.mkv", "pcm"),
        ("out.ogg", "flac"),
        ("out.mp4", "flac"),
    ],
)
async def test_lossless_sound_keeps_every_sample(
    noise: Path, name: str, codec: str, tmp_path: Path
) -> None:
    audio = {"codec": codec}
    made = await transcode(noise, tmp_path / name, video={"codec": "none"}, audio=audio)
    assert made.facts.audio[0].sample_rate == 44_100
    assert samples(made.path) == samples(noise)


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
async def test_24_bits_stay_24_bits(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / "in.flac"
    five = "|".join(f"0.2*random({n})" for n in range(6))
    run(
        *("-f", "lavfi", "-i", f"aevalsrc='{five}':s=96000:d=0.5:c=5.1"),
        *("-c:a", "flac", "-sample_fmt", "s32", source),
    )
    made = await transcode(source, tmp_path / f"out{suffix}")
    assert made.facts.audio[0].bits == 24
    assert made.facts.audio[0].channels == 6
    assert samples(made.path, channels=6, kind="s32") == samples(source, channels=6, kind="s32")


async def test_flac_does_not_stumble_over_a_short_first_frame(tmp_path: Path) -> None:
    """AAC's priming leaves ten samples of the first frame, too few for a block of FLAC."""
    source = tmp_path / "in.m4a"
    run("-f", "lavfi", "-i", "sine=440:r=44100:d=3", "-c:a", "aac", source)
    made = await transcode(source, tmp_path / "out.flac")
    assert len(samples(made.path, channels=1)) == 3 * 44_100


async def test_the_delay_that_an_mp3_says_to_drop_is_dropped(noise: Path, tmp_path: Path) -> None:
    """1,105 samples lie before its sound; kept, they were 25 ms of silence."""
    source = tmp_path / "in.mp3"
    run("-i", noise, "-c:a", "libmp3lame", "-b:a", "192k", source)
    made = await transcode(source, tmp_path / "out.wav")
    assert made.source.start_s == pytest.approx(1105 / 44_100, abs=1e-5)
    assert samples(made.path) == samples(source)
    assert len(samples(made.path)) == 2 * 48_017


LOSSY = [
    ("out.m4a", "aac"),
    ("out.mp3", "mp3"),
    ("out.opus", "opus"),
    ("out.ogg", "opus"),
    ("out.mkv", "ac3"),
]


@pytest.mark.parametrize(("name", "codec"), LOSSY)
async def test_lossy_sound_begins_in_time_and_has_its_length(
    name: str, codec: str, tmp_path: Path
) -> None:
    source = flash_and_beep(tmp_path / "in.mp4", 2, seconds=4)
    made = await transcode(source, tmp_path / name, video={"codec": "none"}, audio={"codec": codec})
    assert made.facts.audio[0].codec == codec
    assert not made.facts.video
    decoded = samples(made.path)
    onset = next(n for n, value in enumerate(decoded) if abs(value) > 3000) / 2 / RATE
    assert onset == pytest.approx(2, abs=0.005)
    assert len(decoded) / 2 / RATE == pytest.approx(4, abs=0.025)


PAIRS = [
    *((".mp4", codec) for codec in ("aac", "opus", "mp3", "flac", "ac3")),
    *((".mov", codec) for codec in ("aac", "pcm", "ac3")),
    *((".mkv", codec) for codec in ("aac", "opus", "mp3", "flac", "pcm", "ac3")),
    (".webm", "opus"),
]


@pytest.mark.parametrize(("suffix", "codec"), PAIRS)
async def test_picture_and_sound_stay_together_in_every_container(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    source = flash_and_beep(tmp_path / "in.mp4", 2, seconds=4)
    picture: dict[str, Any] = {"codec": "h264", "crf": 35, "speed": "ultrafast", "height": 90}
    if suffix == ".webm":
        picture = {"codec": "vp9", "crf": 60, "speed": 8, "height": 90}
    made = await transcode(
        source, tmp_path / f"out{suffix}", video=picture, audio={"codec": codec}, chunk_s=2
    )
    found = made.facts.audio[0].codec
    assert found == codec or found.startswith(f"{codec}_")
    assert_together(made.path, tmp_path, 2)


@pytest.mark.parametrize(
    ("output", "audio", "words"),
    [
        ("x.webm", {"codec": "aac"}, "--audio opus"),
        ("x.mp4", {"codec": "pcm"}, r"\.mov"),
        ("x.mp3", {"codec": "aac"}, r"\.mp4"),
        ("x.opus", {"codec": "flac"}, "--audio opus"),
        ("x.wav", {"codec": "mp3"}, "--audio pcm"),
        ("x.flac", {"bitrate_bps": 128_000}, "no bit rate"),
        ("x.mp3", {"bit_depth": 24}, "flac and pcm"),
        ("x.mp3", {"channels": 6}, "at most 2"),
        ("x.opus", {"sample_rate": 44_100}, "48000"),
    ],
)
def test_impossible_sound_is_refused_with_what_is_possible(
    output: str, audio: dict[str, Any], words: str
) -> None:
    job = Transcode(input="in.mp4", output=output, audio=AudioOptions(**audio))
    with pytest.raises(InvalidJob, match=words):
        resolve(job)


def test_a_picture_has_no_place_in_a_sound_file() -> None:
    job = Transcode(input="in.mp4", output="x.mp3", preset="web-720p")
    with pytest.raises(InvalidJob, match="MP3 holds no picture"):
        resolve(job)


@pytest.mark.parametrize(
    ("output", "video", "audio"),
    [
        ("x.webm", "vp9", "opus"),
        ("x.mp3", "none", "mp3"),
        ("x.m4a", "none", "aac"),
        ("x.opus", "none", "opus"),
        ("x.flac", "none", "flac"),
        ("x.wav", "none", "pcm"),
        ("x.mov", "h264", "aac"),
    ],
)
def test_the_suffix_alone_says_enough(output: str, video: str, audio: str) -> None:
    settings = resolve(Transcode(input="in.mp4", output=output))
    assert (settings.video.codec, settings.audio.codec) == (video, audio)


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tracks: eng 300 Hz (default), fre 400 Hz, eng 500 Hz; and a picture."""
    target = tmp_path_factory.mktemp("tracks") / "in.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2"),
        *(w for f in (300, 400, 500) for w in ("-f", "lavfi", "-i", f"sine={f}:r={RATE}:d=2")),
        *("-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "libx264", "-c:a", "aac"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre"),
        *("-metadata:s:a:2", "language=eng", "-metadata:s:a:2", "title=Commentary"),
        *("-disposition:a", "0", "-disposition:a:0", "default", "-pix_fmt", "yuv420p", target),
    )
    return target


def pitch(path: Path, stream: int) -> int:
    values = [float(v) for v in samples(path, stream=stream, channels=1)[RATE // 2 :][:9600]]
    return max((300, 400, 500), key=lambda frequency: tone(values, frequency))


@pytest.mark.parametrize(
    ("tracks", "pitches"),
    [
        (None, [300]),
        ("all", [300, 400, 500]),
        (("fr",), [400]),
        ((3, "fra"), [500, 400]),
        (("en",), [300, 500]),
    ],
)
async def test_tracks_are_chosen_by_number_and_language(
    languages: Path, tracks: Any, pitches: list[int], tmp_path: Path
) -> None:
    made = await transcode(
        languages, tmp_path / "out.mp4", video={"codec": "none"}, audio={"tracks": tracks}
    )
    assert [pitch(made.path, n) for n in range(len(made.facts.audio))] == pitches
    names = {300: "eng", 400: "fre", 500: "eng"}
    assert [track.language for track in made.facts.audio] == [names[p] for p in pitches]


async def test_copied_and_encoded_tracks_keep_their_order(languages: Path, tmp_path: Path) -> None:
    made = await transcode(
        languages, tmp_path / "out.mkv", preset="remux", audio={"tracks": [3, 1]}
    )
    assert [pitch(made.path, n) for n in range(2)] == [500, 300]
    assert made.facts.audio[0].title == "Commentary"


async def test_a_track_that_is_not_there_is_refused_with_those_that_are(
    languages: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidJob, match=r"'de'.*1 \(eng\), 2 \(fre\)"):
        await transcode(languages, tmp_path / "out.mp4", audio={"tracks": ["de"]})


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".wav"])
async def test_of_all_tracks_a_container_of_one_holds_the_default_one(
    languages: Path, suffix: str, tmp_path: Path
) -> None:
    made = await transcode(languages, tmp_path / f"out{suffix}", audio={"tracks": "all"})
    assert [pitch(made.path, n) for n in range(len(made.facts.audio))] == [300]
    said = "\n".join(made.warnings)
    assert "stream 2 (audio, fre) is left out" in said
    assert "stream 3 (audio, eng Commentary) is left out" in said


async def test_several_tracks_by_name_are_refused_where_one_has_room(
    languages: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidJob, match="MP3 holds one sound track, and 2 are asked for"):
        await transcode(languages, tmp_path / "out.mp3", audio={"tracks": ["en"]})


@pytest.mark.parametrize("codec", ["aac", "mp3"])
async def test_surround_becomes_stereo_without_burying_speech_or_clipping(
    codec: str, tmp_path: Path
) -> None:
    """Centre at -3 dB in both sides (ITU-R BS.775); the loudest sum stays below full scale."""
    source = tmp_path / "in.mkv"
    quiet = "|".join(("0.1*sin(2*PI*400*t)", "0", "0.1*sin(2*PI*1000*t)", "0", "0", "0"))
    loud = "|".join(["0.944*sin(2*PI*1000*t)"] * 6)
    run(
        *("-f", "lavfi", "-i", f"aevalsrc='{quiet}':s={RATE}:d=1:c=5.1"),
        *("-f", "lavfi", "-i", f"aevalsrc='{loud}':s={RATE}:d=1:c=5.1"),
        *("-filter_complex", "[0][1]concat=v=0:a=1", "-c:a", "pcm_f32le", source),
    )
    suffix = {"aac": ".m4a", "mp3": ".mp3"}[codec]
    made = await transcode(source, tmp_path / f"out{suffix}", audio={"bitrate_bps": 192_000})
    both = samples(made.path)
    left, right = ([float(v) for v in both[side::2]] for side in (0, 1))
    first = slice(RATE // 4, RATE // 4 + 24_000)
    centre, front = tone(left[first], 1000), tone(left[first], 400)
    assert centre == pytest.approx(tone(right[first], 1000), abs=0.2)
    assert front - centre == pytest.approx(3.0, abs=0.7)
    assert centre >= -20 - 12
    assert front - tone(right[first], 400) >= 35
    second = left[RATE + RATE // 4 :][:24_000]
    assert tone(second, 1000) - tone(second, 3000) >= 40
    assert max(abs(value) for value in second) < 32767


async def test_a_voice_on_one_side_comes_out_on_both(tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    run("-f", "lavfi", "-i", f"aevalsrc='0|0.5*sin(2*PI*500*t)':s={RATE}:d=1", source)
    made = await transcode(source, tmp_path / "out.wav", audio={"take_side": "right"})
    both = samples(made.path)
    assert both[0::2] == both[1::2]
    assert max(both) > 16_000
