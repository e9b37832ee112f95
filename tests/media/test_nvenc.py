"""NVENC behind the contract of the other encoders: what is asked of it, what is refused in words,
and what a machine without a card says. No frame is encoded here."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from longtake import CapabilityMissing, InvalidJob
from longtake.contracts import Transcode
from longtake.presets import resolve
from media.encoders.nvenc import lacks_device
from media.ffmpeg.tools import ffmpeg
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.transcode.plan import Plan
from media.transcode.planning import make_plan
from media.transcode.video import encode_chunk, encoder
from tests.media.engine import no_tick
from tests.media.test_filters import QUIET, picture
from tests.patience import WAIT_S
from workers import gpu

GENERIC = ("c:v", "pix_fmt", "b:v", "maxrate", "bufsize", "profile:v", "g", "tag:v")
"""Options of FFmpeg itself, which its encoders do not list."""
WITHOUT_CARD = pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")

Source = tuple[Path, Any, Index]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = picture(tmp_path_factory.mktemp("nvenc") / "in.mkv", "testsrc2=s=320x180", seconds=2)
    facts, index = asyncio.run(inspect_in_child(path))
    assert index is not None
    return path, facts, index


def planned(source: Source, **video: Any) -> Plan:
    path, facts, index = source
    job = Transcode.model_validate(
        {"input": str(path), "output": "/out.mp4", "video": video, **QUIET}
    )
    return make_plan(facts, index, resolve(job), gpu=True)


def options(source: Source, **video: Any) -> dict[str, str]:
    """What FFmpeg is told of the encoder, by the option's name."""
    words = encoder(planned(source, **video).picture)
    assert all(word.startswith("-") for word in words[::2])
    return {name[1:]: value for name, value in zip(words[::2], words[1::2], strict=True)}


def listed(name: str) -> str:
    """What this FFmpeg says of an encoder; it does so without a card."""
    told = [ffmpeg(), "-hide_banner", "-h", f"encoder={name}"]
    return subprocess.run(told, check=True, capture_output=True, text=True, timeout=WAIT_S).stdout


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_quality_cap_and_keyframes_are_those_of_the_job(source: Source, codec: str) -> None:
    told = options(source, codec=codec, crf=21, max_bitrate_bps=4_000_000, keyframe_interval_s=2)
    assert told["c:v"] == f"{codec}_nvenc"
    assert (told["rc"], told["cq"], told["b:v"]) == ("vbr", "21", "0")
    assert (told["maxrate"], told["bufsize"]) == ("4000000", "8000000")
    assert (told["g"], told["forced-idr"]) == ("50", "1")
    assert told.get("tag:v") == ("hvc1" if codec == "hevc" else None)
    assert options(source, codec=codec, crf=21)["g"] == "100", "five seconds, not 250 frames"


@pytest.mark.parametrize("video", gpu.trials(), ids=lambda video: f"{video.encoder}")
def test_every_option_is_one_that_this_ffmpeg_lists(video: Any) -> None:
    help_text = listed(video.encoder)
    words = encoder(video)
    told = dict(zip((word[1:] for word in words[::2]), words[1::2], strict=True))
    for name in told:
        assert name in GENERIC or re.search(rf"^ +-{re.escape(name)} ", help_text, re.MULTILINE)
    formats = re.search(r"Supported pixel formats: (.*)", help_text)
    assert formats is not None
    assert told["pix_fmt"] in formats.group(1).split()
    for name in ("preset", "rc"):
        assert re.search(rf"^ +{told[name]} +\d", help_text, re.MULTILINE)
    finest, coarsest = re.findall(r"-cq .*\(from (\d+) to (\d+)\)", help_text)[-1]
    assert int(finest) < int(told["cq"]) <= int(coarsest)


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_ten_bits_are_in_the_layout_that_nvenc_takes(source: Source, codec: str) -> None:
    assert options(source, codec=codec, pixel_format="yuv420p10")["pix_fmt"] == "p010le"
    assert options(source, codec=codec)["pix_fmt"] == "yuv420p"


@pytest.mark.parametrize(
    ("video", "words"),
    [
        ({"codec": "h264", "crf": 0}, "nothing lossless"),
        ({"codec": "hevc", "pixel_format": "source"}, "yuv420p and yuv420p10"),
        ({"codec": "h264", "pixel_format": "yuv420p10"}, "8 bits only"),
        ({"codec": "hevc", "bitrate_bps": 2_000_000}, "not at a bit rate"),
        ({"codec": "vp9"}, "do not encode vp9, only h264, hevc, av1"),
    ],
)
def test_what_nvenc_cannot_is_refused_in_words(
    source: Source, video: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidJob, match=words):
        planned(source, **video)


@WITHOUT_CARD
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
async def test_a_card_that_is_not_there_is_not_the_sources_fault(
    source: Source, codec: str, tmp_path: Path
) -> None:
    """Also: FFmpeg took every option before it looked for the card."""
    path, _, index = source
    plan = planned(source, codec=codec, keyframe_interval_s=2, max_bitrate_bps=4_000_000)
    with pytest.raises(CapabilityMissing, match="nvidia-smi") as caught:
        await encode_chunk(path, plan, index, plan.picture.chunks[0], tmp_path / "chunk", no_tick)
    assert "libcuda" in str(caught.value)
    assert "option" not in str(caught.value)


def test_a_card_without_a_free_session_is_no_corrupt_source() -> None:
    assert lacks_device("[h264_nvenc @ 0x5] OpenEncodeSessionEx failed: out of memory (10): (no")
    assert not lacks_device("[h264 @ 0x5] error while decoding MB 12 4")


def test_each_encoder_is_proved_in_each_depth_that_jobs_may_ask_for() -> None:
    assert [(video.encoder, video.pixel_format) for video in gpu.trials()] == [
        ("h264_nvenc", "yuv420p"),
        ("hevc_nvenc", "yuv420p"),
        ("hevc_nvenc", "yuv420p10le"),
        ("av1_nvenc", "yuv420p"),
        ("av1_nvenc", "yuv420p10le"),
    ]


@WITHOUT_CARD
def test_a_proof_without_a_card_names_the_encoder_and_what_to_check() -> None:
    with pytest.raises(CapabilityMissing, match=r"h264_nvenc failed .* libcuda.*nvidia-smi"):
        gpu.prove()
