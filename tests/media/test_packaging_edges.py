"""Packages of what is odd, and those that cannot be made."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import pytest

from longtake.errors import (
    CapabilityMissing,
    InputCorrupt,
    InvalidJob,
    ProcessKilled,
    ResourceExhausted,
    StorageUnavailable,
)
from media.check.checking import check
from media.children.isolate import in_child
from media.package import packager
from media.package.renditions import Text, Track
from media.transcode.fragments import decode_as_shown, presentation_times, time_scale
from media.transcode.video import CMAF
from tests.media.engine import run
from tests.media.package import (
    DASH,
    folder,
    joined,
    made_tracks,
    package,
    packet_times,
    picture,
    read_playlist,
    sound,
)
from tests.media.rungs import make_renditions


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return made_tracks(tmp_path_factory.mktemp("tracks"))


async def test_sound_alone_and_picture_alone(tracks: list[Track], tmp_path: Path) -> None:
    alone = read_playlist(await package(tmp_path / "one", tracks[2:3]) / "master.m3u8")
    ((tag, told, uri),) = alone.told
    assert (tag, told["CODECS"], "AUDIO" in told) == ("#EXT-X-STREAM-INF", "mp4a.40.2", False)
    assert (tmp_path / "one" / uri).is_file()

    both = read_playlist(await package(tmp_path / "two", tracks[2:4]) / "master.m3u8")
    assert [tag for tag, _, _ in both.told] == [
        *("#EXT-X-MEDIA", "#EXT-X-MEDIA", "#EXT-X-STREAM-INF")
    ]
    assert both.told[-1][2] == both.told[0][2]  # what is played before one is chosen: the default
    assert int(both.told[-1][1]["BANDWIDTH"]) < 200_000  # of one of them, not of both

    mute = read_playlist(await package(tmp_path / "mute", tracks[:1]) / "master.m3u8")
    told = mute.told[0][1]
    assert "AUDIO" not in told
    assert "," not in told["CODECS"]


async def test_a_picture_that_begins_late_and_ends_early_takes_no_sound_away(
    tracks: list[Track], tmp_path: Path
) -> None:
    late = picture(tmp_path / "late.mp4", late_s=0.52, length_s=5)
    assert presentation_times(late)[0] > 0
    made = await package(tmp_path / "out", [Track(late, "late", "video"), tracks[2]])
    whole = joined(folder(made, "late"), tmp_path / "whole.mp4")
    assert presentation_times(whole) == presentation_times(late)
    manifest = ElementTree.parse(made / "manifest.mpd").getroot()
    assert manifest.attrib["mediaPresentationDuration"] == "PT9.500000S"
    templates = list(manifest.iter(f"{{{DASH['']}}}SegmentTemplate"))
    assert {each.get("presentationTimeOffset", "0") for each in templates} == {"0"}
    firsts = [next(each.iter(f"{{{DASH['']}}}S")).attrib["t"] for each in templates]
    assert firsts == [str(presentation_times(late)[0]), "0"]


@pytest.mark.parametrize("scheme", [None, "cbcs", "aes-128"])
async def test_a_last_sound_segment_of_a_frame_or_two_joins_the_one_before(
    tmp_path: Path, scheme: Any
) -> None:
    """The picture's second segment ends at 8.008 s, and the sound's at 8 s."""
    words = Track(sound(tmp_path / "en.m4a", length_s=8.008), "audio-en", "audio", "en")
    film = Track(picture(tmp_path / "film.mp4", length_s=8.008), "h264-90p", "video")
    made = await package(tmp_path / "out", [film, words], scheme=scheme)
    own = folder(made, "audio-en")
    assert sorted(path.name for path in own.glob("*.m4s")) == ["00001.m4s", "00002.m4s"]
    assert sum(d for d, _ in read_playlist(own / "playlist.m3u8").segments) > Fraction(8)
    if scheme is None:
        assert packet_times(joined(own, tmp_path / "whole.mp4")) == packet_times(words.path)
    findings = (await check(made)).findings
    assert not [each for each in findings if each.severity == "error"]


async def test_segments_of_a_coarse_clock_have_no_gaps(tmp_path: Path) -> None:
    """Frames of 33 and 34 ms, not decoded in the order in which they are shown."""
    source = tmp_path / "film.mp4"
    times = "floor(N*1001/30)"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=30000/1001:d=12", "-vf"),
        *(f"settb=1/1000,setpts='{times}'", "-enc_time_base", "1:1000"),
        *("-fps_mode", "passthrough"),
        *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", 2, "-threads", 1),
        *("-force_key_frames", "expr:gte(t,n_forced*2)", "-f", "mp4", *CMAF, source),
    )
    decode_as_shown(source)
    made = await package(tmp_path / "out", [Track(source, "h264-90p", "video")])
    findings = (await check(made)).findings
    assert not [each for each in findings if each.severity == "error"]


@pytest.mark.parametrize(
    "shown",
    ["if(lt(t,6),not(mod(n,10)),1)", "if(lt(mod(t,5),1),1,not(mod(n,30)))"],
    ids=["faster in the middle", "in bursts"],
)
async def test_chunks_meet_whatever_time_their_frames_take(shown: str, tmp_path: Path) -> None:
    """Encoders decode ahead by what their first frames take, and the next chunk's take another."""
    source = tmp_path / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=14", "-vf", f"select='{shown}'"),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        source,
    )
    found = await make_renditions(source, tmp_path)
    assert len(found.made.plan.chunks) > 1
    tracks = [Track(path, name, "video") for name, path in found.paths.items()]
    made = await package(tmp_path / "out", tracks)
    findings = (await check(made)).findings
    assert not [each for each in findings if each.severity == "error"]
    for track in tracks:
        whole = joined(folder(made, track.name), tmp_path / "whole.mp4")
        scale, base = time_scale(whole), found.index.time_base
        times = [Fraction(time, scale) for time in presentation_times(whole)]
        assert times == [(pts - found.index.pts[0]) * base for pts in found.index.pts]


async def test_one_frame_is_a_package(tmp_path: Path) -> None:
    path = picture(tmp_path / "one.mp4", length_s=0.03)
    made = await package(tmp_path / "out", [Track(path, "one", "video")])
    whole = joined(folder(made, "one"), tmp_path / "whole.mp4")
    with av.open(str(whole)) as container:
        assert len(list(container.decode(video=0))) == 1


async def test_a_track_that_ends_early_is_no_package(tracks: list[Track], tmp_path: Path) -> None:
    """The packager ends with exit code 0 where its input breaks off."""
    cut = tmp_path / "cut.mp4"
    data = tracks[1].path.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InputCorrupt, match=r"cut: \d+ of \d+ samples|cannot be packaged"):
        await package(tmp_path / "out", [Track(cut, "cut", "video")])
    assert list((tmp_path / "out").iterdir()) == []


async def test_what_cannot_be_packaged_is_refused_in_words(
    tracks: list[Track], tmp_path: Path
) -> None:
    first = tracks[0]
    wrong: dict[str, tuple[list[Track], list[Text]]] = {
        "neither picture nor sound": ([], [Text(first.path, "en", "en")]),
        "cannot be named": ([first, first], []),
        "cannot be named '../x'": ([Track(first.path, "../x", "video")], []),
        "is no language": ([Track(first.path, "a", "video", "english!")], []),
    }
    for number, (words, (given, texts)) in enumerate(wrong.items()):
        with pytest.raises(InvalidJob, match=words):
            await package(tmp_path / str(number), given, texts)


async def test_without_the_packager_the_step_waits(
    tracks: list[Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packager.packager.cache_clear()
    monkeypatch.setattr(packager, "find_spec", lambda name: None)
    try:
        with pytest.raises(CapabilityMissing, match="pip install"):
            await package(tmp_path / "out", tracks[:1])
    finally:
        packager.packager.cache_clear()


async def test_a_full_disk_is_no_fault_of_the_tracks(tracks: list[Track], tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "1.m4s").symlink_to("/dev/full")
    stream = "in=in.mp4,stream=video,init_segment=0/i.mp4,segment_template=0/$Number$.m4s"
    (tmp_path / "in.mp4").symlink_to(tracks[0].path)
    with pytest.raises(ResourceExhausted, match="no space left"):
        await packager.run_packager([stream, "--quiet"], tmp_path, tmp_path)
    stream = stream.replace("0/", "in.mp4/")
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        await packager.run_packager([stream, "--quiet"], tmp_path, tmp_path)


async def test_a_crash_is_no_fault_of_the_tracks() -> None:
    with pytest.raises(ProcessKilled, match="package"):
        await in_child(os.abort, crash=ProcessKilled("the package"))
    with pytest.raises(InputCorrupt):  # where files are not trusted
        await in_child(os.abort)
