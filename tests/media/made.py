"""Sources with the properties that break chunked encoding, made with the engine's FFmpeg."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.media.engine import run

_PICTURE = "-f lavfi -i testsrc2=s=320x180:r={rate}:d=8"
_X264 = "-c:v libx264 -preset {speed} -threads 2 -pix_fmt yuv420p"
_WORDS = {
    "{picture}": _PICTURE.format(rate=25),
    "{ntsc}": _PICTURE.format(rate="30000/1001"),
    "{film}": _PICTURE.format(rate="24000/1001"),
    "{fields}": _PICTURE.format(rate=50) + " -vf tinterlace=interleave_top -flags +ildct+ilme",
    "{quick}": _X264.format(speed="ultrafast"),
    "{open}": _X264.format(speed="fast")
    + " -x264-params open-gop=1:b-pyramid=normal:b-adapt=0 -bf 3 -sc_threshold 0",
}

MADE = {
    "closed-gop.mp4": "{picture} {quick} -g 50",
    "open-gop.mp4": "{picture} {open} -g 50",
    "open-gop-milliseconds.mkv": "{film} {open} -g 48 -output_ts_offset 0.083",
    "hevc-open-gop.ts": "{picture} -c:v libx265 -preset ultrafast -pix_fmt yuv420p "
    "-x265-params log-level=none:open-gop=1:keyint=50:bframes=3:pools=1",
    "variable-rate.mp4": "-f lavfi -i testsrc2=s=320x180:r=60:d=8 "
    "-vf \"select='not(mod(n,7))+not(mod(n,5))+between(n,60,80)'\" "
    "-fps_mode passthrough -enc_time_base 1:90000 {quick} -bf 2 -g 30",
    "freeze.mp4": "-f lavfi -i testsrc2=s=320x180:r=60:d=8 -vf "
    "\"select='lt(t,1)+between(t,2.5,3.999)*not(mod(n,6))+gte(t,4.5)'\" "
    "-fps_mode passthrough -enc_time_base 1:90000 {quick} -g 60 -video_track_timescale 90000",
    "edit-list.mp4": "-ss 1.3 -i {whole} -c copy",
    "start-offset.mp4": "{picture} {quick} -g 50 -output_ts_offset 7.3 "
    "-movflags +frag_keyframe+empty_moov",
    "transport-wrap.ts": "{picture} {quick} -g 50 -bf 2 -output_ts_offset 95440",
    "ntsc-transport.ts": "{ntsc} {open} -g 60",
    "interlaced.ts": "{fields} {quick} -g 50 -bf 2",
    "mpeg2-interlaced.ts": "{fields} -c:v mpeg2video -q:v 4 -g 12 -bf 2",
    "one-keyframe.mp4": "{picture} {quick} -g 9999 -sc_threshold 0",
    "intra-refresh.mp4": "{picture} {quick} -x264-params intra-refresh=1:keyint=50 -bf 0",
    "h264.avi": "{picture} {quick} -g 50 -bf 2",
    "h264.flv": "{picture} {open} -g 50",
    "ten-bit-422.mov": "{picture} {quick} -pix_fmt yuv422p10le -g 50 -bf 2",
    "vp9.webm": "{picture} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 50",
    "av1.mkv": "{picture} -c:v libsvtav1 -preset 12 -g 50 -pix_fmt yuv420p -svtav1-params lp=1",
}
"""Name of the file, and the FFmpeg arguments that make it."""


def make(name: str, folder: Path) -> Path:
    """The made source called `name`."""
    recipe = MADE[name]
    if "{whole}" in recipe:  # cut by copy between keyframes: that leaves an edit list
        whole = folder / "whole.mp4"
        run(*_words("{picture} {quick} -g 50 -bf 2"), whole)
        recipe = recipe.replace("{whole}", str(whole))
    target = folder / name
    run(*_words(recipe), target)
    return target


def _words(recipe: str) -> list[str]:
    for name, meaning in _WORDS.items():
        recipe = recipe.replace(name, meaning)
    return shlex.split(recipe)
