"""A preview shows the right frames at the right times, upright and undistorted, and the peaks
of the decoded samples."""

from __future__ import annotations

import array
import json
import random
import re
import signal
import time
import wave
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from longtake import InputUnsupported, InvalidJob
from longtake.contracts.preview import Preview
from longtake.errors import ProcessKilled
from media.children import isolate
from media.preview.jpeg import split
from media.preview.plan import PreviewPlan, Sound, plan_preview
from media.preview.stills import make_pictures
from media.probing.in_child import inspect_in_child
from media.sound import peaks
from media.sound.peaks import make_sound
from tests.conftest import CORPUS
from tests.media.engine import no_tick, run, transcode
from tests.media.pixels import Shot, shot
from tests.media.test_colour import hdr
from tests.media.test_filters import QUIET


@dataclass(frozen=True)
class Made:
    plan: PreviewPlan
    files: dict[str, bytes]
    errors: int


async def preview(source: Path, folder: Path, **asked: Any) -> Made:
    """What the workflow does, in this process."""
    facts, index = await inspect_in_child(source)
    job = Preview.model_validate({"input": str(source), "output": str(folder), **asked})
    plan = plan_preview(facts, index, job)
    files: dict[str, bytes] = {}
    errors = 0
    for number, part in enumerate(plan.parts):
        target = folder / f"part-{number}"
        if isinstance(part, Sound):
            done = await make_sound(source, plan, part, target, no_tick)
        else:
            assert index is not None
            done = await make_pictures(source, plan, index, part, target, lambda _: None)
        data = target.read_bytes()
        pictures = split(data) if len(part.names) > 1 else [data]
        files |= dict(zip(part.names, pictures, strict=True))
        errors += done.errors
        assert not leftovers(folder)
    return Made(plan, files, errors)


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("part-*.*"))


def pixels(picture: bytes, folder: Path, size: str) -> bytes:
    """A picture as RGB, scaled to `size`."""
    path, raw = folder / "picture", folder / "picture.rgb"
    path.write_bytes(picture)
    run("-i", path, "-vf", f"scale={size}:flags=area,format=rgb24", "-f", "rawvideo", raw)
    return raw.read_bytes()


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, from its frame header (ITU-T T.81, B.2.2)."""
    at = re.search(rb"\xff\xc0..\x08", picture, re.DOTALL)
    assert at is not None
    height, width = picture[at.end() : at.end() + 2], picture[at.end() + 2 : at.end() + 4]
    return int.from_bytes(width, "big"), int.from_bytes(height, "big")


def grey(frame: int) -> float:
    """What the screen shows of a frame of `counted`, 0 to 255."""
    return 5 * frame * 255 / 219


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s at 10 fps in which frame n is luma 16 + 5n: what is shown says when it was."""
    target = tmp_path_factory.mktemp("counted") / "counted.mp4"
    filling = "color=black:s=64x36:r=10:d=4,format=yuv420p,geq=lum=16+5*N:cb=128:cr=128"
    run(
        *(
            "-f",
            "lavfi",
            "-i",
            filling,
            "-c:v",
            "libx264",
            "-qp",
            "6",
            "-preset",
            "fast",
            "-bf",
            "3",
        ),
        *("-x264-params", "keyint=10:open-gop=1:scenecut=0", target),
    )
    return target


async def test_each_thumbnail_is_the_frame_shown_at_its_time(counted: Path, tmp_path: Path) -> None:
    made = await preview(counted, tmp_path, parts=["thumbnails"], thumbnails={"every_s": "0.7"})
    assert list(made.files) == [f"thumbnail-{n:04}.jpg" for n in range(1, 7)]
    levels = [pixels(picture, tmp_path, "1:1")[0] for picture in made.files.values()]
    assert levels == [pytest.approx(grey(7 * n), abs=2.5) for n in range(6)]


async def test_the_storyboard_says_which_tile_is_when(counted: Path, tmp_path: Path) -> None:
    made = await preview(
        counted,
        tmp_path,
        parts=["storyboard"],
        storyboard={"every_s": "0.5", "height": 36, "columns": 3, "rows": 2},
    )
    assert list(made.files) == ["storyboard-01.jpg", "storyboard-02.jpg"]
    assert size_of(made.files["storyboard-01.jpg"]) == (192, 72)
    cues = re.findall(
        r"([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)\n", made.plan.webvtt or ""
    )
    assert [(begin, end) for begin, end, *_ in cues] == [
        (f"00:00:0{n // 2}.{n % 2 * 5}00", f"00:00:0{(n + 1) // 2}.{(n + 1) % 2 * 5}00")
        for n in range(8)
    ]
    sheets = {name: pixels(picture, tmp_path, "iw:ih") for name, picture in made.files.items()}
    for number, (_, _, name, x, y, width, height) in enumerate(cues):
        sheet_width = size_of(made.files[name])[0]
        middle = (int(y) + int(height) // 2) * sheet_width + int(x) + int(width) // 2
        shown = sheets[name][3 * middle]
        assert shown == pytest.approx(grey(5 * number + 2), abs=2.5), number


async def test_the_poster_is_the_richest_frame_or_the_one_at_its_time(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "color=black:s=320x180:r=10:d=2", "-f", "lavfi"),
        *(
            "-i",
            "testsrc2=s=320x180:r=10:d=1",
            "-f",
            "lavfi",
            "-i",
            "color=gray:s=320x180:r=10:d=3",
        ),
        *("-filter_complex", "concat=n=3", "-c:v", "libx264", "-preset", "ultrafast", film),
    )
    best = await preview(film, tmp_path, parts=["poster"])
    assert len(set(pixels(best.files["poster.jpg"], tmp_path, "32:18"))) > 40
    asked = await preview(film, tmp_path, parts=["poster"], poster={"at": 5})
    assert len(set(pixels(asked.files["poster.jpg"], tmp_path, "32:18"))) < 8
    with pytest.raises(InvalidJob, match="behind the end"):
        await preview(film, tmp_path, parts=["poster"], poster={"at": 6})


async def test_pictures_are_upright_and_undistorted(tmp_path: Path) -> None:
    stored, turned = tmp_path / "stored.mp4", tmp_path / "turned.mp4"
    corner = "color=blue:s=160x90:r=10:d=1,drawbox=x=0:y=0:w=80:h=45:color=red:t=fill,setsar=2"
    run("-f", "lavfi", "-i", corner, "-c:v", "libx264", "-pix_fmt", "yuv420p", stored)
    run("-display_rotation", "-90", "-i", stored, "-c", "copy", turned)
    wide = await preview(stored, tmp_path, parts=["poster"])
    assert size_of(wide.files["poster.jpg"]) == (320, 90)
    tall = (await preview(turned, tmp_path, parts=["poster"])).files["poster.jpg"]
    assert size_of(tall) == (90, 320)
    seen = pixels(tall, tmp_path, "2:2")
    colours = ["red" if seen[at] > 128 else "blue" for at in range(0, 12, 3)]
    assert colours == ["blue", "red", "blue", "blue"]  # turned clockwise


async def test_the_animation_is_four_moving_shots(counted: Path, tmp_path: Path) -> None:
    made = await preview(counted, tmp_path, parts=["animation"], animation={"fps": 5})
    webp = made.files["animation.webp"]
    assert webp[:4] + webp[8:12] == b"RIFFWEBP"
    assert webp.count(b"ANMF") == 20


def samples(path: Path, channels: int, rate: int, count: int) -> array.array[int]:
    """Write a WAV of noise that swells, and give its samples."""
    dice = random.Random(7)
    loud = [min(32767, 40 + n) for n in range(count)]
    values = array.array("h", (dice.randint(-top, top) for top in loud for _ in range(channels)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())
    return values


@pytest.mark.parametrize("bits", [8, 16])
async def test_peaks_are_those_of_the_samples(tmp_path: Path, bits: int) -> None:
    source = tmp_path / "noise.wav"
    values = samples(source, 2, 8000, 5003)
    asked = {"samples_per_pixel": 500, "bits": bits, "split_channels": True}
    made = await preview(source, tmp_path, parts=["peaks"], peaks=asked)
    document = json.loads(made.files["peaks.json"])
    expected = []
    for first in range(0, 5003, 500):
        for channel in range(2):
            part = values[2 * first : 2 * (first + 500)][channel::2]
            expected += [min(part), max(part)]
    if bits == 8:
        expected = [int(value / 256) for value in expected]
    assert document == {
        "version": 2,
        "channels": 2,
        "sample_rate": 8000,
        "samples_per_pixel": 500,
        "bits": bits,
        "length": 11,
        "data": expected,
    }


async def test_peaks_of_mixed_and_compressed_sound_are_those_of_the_decoded_samples(
    tmp_path: Path,
) -> None:
    source, decoded = tmp_path / "sound.m4a", tmp_path / "sound.raw"
    samples(tmp_path / "noise.wav", 2, 44100, 60_000)
    run("-i", tmp_path / "noise.wav", "-c:a", "aac", source)
    run("-cpuflags", "sse4.2", "-i", source, "-f", "s16le", decoded)
    values = array.array("h", decoded.read_bytes())
    mean = [(left + right) / 2 for left, right in zip(values[::2], values[1::2], strict=True)]
    made = await preview(source, tmp_path, parts=["peaks"], peaks={"bits": 16})
    data = json.loads(made.files["peaks.json"])["data"]
    pixels_of = [mean[at : at + 256] for at in range(0, len(mean), 256)]
    expected = [edge for some in pixels_of for edge in (min(some), max(some))]
    assert data == pytest.approx(expected, abs=2)


async def test_late_sound_has_peaks_where_players_hear_it(tmp_path: Path) -> None:
    source = tmp_path / "late.mkv"
    run(
        *("-f", "lavfi", "-i", "color=s=64x36:r=10:d=2", "-f", "lavfi", "-itsoffset", "1"),
        *("-i", "sine=r=8000:d=1", "-c:v", "ffv1", "-c:a", "pcm_s16le", source),
    )
    made = await preview(source, tmp_path, parts=["peaks"], peaks={"samples_per_pixel": 800})
    highs = json.loads(made.files["peaks.json"])["data"][1::2]
    assert len(highs) == 20
    assert not any(highs[:10])
    assert all(highs[10:])


async def test_a_reader_of_the_sound_that_is_killed_is_no_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples(tmp_path / "noise.wav", 2, 44100, 400_000)
    monkeypatch.setattr(peaks, "document", reads_and_dies)
    look = isolate._ended_from_outside

    def look_late(child: BaseProcess) -> bool:
        time.sleep(1)  # FFmpeg, which then has nobody to write to, ends before
        return look(child)

    monkeypatch.setattr(isolate, "_ended_from_outside", look_late)
    with pytest.raises(ProcessKilled, match="from outside"):
        await preview(tmp_path / "noise.wav", tmp_path, parts=["peaks"])


def reads_and_dies(pipe: str, sound: Sound) -> bytes:
    with Path(pipe).open("rb") as file:
        file.read(1000)
        signal.raise_signal(signal.SIGKILL)
    return b""


async def test_what_a_source_cannot_give_is_left_out_with_words(
    counted: Path, tmp_path: Path
) -> None:
    silent = await preview(counted, tmp_path, parts=["waveform", "poster"])
    assert list(silent.files) == ["poster.jpg"]
    assert "no sound" in silent.plan.decisions["waveform"]
    samples(tmp_path / "tone.wav", 1, 8000, 8000)
    heard = await preview(tmp_path / "tone.wav", tmp_path)
    assert list(heard.files) == ["waveform.png", "peaks.json"]
    assert "no picture" in heard.plan.decisions["poster"]
    with pytest.raises(InputUnsupported, match="no sound"):
        await preview(counted, tmp_path, parts=["peaks"])


async def test_the_waveform_is_drawn_from_edge_to_edge(tmp_path: Path) -> None:
    samples(tmp_path / "tone.wav", 1, 8000, 40_000)
    made = await preview(
        tmp_path / "tone.wav", tmp_path, parts=["waveform"], waveform={"width": 100, "height": 50}
    )
    seen = pixels(made.files["waveform.png"], tmp_path, "iw:ih")
    assert len(seen) == 100 * 50 * 3
    heights = [sum(seen[3 * (y * 100 + x)] < 128 for y in range(50)) for x in range(100)]
    assert heights[0] <= 2
    assert heights[-1] >= 48
    assert heights == pytest.approx(sorted(heights), abs=3)


async def test_many_thumbnails_are_several_steps(counted: Path, tmp_path: Path) -> None:
    facts, index = await inspect_in_child(counted)
    asked = {"every_s": "0.1", "height": 1080}
    job = Preview.model_validate(
        {"input": "a.mp4", "output": "b", "parts": ["thumbnails"], "thumbnails": asked}
    )
    longer = facts.model_copy(update={"duration_s": 12.1})
    parts = plan_preview(longer, index, job).parts
    assert [len(part.names) for part in parts] == [60, 60, 1]
    assert len({name for part in parts for name in part.names}) == 121


async def test_too_many_thumbnails_are_refused_before_any_work(
    counted: Path, tmp_path: Path
) -> None:
    facts, index = await inspect_in_child(counted)
    job = Preview.model_validate(
        {"input": "a.mp4", "output": "b", "thumbnails": {"every_s": "0.1"}}
    )
    with pytest.raises(InvalidJob, match="at most 300"):
        plan_preview(facts.model_copy(update={"duration_s": 40.0}), index, job)


@pytest.mark.parametrize("name", ["hlg10.mp4", "hostile/bit-flips.mp4", "cockatoo.mp4"])
async def test_odd_sources_show_what_they_have(name: str, tmp_path: Path) -> None:
    source = CORPUS / name
    if not source.exists():
        pytest.skip("no media corpus beside the checkout")
    made = await preview(source, tmp_path, parts=["poster", "storyboard"])
    assert size_of(made.files["poster.jpg"])[1] <= 720
    assert made.plan.decisions.get("hdr") == ("tone-mapped to SDR" if name == "hlg10.mp4" else None)


async def test_what_did_not_decode_is_counted(tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole.ts", tmp_path / "damaged.ts"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=4", "-pix_fmt", "yuv420p")
    run(*picture, "-c:v", "libx264", "-g", 10, whole)
    asked = {"parts": ["thumbnails"], "thumbnails": {"every_s": "0.7"}}
    assert (await preview(whole, tmp_path, **asked)).errors == 0
    data = bytearray(whole.read_bytes())
    for packet in range(len(data) // 2 // 188 * 188, len(data), 5 * 188):
        data[packet + 100 : packet + 110] = b"\x55" * 10
    damaged.write_bytes(data)
    found = await preview(damaged, tmp_path, **asked)
    assert found.errors > 0
    assert len(found.files) == 6


async def test_pictures_that_lack_references_where_decoding_begins_are_no_damage(
    tmp_path: Path,
) -> None:
    source = tmp_path / "open-gop.ts"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=4", "-c:v", "libx265"),
        *("-x265-params", "keyint=10:open-gop=1:bframes=4:log-level=none", source),
    )
    made = await preview(source, tmp_path, parts=["poster"], poster={"at": "3.45"})
    assert made.errors == 0


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
async def test_hdr_is_shown_with_the_colours_of_a_tone_mapped_job(
    transfer: str, tmp_path: Path
) -> None:
    """A ramp from black to white; below it black, white of 75 %, red (`hdr`)."""
    source = hdr(tmp_path / "in.mov", transfer)
    made = await preview(source, tmp_path, parts=["poster", "storyboard"], poster={"at": "0.1"})
    job = await transcode(source, tmp_path / "sdr.mp4", preset="web-720p", **QUIET)
    assert made.plan.decisions["hdr"] == "tone-mapped to SDR"
    assert made.plan.warnings == ()
    shown, film = (
        Shot(640, 360, pixels(made.files["poster.jpg"], tmp_path, "640x360"), False),
        shot(job.path, 3, (640, 360)),
    )
    places = [*((x, 90) for x in range(20, 640, 60)), (100, 270), (320, 270), (540, 270)]
    for place in places:
        differences = [abs(a - b) for a, b in zip(shown.at(*place), film.at(*place), strict=True)]
        assert max(differences) <= 10, place
    red, green, _ = shown.at(540, 270)
    assert red >= 5 * green
    width, height = size_of(made.files["storyboard-01.jpg"])
    sheet = pixels(made.files["storyboard-01.jpg"], tmp_path, f"{width}x{height}")
    assert max(sheet) >= 240, "white is white, not grey"
