"""Does a stream already meet the settings, so that it is better copied than encoded again?"""

from __future__ import annotations

from longtake.contracts.containers import Container, Kind, why_not
from longtake.contracts.encode import AudioSettings, VideoSettings
from longtake.contracts.media import AudioFacts, VideoFacts
from longtake.errors import InvalidJob
from media.picture.colour import tone_map
from media.picture.pixels import output_pixel_format, output_size
from media.transcode.timing import constant_rate

_RANK = {
    "Constrained Baseline": 0,
    "Baseline": 0,
    "Main": 1,
    "High": 2,
}
_LIMIT = {"baseline": 0, "main": 1, "high": 2}
_SLACK = 1.1
"""A measured rate may exceed the asked one by so much and still count as met."""


def why_encode_video(facts: VideoFacts, settings: VideoSettings) -> str | None:
    """The first reason why the stream cannot be copied; None if it can."""
    gop = settings.keyframe_interval_s
    rank = _RANK.get(facts.profile or "", 99)
    reasons = (
        (not settings.smart_copy, "asked to encode"),
        (facts.codec != settings.codec, f"its codec is {facts.codec}"),
        (facts.codec == "h264" and rank > _most(settings), f"its profile is {facts.profile}"),
        (
            facts.pixel_format != _wanted_format(facts, settings),
            f"its pixel format is {facts.pixel_format}",
        ),
        (facts.color_range == "full", "its colour range is full"),
        (facts.interlaced, "it is interlaced"),
        (facts.rotation != 0, f"it is turned by {facts.rotation} degrees"),
        (
            output_size(facts, settings) != (facts.width, facts.height),
            f"its size is {facts.width}x{facts.height}",
        ),
        (settings.crop is not None, "its borders may be cut off"),
        (constant_rate(facts, settings) is not None, "its frame rate changes"),
        (tone_map(facts, settings) is not None, "it is HDR"),
        (settings.denoise is not None, "its noise is reduced"),
        (settings.watermark is not None, "it gets a watermark"),
        (settings.captions is not None, "captions are burnt in"),
        (
            gop is not None and facts.longest_gop_s > float(gop) * _SLACK,
            f"its keyframes are up to {facts.longest_gop_s:g} s apart",
        ),
        (
            _over(facts.bitrate_bps, settings.bitrate_bps or settings.max_bitrate_bps),
            f"its bit rate is {facts.bitrate_bps} bit/s",
        ),
    )
    return next((why for applies, why in reasons if applies), None)


def _most(settings: VideoSettings) -> int:
    return _LIMIT.get(settings.profile or "high", 2)


def _wanted_format(facts: VideoFacts, settings: VideoSettings) -> str:
    """8 bits where nothing else is asked for: a copy shows what every player shows."""
    if settings.codec == "h264" and settings.pixel_format == "source":
        return "yuv420p"
    return output_pixel_format(facts, settings)


def why_encode_audio(facts: AudioFacts, settings: AudioSettings) -> str | None:
    """The first reason why the stream cannot be copied; None if it can."""
    reasons = (
        (not settings.smart_copy, "asked to encode"),
        (facts.codec != settings.codec, f"its codec is {facts.codec}"),
        (
            facts.codec == "aac" and facts.profile not in ("LC", None),
            f"its profile is {facts.profile}",
        ),
        (facts.channels > settings.channels, f"it has {facts.channels} channels"),
        (
            settings.sample_rate not in (None, facts.sample_rate),
            f"its sample rate is {facts.sample_rate} Hz",
        ),
        (
            _over(facts.bitrate_bps, settings.bitrate_bps),
            f"its bit rate is {facts.bitrate_bps} bit/s",
        ),
    )
    return next((why for applies, why in reasons if applies), None)


def check_copy(kind: Kind, codec: str, container: Container) -> None:
    """Raises InvalidJob, naming what is possible, if `container` cannot hold the stream."""
    why = why_not(container, kind, codec)
    if why:
        raise InvalidJob(f"the source's {codec} cannot be copied: {why}")


def _over(measured: int | None, limit: int | None) -> bool:
    return limit is not None and (measured or 0) > limit * _SLACK
