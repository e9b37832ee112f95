"""Subtitles that begin before picture and sound."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest

from tests.media.engine import run, transcode


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("video", "audio"), [("copy", "mp3"), ("h264", "copy"), ("copy", "copy")])
async def test_words_before_the_picture_part_no_sound_from_it(
    video: str, audio: str, suffix: str, tmp_path: Path
) -> None:
    """FFmpeg counts the time of a whole file from its words, if they begin a little earlier."""
    words, source = tmp_path / "early.srt", tmp_path / "early.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,500\nHello you\n")
    run(
        *("-itsoffset", "0.4", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2"),
        *("-itsoffset", "0.4", "-f", "lavfi", "-i", "sine=440:d=2", "-i", words, "-map", "0"),
        *("-map", "1", "-map", "2", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-c:s", "srt", "-copyts", source),
    )
    made = await transcode(
        source, tmp_path / f"out{suffix}", video={"codec": video}, audio={"codec": audio}
    )
    assert made.facts.video[0].start_s == pytest.approx(0, abs=0.001)
    assert made.facts.audio[0].start_s == pytest.approx(0, abs=0.005)
    said = run("-i", made.path, "-map", "0:s:0", "-f", "srt", "-")
    assert "00:00:00,000 --> 00:00:01,100" in said


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_words_long_before_the_picture_are_shown_from_its_beginning_on(
    suffix: str, tmp_path: Path
) -> None:
    """So long that FFmpeg does not count from there."""
    words, source = tmp_path / "early.srt", tmp_path / "early.mkv"
    words.write_text(
        "1\n00:00:00,500 --> 00:00:01,500\nGone\n\n2\n00:00:02,000 --> 00:00:04,200\nHello\n"
    )
    run(
        *("-itsoffset", "3", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2"),
        *("-i", words, "-map", "0", "-map", "1", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:s", "srt", "-copyts", source),
    )
    made = await transcode(source, tmp_path / f"out{suffix}", video={"speed": "ultrafast"})
    assert made.facts.video[0].start_s == pytest.approx(0, abs=0.001)
    said = run("-i", made.path, "-map", "0:s:0", "-f", "srt", "-")
    assert "00:00:00,000 --> 00:00:01,200\nHello" in said
    assert "Gone" not in said


async def test_drawn_words_that_begin_before_the_picture_are_left_out(tmp_path: Path) -> None:
    """As on discs: each set of a drawing stays until the next one."""
    drawn, source = tmp_path / "early.sup", tmp_path / "early.mkv"
    drawn.write_bytes(b"".join(_drawing(at) for at in (1, 2, 4)))
    run(
        *("-itsoffset", "3", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2"),
        *("-i", drawn, "-map", "0", "-map", "1", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:s", "copy", "-copyts", source),
    )
    made = await transcode(source, tmp_path / "out.mkv", video={"speed": "ultrafast"})
    assert made.facts.video[0].start_s == pytest.approx(0, abs=0.001)
    with av.open(made.path) as container:
        (words,) = container.streams.subtitles
        shown = [float((p.pts or 0) * p.time_base) for p in container.demux(words) if p.size]
    assert shown == pytest.approx([1.0], abs=0.001)


def _drawing(at_s: int) -> bytes:
    """An empty set of a Presentation Graphic Stream: its composition, and its end."""
    time = struct.pack(">II", 90_000 * at_s, 0)
    composition = struct.pack(">HHBHBBBB", 64, 64, 0x10, at_s, 0x80, 0, 0, 0)
    return b"".join(
        b"PG" + time + struct.pack(">BH", kind, len(body)) + body
        for kind, body in ((0x16, composition), (0x80, b""))
    )
