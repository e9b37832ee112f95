"""The command that puts the finished parts of an output into its container."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.containers import OF_ONE_SOUND, Container
from longtake.contracts.steps.common import TextTrack
from longtake.languages import code, quicktime
from media.captions.clip import cut
from media.ffmpeg.command import Ffmpeg
from media.sound.encoders import ENCODERS, said_to_be_lame
from media.tags.carry import OWN_TAGS, TEXT_ENCODERS
from media.tags.chapters import Mark, chapter_comments
from media.tags.covers import FRONT_COVER, KINDS_OF_COVERS, attachments
from media.transcode.plan import Plan
from media.transcode.timing import clock

_PROGRESSIVE = ("-movflags", "+faststart", "-write_tmcd", "0")
"""The index before the media, so that players begin before they have everything."""

MUXERS: dict[Container, tuple[str, ...]] = {
    "mp4": ("mp4", *_PROGRESSIVE),
    "mov": ("mov", *_PROGRESSIVE),
    "m4a": ("ipod", *_PROGRESSIVE),
    "mkv": ("matroska",),
    "webm": ("webm",),
    "mp3": ("mp3", "-id3v2_version", "3"),  # version 4 is not read by Windows
    "ogg": ("ogg",),
    "opus": ("opus",),
    "flac": ("flac",),
    "avif": ("avif", "-loop", "0"),  # for ever
    "wav": ("wav", "-rf64", "auto"),  # EBU Tech 3306, where the length needs more than 32 bits
}
"""FFmpeg's muxer and its options. A GIF or WebP comes finished from its encoder."""

_CLOCKED: tuple[Container, ...] = ("mp4", "mov")
FINEST_CLOCK_S = Fraction(1, 1_000_000)
"""FFmpeg moves an input to its place by whole microseconds. By less than half of one too early, the
first frame would lie before the beginning, where the edit list hides it: a picture whose clock is
finer (23,040,000 Hz were seen) is told in microseconds."""

FINEST_CHAPTERS = 2**31 - 1
"""Ticks that a chapter of MP4 may last. FFmpeg counts them in the film's clock, which is the least
common multiple of its tracks' (441,000,000 Hz were seen, beside captions), and writes references to
a track of chapters that it then leaves out (measured, FFmpeg 9.0.2)."""

Texts = Sequence[tuple[Path, TextTrack]]
"""Text tracks, and the WebVTT of each."""

MILLISECONDS: tuple[Container, ...] = ("mkv", "webm")
"""Containers whose clock ticks in milliseconds."""


def mux_command(
    source: Path,
    plan: Plan,
    rendition: Path | None,
    sounds: Sequence[Path],
    target: Path,
    covers: Sequence[Path] = (),
    chapters: Path | None = None,
    comment: Path | None = None,
    marks: Sequence[Mark] = (),
    texts: Texts = (),
) -> Ffmpeg:
    """Mux the picture (joined chunks, or the source's) and the tracks (encoded, or the source's).

    `sounds`: the encoded tracks, in the plan's order; `covers`: the images to attach, too;
    `chapters`: what takes the place of the source's; `comment`: one more tag;
    `marks`: chapters as comments of Ogg and FLAC have them, in place of the others; `texts`: text
    tracks beside the source's.
    """
    command, inputs = Ffmpeg.quiet(), 0
    maps: list[str] = []
    source_number = sum((rendition is not None, len(sounds)))  # it is read last
    if plan.video is not None and rendition is not None:
        command = command.read(rendition, "mov", "-itsoffset", _seconds(plan.video.start_s))
        maps.append("0:v:0")
        inputs += 1
    elif plan.video is not None:
        maps.append(f"{source_number}:{plan.video.stream}")
    encoded = iter(sounds)
    for audio in plan.audio:
        if audio.copied:
            maps.append(f"{source_number}:{audio.stream}")
            continue
        command = command.read(next(encoded), ENCODERS[audio.settings.codec].demuxer)
        maps.append(f"{inputs}:a:0")
        inputs += 1
    maps += [f"{source_number}:{carried.stream}" for carried in plan.carried if not carried.image]
    if _reads_source(plan):
        still = () if _copies_sound(plan) else _still(plan)
        command = command.read(source, plan.demuxer, *_from_origin(plan), *still)
    marked = source_number if plan.keeps_chapters and not marks else -1
    behind = source_number + _reads_source(plan)
    if marked >= 0 and _copies_sound(plan) and _still(plan):  # its sound moves, its chapters do not
        command = command.read(source, plan.demuxer, *_still(plan))
        marked, behind = behind, behind + 1
    if chapters is not None:
        command, marked, behind = command.read_metadata(chapters), behind, behind + 1
    if comment is not None:
        command = command.read_metadata(comment)
    first_text = behind + (comment is not None)
    for number, (path, _) in enumerate(texts):
        command = command.read_webvtt(path)
        maps.append(f"{first_text + number}:s:0")
    muxer, *options = MUXERS[plan.container]
    return (
        command.then(*(word for where in maps for word in ("-map", where)))
        .then("-c", "copy", *_carried(plan), *_texts(plan, texts), *attachments(plan, covers))
        .then(*_tags(plan, source_number if _reads_source(plan) else -1))
        .then("-map_chapters", str(marked), *_comments(marks))
        .then(*(("-map_metadata:s:a:0", f"{behind}:g") if comment is not None else ()))
        .then("-fflags", "+bitexact", *_interleaving(plan, texts))
        .write(target, muxer, *options, *_clock(plan), *_clock_of_chapters(plan, marked))
    )


def _clock(plan: Plan) -> tuple[str, ...]:
    """The clock of a picture that has one that is too fine."""
    if plan.video is None or plan.container not in _CLOCKED or plan.video.copied:
        return ()
    too_fine = clock(plan.video) < FINEST_CLOCK_S
    return ("-video_track_timescale", str(1 / FINEST_CLOCK_S)) if too_fine else ()


def _clock_of_chapters(plan: Plan, marked: int) -> tuple[str, ...]:
    """The clock of the film, if that has chapters: microseconds, or as fine as may be."""
    if marked < 0 or plan.video is None or plan.container not in _CLOCKED:
        return ()
    finest = FINEST_CHAPTERS // math.ceil(plan.media_s + 1)
    return ("-movie_timescale", str(min(finest, 1_000_000)))


def _carried(plan: Plan) -> tuple[str, ...]:
    """How covers and subtitles are written, each under its number among its kind."""
    words: list[str] = []
    pictures, subtitles = int(plan.video is not None), 0
    for carried in plan.carried:
        if carried.kind == "cover" and not carried.image:
            words += [f"-disposition:v:{pictures}", "attached_pic"]
            if not pictures and plan.demuxer not in KINDS_OF_COVERS:
                words += FRONT_COVER
            pictures += 1
        elif carried.kind == "subtitle":
            words += [f"-c:s:{subtitles}", carried.codec]
            words += _told(plan, f"s:{subtitles}", carried.language, carried.title)
            if carried.span is not None:
                words += [f"-bsf:s:{subtitles}", cut(carried.span.start_s, carried.span.end_s)]
            subtitles += 1
    return tuple(words)


def _texts(plan: Plan, texts: Texts) -> tuple[str, ...]:
    """How text tracks are written, behind the source's own."""
    words: list[str] = []
    first = sum(carried.kind == "subtitle" for carried in plan.carried)
    for number, (_, text) in enumerate(texts, first):
        words += [f"-c:s:{number}", TEXT_ENCODERS[plan.container]]
        words += _told(plan, f"s:{number}", code(text.language), text.title)
        words += [f"-disposition:s:{number}", "default" if text.default else "0"]
    return tuple(words)


def _told(plan: Plan, stream: str, language: str | None, title: str | None) -> list[str]:
    """A stream's language and title, also of a copied one: FFmpeg reads them in other words than
    it writes where one of the files is an MP4 or MOV."""
    if language and plan.container == "mov":
        language = quicktime(language)
    words = []
    for name, value in (("language", language), ("title", title)):
        words += [f"-metadata:s:{stream}", f"{name}={value}"] if value else []
    return words


def _interleaving(plan: Plan, texts: Texts) -> tuple[str, ...]:
    """Picture and sound side by side, whatever their distance; subtitles may be silent for
    minutes, and waiting for them would hold the film in memory."""
    waits = bool(texts) or any(carried.kind == "subtitle" for carried in plan.carried)
    return () if waits else ("-max_interleave_delta", "0")


def _tags(plan: Plan, source: int) -> tuple[str, ...]:
    """The source's tags (`source`: its number as an input, -1 if it is not read), less what it says
    of its own file; and each encoded track's language."""
    hevc = plan.video is not None and plan.video.copied and plan.video.codec == "hevc"
    # Ogg keeps the tags of the whole with its stream.
    tags = f"{source}:s:a:0" if source >= 0 and plan.demuxer == "ogg" else str(source)
    return (
        *("-map_metadata", tags),
        *(word for name in (*OWN_TAGS, *plan.untrue) for word in ("-metadata", f"{name}=")),
        *(word for number, _ in enumerate(plan.audio) for word in _track_tags(plan, number)),
        # Apple's players refuse HEVC under the name hev1.
        *(("-tag:v:0", "hvc1") if hevc and plan.container in ("mp4", "mov") else ()),
    )


def _comments(marks: Sequence[Mark]) -> list[str]:
    words = []
    for name, value in chapter_comments(marks):
        words += ["-metadata", f"{name}={value}"]
    return words


def _track_tags(plan: Plan, number: int) -> list[str]:
    """What an output's sound track says of itself."""
    audio, words = plan.audio[number], []
    if plan.container not in OF_ONE_SOUND:
        words += _told(plan, f"a:{number}", audio.language, audio.title)
    elif audio.language:
        words += ["-metadata", f"language={code(audio.language)}"]
    if audio.copied:
        return words
    if plan.container == "mp3":
        words += said_to_be_lame()
    if len(plan.audio) > 1:
        words += [f"-disposition:a:{number}", "default" if audio.default else "0"]
    return words


def _still(plan: Plan) -> tuple[str, ...]:
    """FFmpeg moves an input to zero, and with an MP3's delay of 23 ms its chapters, which do not
    have it (measured). Asked for its own clock, it moves nothing."""
    return ("-seek_timestamp", "1") if plan.demuxer == "mp3" else ()


def _from_origin(plan: Plan) -> tuple[str, ...]:
    """FFmpeg moves an input to zero from where its text begins; picture and sound begin there."""
    return ("-itsoffset", _seconds(-plan.early_text_s)) if plan.early_text_s else ()


def _copies_sound(plan: Plan) -> bool:
    return any(audio.copied for audio in plan.audio)


def _reads_source(plan: Plan) -> bool:
    """Whether something comes from the source itself and not from finished parts."""
    picture = plan.video is not None and plan.video.copied
    return bool(picture or _copies_sound(plan) or plan.carried or plan.tags or plan.keeps_chapters)


def _seconds(value: Fraction) -> str:
    return f"{value.numerator * 1_000_000 // value.denominator}us"
