"""Geometry, copy rules, and refusals: what the output's picture will be."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from longtake.contracts import AudioFacts, VideoFacts
from longtake.contracts.encode import AudioSettings, VideoSettings
from longtake.errors import InputUnsupported, InvalidJob
from media.picture.pixels import output_pixel_format, output_size, picture_filters
from media.transcode.smart_copy import why_encode_audio, why_encode_video

WEB = VideoSettings(height=720, profile="high", keyframe_interval_s=Fraction(4), smart_copy=True)


def video(**changes: Any) -> VideoFacts:
    facts: dict[str, Any] = {
        "index": 0,
        "codec": "h264",
        "profile": "High",
        "width": 1280,
        "height": 720,
        "pixel_format": "yuv420p",
        "frame_rate": "25",
        "frames": 250,
        "start_s": 0.0,
        "duration_s": 10.0,
        "time_base": "1/12800",
        **dict.fromkeys(("color_primaries", "color_transfer", "color_space"), "bt709"),
        "color_range": "limited",
        "bitrate_bps": 1_000_000,
        "keyframes": 5,
        "longest_gop_s": 2.0,
    }
    return VideoFacts(**(facts | changes))


def audio(**changes: Any) -> AudioFacts:
    facts: dict[str, Any] = {
        "index": 1,
        "codec": "aac",
        "profile": "LC",
        "channels": 2,
        "layout": "stereo",
        "sample_rate": 48_000,
        "start_s": 0.0,
        "duration_s": 10.0,
        "bitrate_bps": 128_000,
    }
    return AudioFacts(**(facts | changes))


@pytest.mark.parametrize(
    ("facts", "size"),
    [
        ({"width": 1920, "height": 1080}, (1280, 720)),
        ({"width": 1080, "height": 1920}, (720, 1280)),  # portrait keeps its shorter side
        ({"width": 1920, "height": 1080, "rotation": 90}, (720, 1280)),
        ({"width": 640, "height": 360}, (640, 360)),  # never up
        ({"width": 720, "height": 576, "sample_aspect": "16/15"}, (768, 576)),
        ({"width": 1440, "height": 1080, "sample_aspect": "4/3"}, (1280, 720)),
        ({"width": 641, "height": 361}, (640, 360)),
        ({"width": 2, "height": 2}, (2, 2)),
    ],
)
def test_size_of_a_720p_rendition(facts: dict[str, Any], size: tuple[int, int]) -> None:
    assert output_size(video(**facts), WEB) == size


def test_enlarges_only_when_asked() -> None:
    small = video(width=640, height=360)
    assert output_size(small, WEB.model_copy(update={"upscale": True})) == (1280, 720)


def test_nothing_is_filtered_when_nothing_changes() -> None:
    assert picture_filters(video(), WEB) == ()


def test_full_range_444_becomes_limited_420() -> None:
    source = video(pixel_format="yuv444p", color_range="full")
    (scale, pixel_format, tags) = picture_filters(source, WEB)
    assert "out_range=limited" in scale
    assert pixel_format == "format=yuv420p"
    assert "range=limited" in tags


def test_hdr_is_not_kept_in_eight_bits() -> None:
    with pytest.raises(InvalidJob, match="10 bits"):
        output_pixel_format(
            video(color_transfer="arib-std-b67"), WEB.model_copy(update={"hdr": "keep"})
        )


def test_a_pixel_format_that_h264_cannot_hold_is_refused() -> None:
    with pytest.raises(InputUnsupported, match="yuva444p10le"):
        output_pixel_format(
            video(pixel_format="yuva444p10le"), VideoSettings(pixel_format="source")
        )


def test_what_meets_the_preset_is_copied() -> None:
    assert why_encode_video(video(), WEB) is None
    assert why_encode_audio(audio(), AudioSettings(smart_copy=True)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"codec": "hevc"},
        {"profile": "High 10"},
        {"profile": "High 4:4:4 Predictive"},
        {"pixel_format": "yuv422p"},
        {"color_range": "full"},
        {"interlaced": True},
        {"rotation": 90},
        {"width": 1920, "height": 1080},
        {"sample_aspect": Fraction(4, 3)},
        {"longest_gop_s": 10.0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_does_not_meet_the_preset_is_encoded(changes: dict[str, Any]) -> None:
    assert why_encode_video(video(**changes), WEB)


def test_a_rate_over_the_cap_is_encoded() -> None:
    capped = WEB.model_copy(update={"max_bitrate_bps": 4_000_000})
    assert why_encode_video(video(bitrate_bps=8_000_000), capped)
    assert why_encode_audio(audio(bitrate_bps=320_000), AudioSettings(smart_copy=True))


@pytest.mark.parametrize(
    "changes",
    [{"codec": "mp3"}, {"profile": "HE-AAC"}, {"channels": 6}],
    ids=lambda changes: next(iter(changes)),
)
def test_sound_that_does_not_meet_the_preset_is_encoded(changes: dict[str, Any]) -> None:
    assert why_encode_audio(audio(**changes), AudioSettings(smart_copy=True))
