"""Captions from where they are: a file of their own, or a text stream of a film."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from longtake.errors import InputCorrupt, InvalidJob
from media.captions import cue_style, tx3g
from media.captions.ass import Looks, beyond, event_text, losses, read_looks
from media.captions.cue import Cue, Cues, cue, ordered
from media.captions.cue_colour import styles_of
from media.captions.cue_text import from_tags
from media.captions.files import head, read_file
from media.captions.matroska import text_headers
from media.children.isolate import in_child
from media.probing.formats import READER_OPTIONS, sniff

_TEXT_CODECS = {"subrip": "plain", "srt": "plain", "text": "plain", "webvtt": "plain"} | {
    "ass": "ass",
    "ssa": "ass",
    "mov_text": "mov_text",
}


async def read_captions(path: Path, stream: int | None, origin: Fraction) -> Cues:
    """The cues of a caption file, or of a text stream of a film that begins at `origin`; read in
    a child. Raises what the two below and `in_child` raise."""
    if stream is None:
        return await in_child(read_file, path)
    return await in_child(read_stream, str(path), stream, origin)


def read_stream(path: str, number: int, origin: Fraction) -> Cues:
    """The cues of a text stream; `origin` is the film's start on the file's own clock.

    Opens an untrusted file: to be run in a child. Raises InvalidJob for another kind of stream.
    """
    import av

    demuxer = sniff(Path(path))
    with av.open(f"file:{path}", format=demuxer, options=READER_OPTIONS) as container:
        if number >= len(container.streams):
            raise InvalidJob(f"captions.stream {number}: the source has no such stream")
        stream: Any = container.streams[number]
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        # PyAV knows no codec for some WebVTT in Matroska: then the packets must prove to be text.
        nameless = stream.type == "subtitle" and stream.codec_context is None
        kind = "plain" if nameless else _TEXT_CODECS.get(codec)
        if kind is None:
            raise InvalidJob(
                f"captions.stream {number} is {stream.type} ({codec}); text streams are burnt in: "
                "SubRip, WebVTT, ASS, and MP4's own"
            )
        try:
            header = getattr(stream.codec_context, "extradata", None) or b""
            if nameless:
                header = _webvtt_header(path, list(container.streams.subtitles).index(stream))
            lines = header.decode("utf-8", "replace").splitlines()
            styles, regions, lost = head(lines)
            read, beyond_it = _reader(kind, header, regions), set[str]()
            cues = list[Cue]()
            for packet in container.demux(stream):
                cues += _of_packet(packet, read, origin)
                beyond_it |= beyond(bytes(packet).decode("utf-8")) if kind == "ass" else set()
        except UnicodeDecodeError as error:
            raise InvalidJob(f"captions.stream {number} of {path} is no text in UTF-8") from error
    if not cues:
        raise InputCorrupt(f"captions.stream {number} of {path} holds no words")
    if not nameless and codec != "webvtt":  # whose classes mean what its own styles say
        styles = styles_of(each.tagged for each in cues)
    lost = losses(beyond_it, lines) if kind == "ass" else lost
    return ordered(cues, f"captions.stream {number}", styles, lost)


def _webvtt_header(path: str, place: int) -> bytes:
    """What stands in a file of WebVTT before its first cue, of a text track in Matroska; nothing
    where it cannot be found."""
    headers = text_headers(Path(path))
    return headers[place] if place < len(headers) else b""


_Read = Callable[[Any, bytes], Sequence[str]]
"""Of a packet and its bytes: what `media.captions.cue.cue` takes behind the times."""


def _reader(kind: str, header: bytes, regions: Collection[str]) -> _Read:
    """How packets of a stream are read, by the kind of its text, its header, and its regions."""
    if kind == "mov_text":
        usual = tx3g.usual_look(header)
        return lambda _, data: (tx3g.read_sample(data, usual),)
    if kind == "ass":
        looks = read_looks(header.decode("utf-8", "replace").splitlines())
        return lambda _, data: _of_ass(data.decode("utf-8"), looks)
    return lambda packet, data: _of_tags(packet, data.decode("utf-8"), regions)


def _of_ass(event: str, looks: Looks) -> Sequence[str]:
    """An event as Matroska has it: order, layer, style, name, margins, effect, text."""
    fields = event.split(",", 8)
    text, alignment = event_text(fields[-1], fields[2] if len(fields) == 9 else "", looks)
    return text, cue_style.aligned(alignment)


def _of_tags(packet: Any, text: str, regions: Collection[str]) -> Sequence[str]:
    """WebVTT or SubRip."""
    tagged, alignment = from_tags(text)
    asked, name = _beside(packet)
    settings = cue_style.settings(asked, regions) or cue_style.aligned(alignment)
    return tagged, settings, cue_style.name(name)


def _beside(packet: Any) -> tuple[str, str]:
    """Settings and name of a cue of WebVTT: FFmpeg has them beside the packet, in a form of their
    own or, of S_TEXT/WEBVTT, as they lie in Matroska: behind 8 bytes, a line each."""
    settings, name, both = (
        bytes(packet.get_sidedata(kind)) if packet.has_sidedata(kind) else b""
        for kind in ("webvtt_settings", "webvtt_identifier", "matroska_block_additional")
    )
    lines = [*both[8:].split(b"\n", 2), b"", b""]
    settings, name = settings or lines[0], name or lines[1]
    return settings.decode("utf-8", "replace"), name.decode("utf-8", "replace")


def _of_packet(packet: Any, read: _Read, origin: Fraction) -> Iterator[Cue]:
    data = bytes(packet)
    if not data or packet.pts is None or not packet.duration:
        return
    start = (packet.pts * packet.time_base - origin) * 1000
    end = start + packet.duration * packet.time_base * 1000
    yield from cue(round(start), round(end), *read(packet, data))
