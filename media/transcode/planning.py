"""Plan a transcode: a pure function of probe, index and settings.

It decides what is copied and what is encoded, how frames are made, and where chunks are cut.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from fractions import Fraction

from longtake.contracts.codecs import ENCODINGS
from longtake.contracts.containers import ANIMATIONS
from longtake.contracts.encode import EncodeSettings, VideoSettings
from longtake.contracts.media import MediaFacts, VideoFacts
from longtake.errors import InputUnsupported, InvalidJob
from longtake.words import counted
from media.encoders import ENCODERS
from media.ffmpeg.filter_files import FilterFiles
from media.picture.colour import is_hdr, tone_map, with_room
from media.picture.overlays import Beside, caption_filters, caption_warnings, marked
from media.picture.pixel_formats import has_alpha
from media.picture.pixels import output_pixel_format, picture_filters
from media.picture.temporal import deinterlaces, temporal_filters, turns_late
from media.probing.index import IN_ONE_PIECE, Index
from media.tags.carry import Span, carries_chapters, carry, chapter_marks
from media.transcode.animations import animation_warnings, as_animation, one_piece, with_alpha
from media.transcode.chunks import (
    SHORTEST_S,
    Chunk,
    chunk_length,
    cut,
    halves,
    heaviest_first,
    whole,
    with_run_in,
)
from media.transcode.plan import AudioPlan, Clip, Plan, VideoPlan
from media.transcode.smart_copy import check_copy, why_encode_video
from media.transcode.timing import all_filled, constant_rate, make_grid
from media.transcode.tracks import plan_tracks


def make_plan(
    facts: MediaFacts,
    index: Index | None,
    settings: EncodeSettings,
    *,
    clip: Clip = Clip(),  # noqa: B008 - frozen
    beside: Beside = Beside(),  # noqa: B008 - frozen
    crop: str | None = None,
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
    settings = _with_crop(settings, crop, decisions)
    if facts.video:
        video_settings = with_room(facts.video[0], settings.video)
        video_settings = with_alpha(facts.video[0], video_settings, settings.container, gpu=gpu)
        settings = settings.model_copy(update={"video": video_settings})
    video = None
    if settings.video.codec != "none":
        video = _plan_video(facts, index, settings, origin, end, clip, decisions, gpu, beside)
        if not video.copied and index is not None:
            video = _with_chunks(video, index, origin, end, clip, chunk_s, one_chunk)
    audio = plan_tracks(facts, settings, clip, decisions)
    if video is None and not audio:
        raise InvalidJob(
            "the output would hold neither picture nor sound, as the source has no sound"
        )
    clipped = clip.start is not None or clip.end is not None
    span = Span(start_s=clip.start or Fraction(), end_s=clip.end) if clipped else None
    carried, left_out = carry(facts, settings.container, span)
    length = min(facts.duration_s, float(clip.end or facts.duration_s)) - float(clip.start or 0)
    return Plan(
        demuxer=facts.container,
        container=settings.container,
        origin_s=origin,
        end_s=end,
        early_text_s=Fraction(str(facts.early_text_s)),
        video=video,
        audio=audio,
        carried=carried,
        tags=tuple(facts.tags),
        chapters=facts.chapter_count,
        keeps_chapters=carries_chapters(facts, settings.container, clipped=clipped),
        marks=chapter_marks(facts, settings.container, clipped=clipped),
        media_s=round(length, 6),
        decisions=decisions,
        warnings=(
            *_warnings(facts, left_out, video, audio),
            *caption_warnings(beside),
            *animation_warnings(facts, settings.video, settings.container),
        ),
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
    beside: Beside,
) -> VideoPlan:
    if not facts.video or index is None:
        animated = settings.container in ANIMATIONS
        sound = "to make a file with sound only, " + (
            "name it so, as in `-o sound.m4a`" if animated else "use `--video none`"
        )
        raise InputUnsupported(f"the source has no picture; {sound}")
    video = facts.video[0]
    copied = _video_is_copied(video, settings, clip, decisions)
    frames = index.slice(_first_from(index, origin), _first_from(index, end))
    if not frames and not copied:
        raise InvalidJob("there is no frame between start and end")
    first = frames[0] if frames else 0
    plan = VideoPlan(
        stream=video.index,
        codec=video.codec,
        copied=copied,
        time_base=index.time_base,
        start_s=first * index.time_base - origin,
        frames=len(frames),
        first_pts=first,
        encoder="" if copied else _encoder(settings.video, gpu),
        frame_rate=video.frame_rate,
        settings=settings.video,
        exact=index.unreliable is None,
    )
    if copied:
        return plan
    shift = plan.start_s + (clip.start or 0)
    made = _made_of(plan, video, index, frames, end, shift, beside, decisions)
    return as_animation(made, video, settings.container)


def _made_of(
    plan: VideoPlan,
    video: VideoFacts,
    index: Index,
    frames: tuple[int, ...],
    end: Fraction | None,
    shift: Fraction,
    beside: Beside,
    decisions: dict[str, str],
) -> VideoPlan:
    """The plan with its filters, and the frames that they make."""
    settings = plan.settings
    temporal, reach = temporal_filters(video, settings, index.time_base)
    rate = constant_rate(video, settings)
    grid = make_grid(index, frames, _first_from(index, end), rate) if rate else None
    pixel_format = output_pixel_format(video, settings)
    captions, drawn = caption_filters(video, settings, beside, shift)
    tone = tone_map(video, settings)
    if is_hdr(video):
        decisions["hdr"] = "tone-mapped to SDR" if tone else "kept"
    if rate:
        decisions["frame_rate"] = f"constant, {rate} frames per second"
    return plan.model_copy(
        update={
            "turned_late": turns_late(video, settings),
            "temporal": temporal,
            "reach": reach,
            "grid": grid,
            "frames": grid.frames if grid else len(frames),
            "filters": (*picture_filters(video, settings), *drawn),
            "files": FilterFiles(tone=tone, captions=captions),
            "mark": marked(video, settings, beside),
            "pixel_format": pixel_format,
            "frame_rate": rate or video.frame_rate,
            "gop_frames": _gop_frames(rate or video.frame_rate, settings),
        }
    )


def _with_crop(
    settings: EncodeSettings, found: str | None, decisions: dict[str, str]
) -> EncodeSettings:
    """`crop: auto` becomes what was found."""
    if settings.video.crop != "auto":
        return settings
    decisions["crop"] = f"found: {found}" if found else "none: no black borders were found"
    video = settings.video.model_copy(update={"crop": found})
    return settings.model_copy(update={"video": video})


def _encoder(settings: VideoSettings, gpu: bool) -> str:
    """The encoder's name in `media.encoders`. Raises InvalidJob where no GPU encodes the codec."""
    if not gpu:
        return f"{settings.codec}_alpha" if settings.alpha else settings.codec
    why = settings.why_no_gpu()
    if why is not None:
        raise InvalidJob(f"{why}: leave gpu out, or ask for what GPUs encode")
    return str(ENCODINGS[settings.codec].gpu)


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
        check_copy("video", video.codec, settings.container)
        decisions["video"] = f"copied ({video.codec}), as asked"
        return True
    why = "a clip is cut at frames" if clipped else why_encode_video(video, settings.video)
    if why is None and settings.container in ANIMATIONS:
        why = "an animated image is made anew"
    if why is None:
        decisions["video"] = f"copied: it already meets {settings.preset}"
        return True
    decisions["video"] = f"encoded: {why}"
    return False


def _gop_frames(rate: Fraction | None, settings: VideoSettings) -> int | None:
    if settings.keyframe_interval_s is None or not rate:
        return None
    return max(1, math.floor(settings.keyframe_interval_s * rate))


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
    if ENCODERS[video.encoder].whole:
        chunks = one_piece(video, index, first, last)
        return video.model_copy(update={"chunks": chunks, "threads": encoder_threads(1, video)})
    if one_chunk or not video.exact or len(index.keyframes) < 2:
        chunks = whole(index, first, last)
    else:
        chunks = _cut(index, first, last, chunk_s)
        if video.grid and not all_filled(video.grid, chunks):
            chunks = whole(index, first, last)
    if len(chunks) == 1 and encoder_threads(1, video) == 1 and not (one_chunk or chunk_s):
        chunks = halves(index, chunks[0]) if video.exact else chunks
    # Constant rate ends a chunk's last frame where the next chunk's first one begins.
    chunks = with_run_in(index, chunks, video.reach, max(video.reach, 1 if video.grid else 0))
    threads = encoder_threads(len(chunks), video)
    # Whichever of the two that are given last ends last has the processors of those before.
    given_last = heaviest_first(index, chunks)[-2:]
    hastened = given_last if threads < encoder_threads(FEW, video) else ()
    return video.model_copy(update={"chunks": chunks, "threads": threads, "hastened": hastened})


def _cut(
    index: Index, first: int | None, last: int | None, chunk_s: Fraction | None
) -> tuple[Chunk, ...]:
    if chunk_s is not None:
        return cut(index, first, last, chunk_s)
    shown = index.slice(first, last)
    seconds = (shown[-1] - shown[0]) * index.time_base
    return cut(index, first, last, chunk_length(seconds), SHORTEST_S)


FEW = 3
"""Chunks at most that have two threads each."""


def encoder_threads(chunks: int, video: VideoPlan) -> int:
    """Threads of one encoder. The bytes of x264 and x265 depend on them, so they follow from the
    plan alone.

    Many chunks keep every core busy with one thread each, at the least CPU; a single one
    would leave the other cores idle. Under a cap or a bit rate x264 and SVT-AV1 are held to
    one thread: their rate control looks at frames that other threads have half done, and each
    run gives other bytes (measured). x265's looks at them, too, and is not trusted further.
    SVT-AV1 meets a bit rate at constant quality, without rate control.
    """
    settings = video.settings
    if settings.max_bitrate_bps and video.encoder in ("h264", "hevc", "av1", "av1_alpha"):
        return 1
    if settings.bitrate_bps and video.encoder in ("h264", "hevc"):
        return 1
    if chunks == 1:
        return 4
    return 2 if chunks <= FEW else 1


def _first_from(index: Index, seconds: Fraction | None) -> int | None:
    """The least pts at or after a time on the source's clock."""
    return None if seconds is None else math.ceil(seconds / index.time_base)


def _warnings(
    facts: MediaFacts,
    others: tuple[str, ...],
    video: VideoPlan | None,
    audio: tuple[AudioPlan, ...],
) -> list[str]:
    left_out = list(others)
    if video:
        left_out += [f"stream {v.index} (video, {v.codec}) is left out" for v in facts.video[1:]]
    if audio:
        left_out += [
            f"stream {a.index} (audio, {' '.join(filter(None, (a.language, a.title))) or a.codec}) "
            "is left out"
            for a in facts.audio
            if a.index not in {track.stream for track in audio}
        ]
    copied = {track.stream for track in (video, *audio) if track is not None and track.copied}
    encodes = video is not None and not video.copied
    told = [words for words in facts.warnings if encodes or not words.startswith(IN_ONE_PIECE)]
    warnings = [*told, *left_out, *_damage_copied(facts, copied)]
    if (
        video
        and not video.copied
        and facts.video[0].interlaced
        and not deinterlaces(facts.video[0], video.settings)
    ):
        warnings.append("the picture is interlaced and stays so")
    if video and not video.copied and _loses_alpha(facts.video[0], video.settings):
        warnings.append(
            "the picture's transparency is left out: ffv1 keeps it, and ProRes with "
            "`--profile 4444`"
        )
    lossy = [track.settings.codec for track in audio if track.loses_sound]
    if video and not video.copied and video.settings.lossless and lossy:
        warnings.append(
            f"the picture is lossless and the sound is not ({lossy[0]}): use --audio copy or flac"
        )
    return warnings


def _damage_copied(facts: MediaFacts, copied: Collection[int]) -> Iterator[str]:
    """Words for damage that copied streams keep: nobody decodes them, so the container alone
    tells of it."""
    for kind, streams in (("picture", facts.video), ("sound", facts.audio)):
        for stream in streams:
            if stream.index in copied and stream.damaged_packets:
                yield (
                    f"the source is damaged: {counted(stream.damaged_packets, 'packets')} of the "
                    f"{kind} not whole (stream {stream.index}); they are copied as they are"
                )


def _loses_alpha(source: VideoFacts, settings: VideoSettings) -> bool:
    """Whether a transparent picture becomes opaque. A palette may be transparent, and seldom is;
    an AVIF says so itself."""
    if source.pixel_format == "pal8" or not has_alpha(source.pixel_format):
        return False
    return not has_alpha(output_pixel_format(source, settings))
