"""The sounds and captions of a package: which tracks come out, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from longtake.contracts.base import Contract
from longtake.contracts.captions import CaptionFile
from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.media import AudioFacts, MediaFacts
from longtake.contracts.package import Package
from longtake.languages import bcp47
from media.probing.index import Index
from media.tags.carry import UNNAMED
from media.transcode.plan import AudioPlan, Clip, Plan
from media.transcode.tracks import plan_tracks

SURROUND = 6
"""Channels from which on a track has a 5.1 rendition beside its stereo one."""
SOUND_RATE = 48_000
"""Hz of every rendition, so that players can change between them."""


class Sound(Contract):
    """A rendition of a sound track."""

    name: str
    """Such as `audio-en`."""
    group: str
    language: str
    """BCP 47; `und` where the source does not say, for playlists want one."""
    title: str | None
    default: bool
    commentary: bool = False
    described: bool = False
    track: int
    """The source's stream: its stereo and its 5.1 can take each other's place."""


class Words(Contract):
    """A rendition of captions: from a file, or from a text track of the source."""

    name: str
    language: str
    title: str | None
    default: bool
    forced: bool = False
    hearing_impaired: bool = False
    file: CaptionFile | None = None
    stream: int | None = None


def unused(name: str, taken: Sequence[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


def plan_sound(
    facts: MediaFacts, index: Index | None, job: Package
) -> tuple[Plan, tuple[Sound, ...]]:
    """Stereo of every track, and 5.1 of those that have it."""
    rate = job.audio_bitrate_bps or 128_000
    origin = index.origin_s if index else Fraction(str(facts.start_s))
    plans: list[AudioPlan] = []
    sounds: list[Sound] = []
    default = next((track for track in facts.audio if track.default), None) or (
        facts.audio[0] if facts.audio else None
    )
    for group, channels, bit_rate in (("audio", 2, rate), ("audio-51", SURROUND, rate * 5 // 2)):
        settings = AudioSettings(
            codec="aac",
            tracks="all",
            bitrate_bps=bit_rate,
            channels=channels,
            sample_rate=SOUND_RATE,
        )
        asked = EncodeSettings(
            preset=job.preset_name,
            video=VideoSettings(codec="none"),
            audio=settings,
            container="mp4",
        )
        for track, plan in zip(facts.audio, plan_tracks(facts, asked, Clip(), {}), strict=True):
            if group != "audio" and track.channels < SURROUND:
                continue
            plans.append(plan)
            sounds.append(_sound(track, group, sounds, default=track == default))
    sound = Plan(
        demuxer=facts.container,
        container="mp4",
        origin_s=origin,
        end_s=None,
        video=None,
        audio=tuple(plans),
        media_s=round(facts.duration_s, 6),
        decisions={},
        warnings=(),
    )
    return ending_with(sound, index) if index and job.codecs else sound, tuple(sounds)


def ending_with(sound: Plan, index: Index) -> Plan:
    """The sound, that lasts as long as the picture at least: players stop where a sound ends, or
    stumble."""
    end_s = index.end_pts * index.time_base - sound.origin_s
    return sound.model_copy(update={"least_s": end_s})


def _sound(track: AudioFacts, group: str, before: Sequence[Sound], *, default: bool) -> Sound:
    language = bcp47(track.language) or "und"
    suffix = "-51" if group != "audio" else ""
    name = f"audio-{language}{suffix}"
    return Sound(
        name=unused(name, [sound.name for sound in before]),
        group=group,
        language=language,
        title=_plain(track.title),
        default=default,
        commentary=track.commentary,
        described=track.described,
        track=track.index,
    )


def plan_words(facts: MediaFacts, job: Package) -> tuple[Words, ...]:
    """The captions that are given, then the source's own text tracks."""
    found: list[Words] = []

    def add(language: str, title: str | None, default: bool, **where: object) -> None:
        name = unused(f"captions-{language}", [words.name for words in found])
        found.append(
            Words.model_validate(
                {"name": name, "language": language, "title": title, "default": default, **where}
            )
        )

    for file in job.caption_files:
        add(file.language, file.title, file.default, file=file)
    if job.codecs:
        for other in facts.other:
            if other.kind == "subtitle" and other.codec in (*TEXT_CODECS, UNNAMED):
                # What has no name, and is no text, is left out when it is read.
                language = bcp47(other.language) or "und"
                kind = {"forced": other.forced, "hearing_impaired": other.hearing_impaired}
                add(language, _plain(other.title), False, stream=other.index, **kind)
    return tuple(found)


TEXT_CODECS = ("subrip", "srt", "text", "webvtt", "ass", "ssa", "mov_text")


def _plain(title: str | None) -> str | None:
    """A title that can stand between quotation marks in a playlist."""
    kept = "".join(c for c in title or "" if c.isprintable()).replace('"', "'").strip()
    return kept[:100] or None
