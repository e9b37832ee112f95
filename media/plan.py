"""The plan of a transcode: a pure function of probe, index and settings.

It decides what is copied and what is encoded, how frames are made, and where chunks are cut.
Everything that shapes the output's bytes stands in it, so its parts are the content keys.
"""

from __future__ import annotations

import math
from fractions import Fraction

from longtake.contracts.base import Contract, Rational
from longtake.contracts.encode import AudioSettings, Container, EncodeSettings, VideoSettings
from longtake.contracts.media import AudioFacts, MediaFacts, VideoFacts
from longtake.errors import InputUnsupported, InvalidJob
from media.chunks import SHORTEST_S, Chunk, chunk_length, cut, whole
from media.index import Index
from media.picture import output_pixel_format, picture_filters
from media.smart_copy import why_encode_audio, why_encode_video

MP4_VIDEO = ("h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video")
MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")


class VideoPlan(Contract):
    """The picture: copied as it is, or encoded in chunks."""

    stream: int
    codec: str
    """The source's."""
    copied: bool
    time_base: Rational
    start_s: Rational
    """Where the first frame lies on the output's clock, in seconds."""
    frames: int
    first_pts: int = 0
    encoder: str = "libx264"
    filters: tuple[str, ...] = ()
    pixel_format: str = ""
    gop_frames: int | None = None
    threads: int = 1
    settings: VideoSettings = VideoSettings()
    chunks: tuple[Chunk, ...] = ()
    exact: bool = True
    """Whether the index is ground truth for every frame's time."""


class AudioPlan(Contract):
    """The sound: copied as it is (all named streams), or the first one encoded whole."""

    streams: tuple[int, ...]
    copied: bool
    sample_rate: int = 48_000
    channels: int = 2
    length_s: float = 0.0
    """From zero on the output's clock to the end of the sound, in seconds."""
    language: str | None = None
    settings: AudioSettings = AudioSettings()


class Plan(Contract):
    """What will be done to a source. Times are seconds on the source's own clock."""

    demuxer: str
    container: Container
    origin_s: Rational
    """What becomes zero in the output: the start of the file, or of the clip."""
    end_s: Rational | None
    video: VideoPlan | None
    audio: AudioPlan | None
    media_s: float
    decisions: dict[str, str]
    warnings: tuple[str, ...]


class Clip(Contract):
    """In and out of the source, in seconds from its start."""

    start: Rational | None = None
    end: Rational | None = None


def make_plan(
    facts: MediaFacts,
    index: Index | None,
    settings: EncodeSettings,
    *,
    clip: Clip = Clip(),  # noqa: B008 - frozen
    chunk_s: Fraction | None = None,
    gpu: bool = False,
    one_chunk: bool = False,
) -> Plan:
    """Plan a transcode. Raises InvalidJob and InputUnsupported with words for the user."""
    start = index.origin_s if index else Fraction(str(facts.start_s))
    origin = start + (clip.start or 0)
    end = start + clip.end if clip.end is not None else None
    _check_clip(facts, clip)
    decisions: dict[str, str] = {}
    video = None
    if settings.video.codec != "none":
        video = _plan_video(facts, index, settings, origin, end, clip, decisions, gpu)
        if not video.copied and index is not None:
            video = _with_chunks(video, index, origin, end, clip, chunk_s, one_chunk)
    audio = _plan_audio(facts, settings, clip, decisions)
    if video is None and audio is None:
        raise InvalidJob("the output would hold neither picture nor sound")
    length = min(facts.duration_s, float(clip.end or facts.duration_s)) - float(clip.start or 0)
    return Plan(
        demuxer=facts.container,
        container=settings.container,
        origin_s=origin,
        end_s=end,
        video=video,
        audio=audio,
        media_s=round(length, 6),
        decisions=decisions,
        warnings=tuple(_warnings(facts, settings, video, audio)),
    )


def _check_clip(facts: MediaFacts, clip: Clip) -> None:
    if clip.start is not None and float(clip.start) >= facts.duration_s:
        raise InvalidJob(
            f"start ({float(clip.start):g} s) lies behind the end of the source "
            f"({facts.duration_s:g} s)"
        )


def _plan_video(
    facts: MediaFacts,
    index: Index | None,
    settings: EncodeSettings,
    origin: Fraction,
    end: Fraction | None,
    clip: Clip,
    decisions: dict[str, str],
    gpu: bool,
) -> VideoPlan:
    if not facts.video or index is None:
        raise InputUnsupported(
            "the source has no picture; to make a file with sound only, use `--video none`"
        )
    video = facts.video[0]
    copied = _video_is_copied(video, settings, clip, decisions)
    frames = index.slice(_first_from(index, origin), _first_from(index, end))
    if not frames and not copied:
        raise InvalidJob("there is no frame between start and end")
    first = frames[0] if frames else 0
    return VideoPlan(
        stream=video.index,
        codec=video.codec,
        copied=copied,
        time_base=index.time_base,
        start_s=first * index.time_base - origin,
        frames=len(frames),
        first_pts=first,
        encoder="h264_nvenc" if gpu else "libx264",
        filters=() if copied else picture_filters(video, settings.video),
        pixel_format="" if copied else output_pixel_format(video, settings.video),
        gop_frames=_gop_frames(video, settings.video),
        settings=settings.video,
        exact=index.unreliable is None,
    )


def _video_is_copied(
    video: VideoFacts, settings: EncodeSettings, clip: Clip, decisions: dict[str, str]
) -> bool:
    clipped = clip.start is not None or clip.end is not None
    if settings.video.codec == "copy":
        if clipped:
            raise InvalidJob(
                "a copied picture can only be cut at keyframes: leave out start and end, "
                "or encode with `--video h264`"
            )
        _check_container("video", video.codec, settings.container, MP4_VIDEO)
        decisions["video"] = f"copied ({video.codec}), as asked"
        return True
    why = "a clip is cut at frames" if clipped else why_encode_video(video, settings.video)
    if why is None:
        decisions["video"] = f"copied: it already meets {settings.preset}"
        return True
    decisions["video"] = f"encoded: {why}"
    return False


def _plan_audio(
    facts: MediaFacts, settings: EncodeSettings, clip: Clip, decisions: dict[str, str]
) -> AudioPlan | None:
    if settings.audio.codec == "none" or not facts.audio:
        return None
    clipped = clip.start is not None or clip.end is not None
    if settings.audio.codec == "copy":
        if clipped:
            raise InvalidJob(
                "copied sound cannot be cut exactly: leave out start and end, "
                "or encode with `--audio aac`"
            )
        for track in facts.audio:
            _check_container("audio", track.codec, settings.container, MP4_AUDIO)
        decisions["audio"] = f"copied ({facts.audio[0].codec}), as asked"
        return AudioPlan(streams=tuple(track.index for track in facts.audio), copied=True)
    chosen = _main_track(facts.audio)
    why = "a clip is cut at samples" if clipped else why_encode_audio(chosen, settings.audio)
    decisions["audio"] = f"encoded: {why}" if why else f"copied: it already meets {settings.preset}"
    return AudioPlan(
        streams=(chosen.index,),
        copied=why is None,
        length_s=_sound_length(facts, chosen, clip),
        language=chosen.language,
        sample_rate=settings.audio.sample_rate or _aac_rate(chosen.sample_rate),
        channels=min(chosen.channels, settings.audio.channels),
        settings=settings.audio,
    )


def _sound_length(facts: MediaFacts, track: AudioFacts, clip: Clip) -> float:
    begin = facts.start_s + float(clip.start or 0)
    end = track.start_s + track.duration_s
    if clip.end is not None:
        end = min(end, facts.start_s + float(clip.end))
    return round(max(0.0, end - begin), 6)


def _main_track(tracks: tuple[AudioFacts, ...]) -> AudioFacts:
    return next((track for track in tracks if track.default), tracks[0])


def _aac_rate(rate: int) -> int:
    """The source's rate if AAC and players take it, else 48 kHz."""
    return rate if rate in (16_000, 22_050, 24_000, 32_000, 44_100, 48_000) else 48_000


def _check_container(kind: str, codec: str, container: Container, mp4: tuple[str, ...]) -> None:
    if container == "mp4" and codec not in mp4:
        raise InvalidJob(
            f"MP4 cannot hold the source's {kind} ({codec}) as a copy: write to .mkv, or encode it"
        )


def _gop_frames(video: VideoFacts, settings: VideoSettings) -> int | None:
    if settings.keyframe_interval_s is None or not video.frame_rate:
        return None
    return max(1, math.floor(settings.keyframe_interval_s * video.frame_rate))


def _with_chunks(
    video: VideoPlan,
    index: Index,
    origin: Fraction,
    end: Fraction | None,
    clip: Clip,
    chunk_s: Fraction | None,
    one_chunk: bool,
) -> VideoPlan:
    first = _first_from(index, origin) if clip.start is not None else None
    last = _first_from(index, end)
    if one_chunk or not video.exact or len(index.keyframes) < 2:
        chunks = whole(index, first, last)
    else:
        chunks = _cut(index, first, last, chunk_s)
    return video.model_copy(update={"chunks": chunks, "threads": encoder_threads(len(chunks))})


def _cut(
    index: Index, first: int | None, last: int | None, chunk_s: Fraction | None
) -> tuple[Chunk, ...]:
    if chunk_s is not None:
        return cut(index, first, last, chunk_s)
    shown = index.slice(first, last)
    seconds = (shown[-1] - shown[0]) * index.time_base
    return cut(index, first, last, chunk_length(seconds), SHORTEST_S)


def encoder_threads(chunks: int) -> int:
    """Threads of one encoder. x264's bytes depend on them, so they follow from the plan alone.

    Many chunks keep every core busy with one thread each, at the least CPU; a single one
    would leave the other cores idle.
    """
    return {1: 4, 2: 2, 3: 2}.get(chunks, 1)


def _first_from(index: Index, seconds: Fraction | None) -> int | None:
    """The least pts at or after a time on the source's clock."""
    return None if seconds is None else math.ceil(seconds / index.time_base)


def _warnings(
    facts: MediaFacts, settings: EncodeSettings, video: VideoPlan | None, audio: AudioPlan | None
) -> list[str]:
    left_out = [f"stream {s.index} ({s.kind}, {s.codec}) is left out" for s in facts.other]
    if video:
        left_out += [f"stream {v.index} (video, {v.codec}) is left out" for v in facts.video[1:]]
    if audio:
        left_out += [
            f"stream {a.index} (audio, {' '.join(filter(None, (a.language, a.title))) or a.codec}) "
            "is left out"
            for a in facts.audio
            if a.index not in audio.streams
        ]
    warnings = [*facts.warnings, *left_out]
    if video and not video.copied and facts.video[0].interlaced:
        warnings.append("the picture is interlaced and stays so")
    return warnings
