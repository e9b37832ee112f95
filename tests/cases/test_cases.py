"""Things that went wrong for people with other tools, and what is right: the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from longtake.errors import InputCorrupt
from media.probing.in_child import inspect_in_child
from tests.cases import inputs
from tests.cases.measure import beep_time, level_db, pictures, sound
from tests.media.engine import frames, run, transcode
from tests.media.meter import loudness
from tests.media.pixels import shot

QUICK: dict[str, Any] = {"video": {"codec": "h264", "crf": 20, "speed": "ultrafast"}}


async def test_a_screen_recording_whose_frames_come_when_they_like(tmp_path: Path) -> None:
    source = inputs.vfr_screen(tmp_path)
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=1, **QUICK)
    before, after = pictures(source), pictures(made.path)
    assert len(after) == len(before) == 165
    assert [shown.time for shown in after] == pytest.approx(
        [shown.time for shown in before], abs=0.001
    )
    assert made.facts.duration_s == pytest.approx(6.0, abs=0.02)
    flash = next(shown.time for shown in after if shown.left > 220 and shown.right > 220)
    assert flash == pytest.approx(5.0, abs=0.001)
    assert beep_time(made.path) == pytest.approx(flash, abs=0.005)


async def test_the_right_codec_in_the_wrong_flavour_is_encoded(tmp_path: Path) -> None:
    source = inputs.screen_444_full_range(tmp_path)
    made = await transcode(source, tmp_path / "out.mp4", preset="web-720p")
    assert "encoded" in made.plan.decisions["video"]
    video = made.facts.video[0]
    assert (video.profile in ("Main", "High"), video.pixel_format) == (True, "yuv420p")
    assert video.color_range in ("tv", "limited")
    shown = pictures(made.path)
    assert len(shown) == 60
    for picture in shown:
        assert picture.left == pytest.approx(16, abs=2)
        assert picture.right == pytest.approx(235, abs=2)
    copied = await transcode(source, tmp_path / "copy.mp4", preset="remux")
    assert copied.facts.video[0].profile == "High 4:4:4 Predictive"


async def test_hdr_from_a_phone_is_not_washed_out(tmp_path: Path) -> None:
    source = inputs.phone_dolby_vision_84(tmp_path)
    assert b"dvvC" in source.read_bytes()
    made = await transcode(source, tmp_path / "out.mp4", preset="web-720p")
    video = made.facts.video[0]
    assert (video.codec, video.pixel_format, len(pictures(made.path))) == ("h264", "yuv420p", 30)
    assert video.color_primaries == video.color_transfer == video.color_space == "bt709"
    lower = shot(made.path, 9, (640, 360), "yuv444p")
    assert lower.luma(100, 270) <= 20
    assert 180 <= lower.luma(320, 270) <= 235
    red, green, _ = shot(made.path, 9, (640, 360)).at(540, 270)
    assert red >= 5 * green
    assert not any(box in made.path.read_bytes() for box in (b"dvcC", b"dvvC"))


async def test_hdr_from_a_phone_stays_hdr_in_hevc(tmp_path: Path) -> None:
    source = inputs.phone_dolby_vision_84(tmp_path)
    made = await transcode(source, tmp_path / "out.mp4", video={"codec": "hevc"})
    video = made.facts.video[0]
    assert (video.codec, video.profile, len(pictures(made.path))) == ("hevc", "Main 10", 30)
    assert video.color_transfer == "arib-std-b67"
    assert (video.color_primaries, video.color_space) == ("bt2020", "bt2020nc")
    assert b"hvc1" in made.path.read_bytes()
    assert not any(box in made.path.read_bytes() for box in (b"dvcC", b"dvvC"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.mkv", {"preset": "web-480p"}),
        ("x.mp4", {"preset": "web-480p"}),
        ("x.mkv", {"preset": "remux"}),
    ],
    ids=["mkv", "mp4", "remux"],
)
async def test_tracks_that_are_neither_picture_nor_sound_are_named(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    made = await transcode(inputs.camera_timecode_data(tmp_path), tmp_path / name, **options)
    assert (len(made.facts.video), len(made.facts.audio), made.facts.other) == (1, 1, ())
    assert len(pictures(made.path)) == 50
    assert made.facts.duration_s == pytest.approx(2.0, abs=0.03)
    telemetry, timecode = (other.index for other in made.source.other)
    for stream in (telemetry, timecode):
        named = any(f"stream {stream} " in warning for warning in made.plan.warnings)
        assert named or "timecode" in made.facts.tags


async def test_a_browser_recording_without_length_or_index(tmp_path: Path) -> None:
    source = inputs.browser_recording(tmp_path)
    made = await transcode(source, tmp_path / "out.mp4", **QUICK)
    assert made.source.duration_s == pytest.approx(5.0, abs=0.04)
    assert made.plan.media_s == pytest.approx(5.0, abs=0.04), "what progress is measured by"
    assert len(pictures(made.path)) == 129
    assert made.facts.duration_s == pytest.approx(5.0, abs=0.04)
    with av.open(str(made.path)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(5.0, abs=0.04)
        container.seek(3_000_000)
        assert next(container.decode(video=0)).time == pytest.approx(3.0, abs=3.0)
    for facts in (made.source, made.facts):
        document = facts.model_dump_json()
        assert "NaN" not in document
        assert "Infinity" not in document
        assert ":-" not in document, "no negative number"


async def test_a_header_that_knows_only_the_first_part(tmp_path: Path) -> None:
    source = inputs.lying_vbr_header(tmp_path)
    facts, _ = await inspect_in_child(source)
    assert facts.duration_s == pytest.approx(8.05, abs=0.06)
    made = await transcode(source, tmp_path / "out.mp4", video={"codec": "none"})
    _, samples = sound(made.path)
    assert 8.0 <= len(samples) / 48_000 <= 8.1 + 1024 / 44_100, "AAC ends on a whole frame"


async def test_an_upload_that_stopped_without_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputCorrupt) as refused:
        await inspect_in_child(inputs.upload_stopped(tmp_path))
    assert "20.0 s" in str(refused.value)
    assert "9.0 s" in str(refused.value)


async def test_an_upload_that_stopped_is_salvaged_when_the_job_asks(tmp_path: Path) -> None:
    source = inputs.upload_stopped(tmp_path)
    made = await transcode(source, tmp_path / "out.mp4", salvage=True, **QUICK)
    assert len(made.chunks) >= 2
    assert len(pictures(made.path)) == 225
    assert made.facts.duration_s == pytest.approx(9.0, abs=0.05)
    (warning,) = made.warnings
    assert "promises 20.0 s" in warning
    assert "ends after 9.0 s" in warning


@pytest.mark.parametrize("layout", ["+faststart", "+frag_keyframe+empty_moov"])
async def test_what_breaks_off_within_a_picture_is_salvaged_up_to_it(
    layout: str, tmp_path: Path
) -> None:
    whole, source = tmp_path / "whole.mp4", tmp_path / "in.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=8", "-f", "lavfi", "-i", "sine=d=8"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-movflags", layout, whole),
    )
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    made = await transcode(source, tmp_path / "out.mp4", salvage=True, **QUICK)
    assert any("its last picture is not whole" in words for words in made.warnings)
    assert 100 <= len(pictures(made.path)) <= 130
    assert made.facts.duration_s == pytest.approx(len(pictures(made.path)) / 25, abs=0.1)


async def test_chunks_neither_gain_nor_lose_a_frame(tmp_path: Path) -> None:
    source = inputs.open_gop_milliseconds(tmp_path)
    lossless = {"codec": "h264", "crf": 0, "speed": "ultrafast"}
    made = await transcode(source, tmp_path / "out.mp4", chunk_s=3, video=lossless)
    assert len(made.chunks) >= 3
    before, after = frames(source, "yuv420p"), frames(made.path, "yuv420p")
    assert len(after) == 288
    assert [md5 for _, md5 in after] == [md5 for _, md5 in before]
    for (time, _), (was, _) in zip(after, before, strict=True):
        assert abs(time - was) <= 0.001


@pytest.mark.parametrize(("preset", "name"), [("audio-mp3", "out.mp3"), ("audio-aac", "out.m4a")])
async def test_a_voice_in_the_centre_channel_is_heard_and_nothing_clips(
    preset: str, name: str, tmp_path: Path
) -> None:
    source = inputs.surround_voice_in_centre(tmp_path)
    made = await transcode(source, tmp_path / name, preset=preset)
    _, samples = sound(made.path, "stereo")
    left, right = samples[0::2], samples[1::2]
    quiet, loud = slice(48_000, 57_600), slice(144_000, 153_600)
    voice, tone = level_db(left[quiet], 1000), level_db(left[quiet], 400)
    assert level_db(right[quiet], 1000) == pytest.approx(voice, abs=0.2)
    assert tone - voice == pytest.approx(3.0, abs=0.7)
    assert voice > -20 - 12
    assert level_db(right[quiet], 400) < tone - 35
    for channel in (left, right):
        assert level_db(channel[loud], 3000) < level_db(channel[loud], 1000) - 40
    loud_part = tmp_path / "loud.wav"
    run("-ss", "2.2", "-t", "1.6", "-i", made.path, "-c:a", "pcm_f32le", loud_part)
    peak = (await loudness(loud_part)).true_peak_dbtp
    assert peak is not None
    assert peak <= 0.5
