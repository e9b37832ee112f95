"""Covers that are no stream of the output: attached as files in Matroska, a comment in Ogg."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from pathlib import Path

from media.ffmpeg.command import Ffmpeg
from media.tags.carry import OGG, Carried
from media.transcode.plan import Plan

_MIME = {"jpg": "image/jpeg", "png": "image/png"}
_FRONT_COVER = 3
FRONT_COVER = ("-metadata:s:v:0", "comment=Cover (front)")
"""The kind of an attached picture, in FFmpeg's words; left out, ID3 and FLAC call it `other`."""
KINDS_OF_COVERS = ("mp3", "flac")
"""Demuxers that tell the kind of each; elsewhere the first is the front cover."""
_LARGEST = 12_000_000


def cover_command(source: Path, plan: Plan, carried: Carried, target: Path) -> Ffmpeg:
    """Write a cover of the source as the image that it is."""
    return (
        Ffmpeg.quiet()
        .read(source, plan.demuxer)
        .then("-map", f"0:{carried.stream}", "-c", "copy", "-frames:v", "1")
        .write(target, "image2pipe")
    )


def images(plan: Plan) -> list[Carried]:
    """The covers that go into the output as images and not as streams."""
    return [carried for carried in plan.carried if carried.image]


def attachments(plan: Plan, covers: Sequence[Path]) -> tuple[str, ...]:
    """Covers as files under the names that Matroska gives them, behind the source's attachments."""
    if not covers:
        return ()
    words: list[str] = []
    first = sum(carried.kind == "attachment" for carried in plan.carried)
    for number, (carried, path) in enumerate(zip(images(plan), covers, strict=True)):
        name = f"cover{number + 1 if number else ''}.{carried.image}"
        stream = f"-metadata:s:t:{first + number}"
        mime = f"mimetype={_MIME[carried.image or 'jpg']}"
        words += ["-attach", f"file:{path}", stream, f"filename={name}", stream, mime]
    return tuple(words)


def fits_comment(plan: Plan, cover: Path) -> bool:
    """Whether a cover goes into a comment, which in FLAC has at most 16 MiB (RFC 9639, 8)."""
    return plan.container in OGG and cover.stat().st_size <= _LARGEST


def write_comment(carried: Carried, cover: Path, target: Path) -> None:
    """Write a cover as the comment that Ogg has for it (xiph.org, "VorbisComment": a picture block
    of FLAC in base64), in a file that FFmpeg takes tags from: an argument would be too long."""
    text = picture_comment(cover.read_bytes(), _MIME[carried.image or "jpg"])
    escaped = text.replace("=", "\\=")
    target.write_text(f";FFMETADATA1\nMETADATA_BLOCK_PICTURE={escaped}\n", "ascii")


def picture_comment(image: bytes, mime: str) -> str:
    """The value of METADATA_BLOCK_PICTURE: RFC 9639, 8.8, in base64. Width, height, depth and
    colours are for information: zero is unknown."""
    kind = struct.pack(">II", _FRONT_COVER, len(mime)) + mime.encode()
    block = kind + struct.pack(">5I", 0, 0, 0, 0, 0) + struct.pack(">I", len(image)) + image
    return base64.b64encode(block).decode("ascii")
