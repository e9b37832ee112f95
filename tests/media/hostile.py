"""Inputs made to do harm: they name other files and addresses, or lie about their size."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from tests.media.engine import run

TOKEN = "s3cret-of-this-host"
_JPEG_SIZE = b"\xff\xc0\x00\x11\x08"
"""What stands before height and width in a JPEG of three components."""


@dataclass(frozen=True)
class Bait:
    """What a lure tries to reach: a text, a film beside it, and an address."""

    text: Path
    film: Path
    url: str


def bait(folder: Path, url: str) -> Bait:
    """A secret text and a secret film in `folder`."""
    text, film = folder / "secret.txt", folder / "secret.ts"
    text.write_text(f"{TOKEN}\n" * 50)
    film_options = ("-c:v", "mpeg2video", "-metadata", f"service_name={TOKEN}")
    run("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", *film_options, film)
    return Bait(text, film, url)


LURES = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "list-called.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "list-of-text.ts": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{text}\n#EXT-X-ENDLIST\n",
    "list-with-key.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n"
    '#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n',
    "list-of-address.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{url}\n"
    "#EXT-X-ENDLIST\n",
    "list-of-parts.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n"
    "concat:{url}|subfile,,start,0,end,64,,:{text}\n#EXT-X-ENDLIST\n",
    "script.mp4": "ffconcat version 1.0\nfile {film_name}\n",
    "script-absolute.mkv": "ffconcat version 1.0\nfile {text}\nfile {url}\n",
    "drawing.svg": '<svg xmlns="http://www.w3.org/2000/svg" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64">'
    '<image xlink:href="{url}" width="64" height="64"/>'
    '<image xlink:href="file://{text}" width="64" height="64"/></svg>',
    "manifest.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp2t">'
    '<Representation id="1" bandwidth="1000"><BaseURL>{url}</BaseURL></Representation>'
    '<Representation id="2" bandwidth="1000"><BaseURL>file://{film}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:{url}\n",
    "reference.mov": "RTSPtext {url}\n",
}
"""Name, and text with the places of the bait to be filled in."""


def lure(name: str, folder: Path, bait: Bait) -> Path:
    """The lure called `name`, beside its bait."""
    target = folder / name
    places = {"film": bait.film, "film_name": bait.film.name, "text": bait.text, "url": bait.url}
    target.write_text(LURES[name].format(**places))
    return target


def playlist_in_avi(folder: Path, bait: Bait) -> Path:
    """An AVI with a text stream whose subtitles are a playlist (`GAB2`), as was once exploited."""
    target = folder / "subtitles.avi"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.2")
    run(
        *picture,
        *picture,
        "-map",
        "0",
        "-map",
        "1",
        "-c:v:0",
        "mjpeg",
        "-c:v:1",
        "rawvideo",
        target,
    )
    data = bytearray(target.read_bytes())
    second = data.index(b"strh", data.index(b"strh") + 1) + 8
    data[second : second + 4] = b"txts"
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{bait.url}\n#EXT-X-ENDLIST\n".encode()
    subtitles = b"GAB2\x00\x02\x00" + struct.pack("<I", 2) + b"\x00\x00" + b"\x04\x00"
    subtitles += struct.pack("<I", len(text)) + text
    at = data.index(b"01d", data.index(b"movi")) + 8
    data[at : at + len(subtitles)] = subtitles
    target.write_bytes(data)
    return target


def claims_4_gib(folder: Path) -> Path:
    """A WAV of one second whose header promises 4 GiB."""
    target = folder / "claims.wav"
    run("-f", "lavfi", "-i", "sine=440:r=48000:d=1", "-c:a", "pcm_s16le", target)
    data = bytearray(target.read_bytes())
    data[4:8] = struct.pack("<I", 0xFFFFFFF0)
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFFFF00)
    target.write_bytes(data)
    return target


def png_bomb(folder: Path, side: int = 20_000) -> Path:
    """`side` x `side` pixels in a few kilobytes, as PNG."""

    def part(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    target = folder / "bomb.png"
    rows = zlib.compress(bytes(1 + side // 8) * side)  # one bit a pixel
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    target.write_bytes(signature + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b""))
    return target


def png_with_bomb_behind(folder: Path) -> Path:
    """A small PNG, and behind it in the same file one of 81 megapixels."""
    target = folder / "logo.png"
    run("-f", "lavfi", "-i", "color=red:s=64x64:d=0.04", target)
    target.write_bytes(target.read_bytes() + png_bomb(folder, side=9000).read_bytes())
    return target


def mp4_bomb(folder: Path, side: int = 16_000) -> Path:
    """An MP4 whose header and JPEG pictures promise `side` x `side` pixels."""
    target = folder / "bomb.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.2")
    run(*picture, "-c:v", "mjpeg", "-f", "mov", target)
    data = bytearray(target.read_bytes())
    entry = data.index(b"jpeg", data.index(b"stsd")) + 4 + 24
    data[entry : entry + 4] = struct.pack(">HH", side, side)
    at = -1
    while (at := data.find(_JPEG_SIZE, at + 1)) >= 0:
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    target.write_bytes(data)
    return target


def growing_bomb(folder: Path) -> Path:
    """Small pictures, of which the last says that it has 68 megapixels."""
    target = folder / "growing.mov"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.4", "-c:v", "png", target)
    data = bytearray(target.read_bytes())
    at = data.rindex(b"IHDR") + 4
    data[at : at + 8] = struct.pack(">II", 8192, 8320)
    target.write_bytes(data)
    return target


def rare_codec_with_captions(folder: Path) -> Path:
    """Pictures of a codec that nobody needs, with words below them."""
    target, words = folder / "rare.mkv", folder / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1")
    run(*picture, "-i", words, "-c:v", "asv1", "-c:s", "srt", target)
    return target


def many_streams(folder: Path) -> Path:
    """Seventy sound tracks."""
    target = folder / "tracks.mkv"
    maps = [word for _ in range(70) for word in ("-map", "0:a")]
    run("-f", "lavfi", "-i", "sine=440:r=8000:d=0.02", *maps, "-c:a", "pcm_s16le", target)
    return target


def two_frames_far_apart(folder: Path) -> Path:
    """Two pictures with fifty hours between them: four million at a constant rate."""
    target = folder / "long.mkv"
    times = ("-vf", "setpts=N*180000/TB", "-fps_mode", "passthrough", "-enc_time_base", "1:25")
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.08", *times),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", target),
    )
    return target
