"""Sources with the properties that break chunked encoding, made with the engine's FFmpeg."""

from __future__ import annotations

from pathlib import Path

from tests.media.engine import run

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "2", "-pix_fmt", "yuv420p")
OPEN = ("-x264-params", "open-gop=1:b-pyramid=normal:b-adapt=0", "-bf", "3", "-sc_threshold", "0")
PICTURE = ("-f", "lavfi", "-i")


def _picture(rate: str = "25", seconds: float = 8) -> tuple[str, ...]:
    return (*PICTURE, f"testsrc2=s=320x180:r={rate}:d={seconds}")


def make(name: str, folder: Path) -> Path:
    """The made source called `name`."""
    suffix, arguments = MADE[name]
    target = folder / f"{name}{suffix}"
    if name == "edit-list":
        whole = folder / "whole.mp4"
        run(*_picture(), *X264, "-g", "50", "-bf", "2", whole)
        run("-ss", "1.3", "-i", whole, "-c", "copy", target)
    else:
        run(*arguments, target)
    return target


MADE: dict[str, tuple[str, tuple[str, ...]]] = {
    "closed-gop": (".mp4", (*_picture(), *X264, "-g", "50")),
    "open-gop": (".mp4", (*_picture(), *X264, *OPEN, "-preset", "fast", "-g", "50")),
    "open-gop-matroska": (
        ".mkv",
        (*_picture("24000/1001"), *X264, *OPEN, "-preset", "fast", "-g", "48")
        + ("-output_ts_offset", "0.083"),
    ),
    "hevc-open-gop": (
        ".ts",
        (*_picture(), "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
        + ("-x265-params", "log-level=none:open-gop=1:keyint=50:bframes=3:pools=1"),
    ),
    "variable-rate": (
        ".mp4",
        (*_picture("60"), "-vf", "select='not(mod(n,7))+not(mod(n,5))+between(n,60,80)'")
        + ("-fps_mode", "passthrough", "-enc_time_base", "1:90000", *X264, "-bf", "2", "-g", "30"),
    ),
    "edit-list": (".mp4", ()),
    "start-offset": (
        ".mp4",
        (*_picture(), *X264, "-g", "50", "-output_ts_offset", "7.3", "-movflags")
        + ("+frag_keyframe+empty_moov",),
    ),
    "transport-wrap": (
        ".ts",
        (*_picture(), *X264, "-g", "50", "-bf", "2", "-output_ts_offset", "95440"),
    ),
    "ntsc-transport": (".ts", (*_picture("30000/1001"), *X264, *OPEN, "-g", "60")),
    "interlaced": (
        ".ts",
        (*_picture("50"), "-vf", "tinterlace=interleave_top", *X264, "-flags", "+ildct+ilme")
        + ("-g", "50", "-bf", "2"),
    ),
    "mpeg2-interlaced": (
        ".ts",
        (*_picture("50"), "-vf", "tinterlace=interleave_top", "-c:v", "mpeg2video", "-q:v", "4")
        + ("-flags", "+ildct+ilme", "-g", "12", "-bf", "2"),
    ),
    "one-keyframe": (".mp4", (*_picture(), *X264, "-g", "9999", "-sc_threshold", "0")),
    "intra-refresh": (
        ".mp4",
        (*_picture(), *X264, "-x264-params", "intra-refresh=1:keyint=50", "-bf", "0"),
    ),
    "h264-avi": (".avi", (*_picture(), *X264, "-g", "50", "-bf", "2")),
    "flv": (".flv", (*_picture(), *X264, *OPEN, "-g", "50")),
    "ten-bit-422": (
        ".mov",
        (*_picture(), *X264, "-pix_fmt", "yuv422p10le", "-g", "50", "-bf", "2"),
    ),
    "vp9": (
        ".webm",
        (*_picture(), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "50"),
    ),
    "av1": (
        ".mkv",
        (*_picture(), "-c:v", "libsvtav1", "-preset", "12", "-g", "50", "-pix_fmt", "yuv420p")
        + ("-svtav1-params", "lp=1"),
    ),
}
