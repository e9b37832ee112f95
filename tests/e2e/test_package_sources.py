"""Whatever people bring becomes a package whose every frame is the source's, at its time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from media.probing.in_child import inspect_in_child
from media.transcode.fragments import presentation_times, time_scale
from tests.browser.every_package import play_every_package
from tests.conftest import corpus_files
from tests.e2e.service import Service, running
from tests.media.engine import run
from tests.media.made import make
from tests.media.test_colour import hdr
from tests.storage.bucket import CREDENTIALS, bucket, s3_server

pytestmark = pytest.mark.slow

SMALL = ("--ladder", "180:400k,90:200k")
LONG = ("long-", "rotated-", "bbb-1080p60", "car-detection", "checkerboard", "cockatoo")
"""Files of the corpus that take long to decode, and show nothing that others do not."""
NO_PICTURE = ("eac3-5.1.ts", "encore-multiple-audio.mp4", "pcm-f32be.mp4")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[Service]:
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": f"http://{server}"}
    with running(tmp_path_factory.mktemp("sources"), **environment) as service:
        yield service


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("preset") / "small.yaml"
    path.write_text(
        "title: small\naudience: tests\ncodecs: [h264]\nspeed: {h264: ultrafast}\n"
        "ladder: [{height: 180, max_bitrate_bps: 400000}, {height: 90, max_bitrate_bps: 200000}]\n"
    )
    return path


def package(service: Service, source: Path, *options: object) -> tuple[Path, Any]:
    """A package without errors, and what its job told."""
    out = service.out / f"{source.stem}-package"
    told = service.json("package", source, "-o", out, *options)
    found = service.json("check", out)["findings"]
    assert not [each for each in found if each["severity"] == "error"]
    return out, told


def shown(out: Path, kind: str = "video") -> dict[str, list[Fraction]]:
    """When the frames of each rendition are shown: read from its segments behind each other."""
    found = {}
    for each in json.loads((out / "package.json").read_text())["renditions"]:
        if each["kind"] != kind:
            continue
        folder = out / each["folder"]
        whole = out.with_suffix(f".{each['name']}")
        parts = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
        scale = time_scale(whole)
        found[each["name"]] = [Fraction(ticks, scale) for ticks in presentation_times(whole)]
    return found


def decoded(out: Path, name: str) -> list[Fraction]:
    """When the frames of a rendition are shown that FFmpeg decodes from its playlist."""
    playlist = next(out.glob(f"{name}-*/playlist.m3u8"))
    with av.open(str(playlist)) as container:
        times = ((frame.pts, frame.time_base) for frame in container.decode(video=0))
        return [pts * base for pts, base in times if pts is not None and base is not None]


def assert_frames_are_the_sources(source: Path, out: Path) -> None:
    _, index = asyncio.run(inspect_in_child(source))
    assert index is not None
    wanted = [pts * index.time_base - index.origin_s for pts in index.pts]
    found = shown(out)
    assert len(found) >= 1
    slack = Fraction(1, 1000)
    for name, times in found.items():
        frames = decoded(out, name)
        assert len(frames) == len(times)
        # FFmpeg shows fragments with negative offsets late, all by the same.
        late = frames[0] - times[0]
        assert all(abs(a - late - b) <= slack for a, b in zip(frames, times, strict=True))
        held = [time for time in times if time < wanted[0] - slack]
        own = times[len(held) :]
        assert not held or (held[0] == 0 and wanted[0] > Fraction(1, 50))
        assert len(own) == len(wanted)
        if index.unreliable is None:
            assert all(abs(a - b) <= slack for a, b in zip(own, wanted, strict=True))


@pytest.mark.parametrize(
    "source",
    [
        path
        for path in corpus_files(".mp4", ".ts", ".mkv", ".webm", ".avi")
        if not path.name.startswith(LONG) and path.name not in NO_PICTURE
    ],
    ids=lambda path: path.name,
)
def test_films_of_the_corpus(service: Service, source: Path, preset: Path) -> None:
    out, told = package(service, source, "-p", preset)
    assert_frames_are_the_sources(source, out)
    if list(out.glob("captions-*")):
        assert not [each for each in told["warnings"] if "subtitle" in each], "they are carried"


@pytest.mark.parametrize("name", ["h264.avi", "interlaced.ts", "start-offset.mp4"])
def test_made_films(service: Service, tmp_path: Path, name: str, preset: Path) -> None:
    source = make(name, tmp_path)
    out, _ = package(service, source, "-p", preset)
    assert_frames_are_the_sources(source, out)


def test_eight_sound_tracks(service: Service, tmp_path: Path, preset: Path) -> None:
    source = tmp_path / "eight.mkv"
    tones = [f"sine={300 + 100 * n}:r=48000:d=3" for n in range(8)]
    maps = [word for n in range(8) for word in ("-map", f"{n + 1}:a")]
    languages = ("eng", "fre", "ger", "spa", "ita", "jpn", "eng", "und")
    told = [
        word
        for n, code in enumerate(languages)
        for word in (f"-metadata:s:a:{n}", f"language={code}")
    ]
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3"),
        *(word for tone in tones for word in ("-f", "lavfi", "-i", tone)),
        *("-map", "0:v", *maps, *told, "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", source),
    )
    out, _ = package(service, source, "-p", preset)
    master = (out / "master.m3u8").read_text()
    languages_told = re.findall(r'TYPE=AUDIO.*?LANGUAGE="([^"]+)"', master)
    assert languages_told == ["en", "fr", "de", "es", "it", "ja", "en", "und"]
    assert len(shown(out, "audio")) == 8


def test_whom_sounds_and_captions_are_for_is_told(
    service: Service, tmp_path: Path, preset: Path
) -> None:
    source, words = tmp_path / "for.mkv", tmp_path / "words.srt"
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\nwords\n")
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=3", "-f", "lavfi", "-i"),
        *("sine=300:r=48000:d=3", "-i", words, "-map", "0:v", "-map", "1:a", "-map", "1:a"),
        *("-map", "2:s", "-map", "2:s", "-map", "2:s", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-c:a", "aac", "-c:s", "srt", "-disposition:a:0", "default"),
        *("-disposition:a:1", "visual_impaired", "-disposition:s:1", "forced"),
        *("-disposition:s:2", "hearing_impaired", "-disposition:s:0", "0"),
        *(word for n in range(2) for word in (f"-metadata:s:a:{n}", "language=ger")),
        *(word for n in range(3) for word in (f"-metadata:s:s:{n}", "language=fre")),
        source,
    )
    out, _ = package(service, source, "-p", preset)
    lines = (out / "master.m3u8").read_text().splitlines()
    told = {
        line.rpartition('URI="')[2].rpartition("-")[0]: (
            re.findall(r'NAME="(\w+)', line)[0],
            re.findall(r"AUTOSELECT=(\w+)", line)[0],
            "FORCED=YES" in line,
            re.findall(r'CHARACTERISTICS="([^"]+)"', line),
        )
        for line in lines
        if line.startswith("#EXT-X-MEDIA")
    }
    sees, hears = (
        "public.accessibility.describes-video",
        (
            "public.accessibility.transcribes-spoken-dialog,"
            "public.accessibility.describes-music-and-sound"
        ),
    )
    assert told == {
        "audio-de": ("Deutsch", "YES", False, []),
        "audio-de-2": ("Deutsch", "YES", False, [sees]),
        "captions-fr": ("Français", "YES", False, []),
        "captions-fr-2": ("Français", "YES", True, []),
        "captions-fr-3": ("Français", "YES", False, [hears]),
    }
    manifest = (out / "manifest.mpd").read_text()
    roles = re.findall(r'role:2011" value="([^"]+)"', manifest)
    assert roles == ["main", "description", "subtitle", "forced-subtitle", "caption"]
    assert re.findall(r'PurposeCS:2007" value="(\d)"', manifest) == ["1", "2"]


def test_a_track_in_stereo_before_one_in_5_1(
    service: Service, tmp_path: Path, preset: Path
) -> None:
    """Each group has the same programmes in the same places, whatever their channels."""
    source = tmp_path / "two.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3"),
        *("-f", "lavfi", "-i", "sine=300:r=48000:d=3", "-f", "lavfi", "-i"),
        *("sine=900:r=48000:d=3", "-map", "0:v", "-map", "1:a", "-map", "2:a"),
        *("-ac:a:0", "1", "-ac:a:1", "6", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-metadata:s:a:0", "title=Director"),
        *("-metadata:s:a:1", "title=Main", source),
    )
    out, _ = package(service, source, "-p", preset)
    master = (out / "master.m3u8").read_text()
    told = re.findall(r'GROUP-ID="([^"]+)",NAME="(\w+)".*?CHANNELS="(\d)"', master)
    assert told == [
        ("audio", "Director", "1"),
        ("audio", "Main", "2"),
        ("audio-51", "Director", "1"),
        ("audio-51", "Main", "6"),
    ]


def test_a_picture_and_a_sound_that_end_early_reach_the_end_of_the_longest_sound(
    service: Service, tmp_path: Path, preset: Path
) -> None:
    source = tmp_path / "long.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-f", "lavfi"),
        *("-i", "sine=300:r=48000:d=9", "-f", "lavfi", "-i", "sine=900:r=48000:d=2"),
        *("-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", source),
    )
    out, told = package(service, source, "-p", preset)
    assert "6.0" in told["decisions"]["lead-out"]
    lengths = {
        folder.name: round(sum(map(float, re.findall(r"#EXTINF:([\d.]+)", text))), 1)
        for folder in out.iterdir()
        if (playlist := folder / "playlist.m3u8").exists() and (text := playlist.read_text())
    }
    assert len(lengths) == 4, "two sizes, two sounds"
    assert set(lengths.values()) == {9.0}
    found = {each["rule"] for each in service.json("check", out)["findings"]}
    assert not {rule for rule in found if rule.startswith("track-duration")}


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
def test_hdr_stays_hdr_in_hevc_and_becomes_sdr_in_h264(
    service: Service, tmp_path: Path, transfer: str
) -> None:
    source = hdr(tmp_path / f"{transfer}.mp4", transfer, seconds=1)
    out, told = package(service, source, "-p", "hls-hevc")
    assert told["decisions"]["hdr h264"] == "tone-mapped to SDR"
    assert told["decisions"]["hdr hevc"] == "kept"
    name = {"arib-std-b67": "HLG", "smpte2084": "PQ"}[transfer]
    master = (out / "master.m3u8").read_text()
    variants = re.findall(r"^#EXT-X-STREAM-INF:(.*)$", master, flags=re.MULTILINE)
    ranges = {"hvc1" in line: re.findall(r"VIDEO-RANGE=(\w+)", line)[0] for line in variants}
    assert ranges == {True: name, False: "SDR"}
    manifest = (out / "manifest.mpd").read_text()
    transfers = {
        "hvc1" in each: re.findall(r'TransferCharacteristics" value="(\d+)"', each)
        for each in re.findall("<AdaptationSet.*?</AdaptationSet>", manifest, re.DOTALL)
        if "video" in each
    }
    assert transfers == {True: [{"HLG": "18", "PQ": "16"}[name]], False: ["1"]}


def test_a_package_in_a_bucket_is_the_one_in_a_folder(
    service: Service, server: str, tmp_path: Path, preset: Path
) -> None:
    source = make("closed-gop.mp4", tmp_path)
    out, _ = package(service, source, "-p", preset)
    box = bucket(server, "packages")
    told = service.json("package", source, "-o", "s3://packages/talk", "-p", preset)
    assert [output["role"] for output in told["outputs"]] == ["hls", "dash", "listing"]
    here = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    listed = box.s3.list_objects_v2(Bucket=box.name, Prefix="talk/")["Contents"]
    assert {each["Key"].removeprefix("talk/") for each in listed} == here.keys()
    for name, path in here.items():
        found = box.s3.get_object(Bucket=box.name, Key=f"talk/{name}")
        assert found["Body"].read() == path.read_bytes()
        assert ("immutable" in found["CacheControl"]) == ("/" in name)
    heads = [box.s3.head_object(Bucket=box.name, Key=f"talk/{name}") for name in here]
    types = {head["ContentType"] for head in heads}
    assert {"application/vnd.apple.mpegurl", "application/dash+xml"} <= types
    findings = service.json("check", "s3://packages/talk")["findings"]
    assert not [each for each in findings if each["severity"] == "error"]


def test_a_key_from_a_bucket_lies_nowhere(
    service: Service, server: str, tmp_path: Path, preset: Path
) -> None:
    """Neither in the host's cache nor in the work store, history, logs or results."""
    key = bytes.fromhex("6c6f6e6774616b652d6b65792d303031")
    uri = bucket(server, "keys").put("talk.key", key.hex().encode() + b"\n")
    source, out = make("closed-gop.mp4", tmp_path), tmp_path / "out"
    asked = ("--encrypt", "cbcs", "--key-file", uri, "--key-uri", "https://keys.example/talk")
    told = service.json("package", source, "-o", out, "-p", preset, *asked)
    assert key.hex() not in json.dumps(told)
    files = [path for folder in (service.home, out) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if key.hex().encode() in path.read_bytes()]
    assert not [path for path in files if key in path.read_bytes()]


@pytest.mark.parametrize(
    ("cues", "words"),
    [
        ([f"{n}" for n in range(50_001)], "50001 captions; at most 50000"),
        ([f"{n} " * 2_000 for n in range(1_600)], "more than 10 MiB as WebVTT"),
    ],
    ids=["too many", "too long"],
)
def test_a_text_track_that_is_too_heavy_is_left_out_with_a_warning(
    service: Service, tmp_path: Path, preset: Path, cues: list[str], words: str
) -> None:
    """Asked for as a file it is refused; of the source's own track it is a pity alone."""
    captions, source = tmp_path / "heavy.srt", tmp_path / "heavy.mkv"
    spans = [f"00:00:00,{at % 900:03} --> 00:00:00,{at % 900 + 1:03}" for at in range(len(cues))]
    captions.write_text("".join(f"{n}\n{spans[n]}\n{text}\n\n" for n, text in enumerate(cues)))
    picture = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1")
    run(*picture, "-i", captions, "-map", "0", "-map", "1", "-c:s", "srt", source)
    out, told = package(service, source, "-p", preset, "--overwrite")
    assert [w for w in told["warnings"] if "stream 1 (subtitle) is left out" in w and words in w]
    assert not list(out.glob("captions-*"))
    done = service.run("package", source, "-o", tmp_path / "b", "--captions", f"en={captions}")
    assert done.returncode == 1
    assert not (tmp_path / "b").exists()


def test_styles_and_places_of_captions_come_into_the_package(
    service: Service, tmp_path: Path, preset: Path
) -> None:
    """Of a file, of one in UTF-16, and of a text track of the source."""
    source, ours, theirs = tmp_path / "styled.mkv", tmp_path / "a.vtt", tmp_path / "b.srt"
    ours.write_text(
        "WEBVTT\n\nSTYLE\n::cue(v) { color: lime; background: url(https://evil.example/) }\n\n"
        "00:01.000 --> 00:02.000 line:0 position:10% align:left\n<v Ann><i>one</i>, {two}</v>\n"
    )
    theirs.write_bytes(
        "\ufeff1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<u>Grüße</u>\n".encode("utf-16-le")
    )
    words = tmp_path / "words.ass"
    words.write_text(
        "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\b1\\pos(3,4)}three\n"
    )
    picture = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=3")
    run(*picture, "-i", words, "-map", "0", "-map", "1", "-c:s", "copy", source)
    asked = ("--captions", f"en={ours}", "--captions", f"de={theirs}")
    out, told = package(service, source, "-p", preset, *asked)
    lost = "came without all that it asks for; left out: places (\\pos)"
    assert told["warnings"] == [f"stream 1 (subtitle) {lost}"]
    burnt = ("-o", tmp_path / "burnt.mp4", "--speed", "ultrafast", "--captions", words)
    assert f"{words} {lost}" in service.json("transcode", source, *burnt)["warnings"]
    found = [path.read_text("utf-8") for path in sorted(out.glob("captions-*/00001.vtt"))]
    head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
    times = "00:00:01.000 --> 00:00:02.000"
    assert found == [
        f"{head}{times} line:0\n<u>Grüße</u>\n",
        f"{head}STYLE\n::cue(v) {{ color: lime }}\n\n{times} line:0 position:10% align:left\n"
        "<v Ann><i>one</i>, {two}</v>\n",
        f"{head}{times}\n<b>three</b>\n",
    ]


def test_every_package_plays(service: Service, pytestconfig: pytest.Config) -> None:
    """Of those that the tests before made."""
    play_every_package(service.out, pytestconfig)
