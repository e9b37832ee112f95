"""Crop, watermark and captions through the command line and real workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.probing.animation_files import read_animation
from tests.e2e.service import Service
from tests.media.engine import run
from tests.media.pixels import shot
from tests.media.test_filters import SRT

pytestmark = pytest.mark.slow


def png(target: Path, colour: str) -> Path:
    run("-f", "lavfi", "-i", f"color={colour}:s=40x20", "-frames:v", "1", target)
    return target


def test_what_lies_beside_the_source_is_content_of_the_job(
    service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "it's [a:b], 100%"  # no name may become part of a filter
    folder.mkdir()
    source, mark, words = folder / "in.mp4", folder / "mark.png", folder / "a.srt"
    run(
        *("-f", "lavfi", "-i", "color=gray:s=320x132:r=25:d=6,pad=320:180:0:24", "-c:v"),
        *("libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", source),
    )
    words.write_text(SRT, "utf-8")
    output = service.out / "marked.mp4"
    command = (
        *("transcode", source, "-o", output, "--crf", "10", "--speed", "ultrafast"),
        *("--chunk", "1", "--crop", "auto", "--captions", words, "--watermark", mark),
        *("--watermark-position", "top-left", "--watermark-width", "0.25"),
    )
    sizes: list[tuple[int, int]] = []
    ids: list[str] = []
    for colour in ("red", "blue"):
        png(mark, colour)
        document = service.json(*command, *(("--overwrite",) if sizes else ()))
        ids.append(document["job_id"])
        made = document["outputs"][0]["media"]["video"][0]
        sizes.append((made["width"], made["height"]))
        assert document["decisions"]["crop"] == "found: 320:132:0:24"
        assert not [word for word in document["warnings"] if "damaged" in word]
        seen = shot(output, 30, (320, 132))
        red, _, blue = seen.at(40, 20)
        assert (red > 200, blue > 200) == (colour == "red", colour == "blue")
        white = [min(seen.at(x, y)) > 180 for x in range(60, 260) for y in range(90, 130)]
        assert any(white)
    assert sizes == [(320, 132)] * 2
    assert ids[0] != ids[1]


def test_chapters_are_found_by_a_step_of_their_own(service: Service, tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    black = "drawbox=c=black:t=fill:enable='between(t,3,3.9)'"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=s=320x180:r=25:d=6,{black}", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", source),
    )
    document = service.json(
        *("transcode", source, "-o", service.out / "chapters.mkv", "--speed", "ultrafast"),
        *("--chapters", "black", "--shortest-chapter", "2", "--black", "0.5"),
    )
    told = document["outputs"][0]["media"]["chapters"]
    assert [chapter["start_s"] for chapter in told] == pytest.approx([0, 3.92], abs=0.04)
    assert document["decisions"]["chapters"].startswith("2 found")


def test_a_watermark_that_is_not_there_is_refused_at_once(service: Service, tmp_path: Path) -> None:
    source = png(tmp_path / "in.png", "red")
    done = service.run(
        "transcode", source, "-o", service.out / "x.mp4", "--watermark", tmp_path / "none.png"
    )
    assert done.returncode == 2
    assert "none.png" in done.stderr


def test_a_clip_becomes_a_gif_and_the_loss_of_its_sound_is_told(
    service: Service, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.mp4", service.out / "clip.gif"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", source),
    )
    document = service.json("transcode", source, "-o", output, "--start", "1")
    assert document["warnings"] == ["the sound is left out: GIF holds none"]
    assert document["outputs"][0]["media"]["container"] == "gif"
    animation = read_animation(output)
    assert [float(at) for at in animation.starts] == [round(0.08 * n, 2) for n in range(13)]
    assert animation.loops == 0
    again = ("transcode", source, "-o", output, "--start", "1", "--overwrite")
    assert not service.json(*again, "--audio", "none")["warnings"]


@pytest.mark.parametrize(
    ("suffix", "command", "times"),
    [
        (".mp4", ("transcode", "--speed", "ultrafast"), "00:00:01,000 --> 00:00:02,000"),
        (".mkv", ("transcode", "--start", "1.5"), "00:00:00,000 --> 00:00:00,500"),
        (".mkv", ("normalize", "--target", "streaming"), "00:00:01,000 --> 00:00:02,000"),
    ],
)
def test_text_that_ffmpeg_has_no_name_for_comes_along(
    service: Service, tmp_path: Path, suffix: str, command: tuple[str, ...], times: str
) -> None:
    """As WebVTT in Matroska has none (S_TEXT/WEBVTT). What proves to be no text does not."""
    words, source = tmp_path / "a.srt", tmp_path / "in.mkv"
    output = service.out / f"{command[0]}{suffix}"
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\n<i>Hi</i>\n")
    film = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3")
    maps = [word for number in (0, 1, 2, 2) for word in ("-map", str(number))]
    run(*film, "-i", words, *maps, "-metadata:s:s:0", "language=ger", "-c:s", "srt", source)
    data = source.read_bytes().replace(b"S_TEXT/UTF8", b"S_TEXT/WVTT")
    head, _, rest = data.rpartition(b"<i>Hi</i>")
    source.write_bytes(head + b"\xff" * 9 + rest)
    told = service.json(command[0], source, "-o", output, *command[1:])
    assert f"{times}\n<i>Hi</i>" in run("-i", output, "-map", "0:s:0", "-f", "srt", "-")
    tracks = told["outputs"][0]["media"]["other"]
    assert [(track["kind"], track["language"]) for track in tracks] == [("subtitle", "ger")]
    (warning,) = told["warnings"]
    assert "stream 3 (subtitle) is left out: captions.stream 3 of " in warning
    assert "is no text in UTF-8" in warning
    assert len(told["sources"]) == 1
