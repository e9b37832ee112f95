"""A package's tree: every frame at its time, aligned, named after its content, told truly."""

from __future__ import annotations

import asyncio
import json
import math
import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from longtake.contracts.package import Listing
from media.package.listing import list_again
from media.package.renditions import Track
from media.transcode.fragments import presentation_times, time_scale
from tests.media.engine import frames, run
from tests.media.package import (
    DASH,
    SEGMENT_S,
    Playlist,
    folder,
    joined,
    made_tracks,
    package,
    packet_times,
    read_playlist,
    sound,
    tree,
)

LENGTHS = {
    "h264-90p": Fraction(285 * 1001, 30000),
    "h264-180p": Fraction(285 * 1001, 30000),
    "audio-en-51": Fraction(5),
}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return made_tracks(tmp_path_factory.mktemp("tracks"))


@pytest.fixture
async def made(tracks: list[Track], tmp_path: Path) -> Path:
    return await package(tmp_path / "out, 1", tracks)


async def test_every_sample_stays_at_its_time(
    made: Path, tracks: list[Track], tmp_path: Path
) -> None:
    for track in tracks:
        whole = joined(folder(made, track.name), tmp_path / "whole.mp4")
        if track.kind == "video":  # by the boxes: FFmpeg shows negative offsets late
            assert presentation_times(whole) == presentation_times(track.path)
            assert time_scale(whole) == time_scale(track.path)
            assert frames(whole, "yuv420p") == frames(track.path, "yuv420p")
        assert packet_times(whole) == packet_times(track.path)


async def test_segments_of_all_renditions_are_aligned_on_the_grid(made: Path) -> None:
    starts = []
    for name in ("h264-90p", "h264-180p"):
        found = folder(made, name)
        segments = read_playlist(found / "playlist.m3u8").segments
        assert len(segments) == math.ceil(9.5 / SEGMENT_S)
        starts.append([presentation_times(found / uri)[0] for _, uri in segments])
    # The first frame at or after each multiple of the segment's duration.
    assert starts[0] == [math.ceil(SEGMENT_S * n * 30000 / 1001) * 1001 for n in range(3)]
    assert starts[1] == starts[0]
    for name, inner in {"audio-en": (1, 2), "audio-en-51": (1,)}.items():
        durations = [d for d, _ in read_playlist(folder(made, name) / "playlist.m3u8").segments]
        late = [sum(durations[:number]) - SEGMENT_S * number for number in inner]
        assert all(0 <= each < Fraction(1024, 48000) for each in late)


async def test_playlists_tell_durations_exactly(made: Path) -> None:
    for name in ("h264-90p", "h264-180p", "audio-en", "audio-de", "audio-en-51"):
        playlist = read_playlist(folder(made, name) / "playlist.m3u8")
        durations = [duration for duration, _ in playlist.segments]
        assert playlist.tags["#EXT-X-TARGETDURATION"] == "4"  # of 4.004 s and 4.0107 s
        assert all(round(duration) <= 4 for duration in durations)
        length = LENGTHS.get(name, Fraction("9.5"))
        assert abs(sum(durations) - length) < Fraction(1, 10**5)
        assert "#EXT-X-ENDLIST" in playlist.tags
        assert playlist.tags["#EXT-X-PLAYLIST-TYPE"] == "VOD"


async def test_an_i_frame_is_read_by_its_bytes_alone(
    made: Path, tracks: list[Track], tmp_path: Path
) -> None:
    found = folder(made, "h264-180p")
    playlist = read_playlist(found / "iframes.m3u8")
    assert len(playlist.ranges) == 5  # every two seconds
    shown = dict(frames(tracks[1].path, "yuv420p"))
    at = Fraction()
    for (duration_s, uri), (begin, end) in zip(playlist.segments, playlist.ranges, strict=True):
        alone = tmp_path / "i.mp4"
        data = (found / uri).read_bytes()[begin:end]
        alone.write_bytes((found / "init.mp4").read_bytes() + data)
        ((_, digest),) = frames(alone, "yuv420p")
        nearest = min(shown, key=lambda time, at=at: abs(time - at))  # type: ignore[misc]
        assert digest == shown[nearest]
        assert abs(nearest - at) < Fraction(1, 100)
        at += duration_s


async def test_the_same_tracks_give_the_same_bytes_and_new_content_a_new_name(
    made: Path, tracks: list[Track], tmp_path: Path
) -> None:
    await asyncio.sleep(1.1)  # the clock of MP4 ticks in seconds
    assert tree(await package(tmp_path / "again", tracks)) == tree(made)
    other = [*tracks]
    path = sound(tmp_path / "other.m4a", hz=500)
    other[3] = Track(path, "audio-de", "audio", "de", "Deutsch")
    changed = await package(tmp_path / "changed", other)
    names = {path.partition("/")[0] for path in tree(made).keys() ^ tree(changed).keys()}
    assert {name.rpartition("-")[0] for name in names} == {"audio-de"}
    assert len(names) == 2


async def test_the_master_tells_each_picture_with_each_group(made: Path) -> None:
    master = read_playlist(made / "master.m3u8")
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in master.tags
    variants = [told for tag, told, _ in master.told if tag == "#EXT-X-STREAM-INF"]
    assert [(each["RESOLUTION"], each["AUDIO"]) for each in variants] == [
        ("160x90", "audio"),
        ("320x180", "audio"),
        ("160x90", "audio-51"),
        ("320x180", "audio-51"),
    ]
    for each in variants:
        assert each["FRAME-RATE"] == "29.970"
        assert each["VIDEO-RANGE"] == "SDR"
        assert re.fullmatch(r"avc1\.[0-9a-f]{6},mp4a\.40\.2", each["CODECS"])
    sounds = [told for tag, told, _ in master.told if tag == "#EXT-X-MEDIA"]
    # Groups have the same members; German has no 5.1 and stands in as it is.
    assert [(each["GROUP-ID"], each["NAME"], each["CHANNELS"]) for each in sounds] == [
        ("audio", "English", "2"),
        ("audio", "Deutsch", "2"),
        ("audio-51", "English", "6"),
        ("audio-51", "Deutsch", "2"),
    ]
    assert [each["DEFAULT"] for each in sounds] == ["YES", "NO", "YES", "NO"]
    assert {each["AUTOSELECT"] for each in sounds} == {"YES"}
    assert sum(tag == "#EXT-X-I-FRAME-STREAM-INF" for tag, _, _ in master.told) == 2


async def test_rates_are_told_that_no_segment_goes_beyond(made: Path) -> None:
    def rates(name: str, listed: str = "playlist.m3u8") -> tuple[Fraction, Fraction]:
        found = folder(made, name)
        playlist = read_playlist(found / listed)
        sizes = [(found / uri).stat().st_size for _, uri in playlist.segments]
        if playlist.ranges:
            sizes = [end - begin for begin, end in playlist.ranges]
        durations = [duration for duration, _ in playlist.segments]
        single = [8 * s / d for s, d in zip(sizes, durations, strict=True) if 2 <= d <= 6]
        return max(single), 8 * sum(sizes) / sum(durations, Fraction())

    sounds = {"audio": rates("audio-en"), "audio-51": rates("audio-en-51")}
    for tag, told, uri in read_playlist(made / "master.m3u8").told:
        if tag == "#EXT-X-MEDIA":
            continue
        name, listed = uri.split("/")
        peak, average = rates(name[:-13], listed)
        if tag == "#EXT-X-STREAM-INF":
            peak += sounds[told["AUDIO"]][0]
            average += sounds[told["AUDIO"]][1]
        bandwidth, mean = int(told["BANDWIDTH"]), int(told["AVERAGE-BANDWIDTH"])
        assert peak <= bandwidth < 1.1 * peak  # of runs of segments, too
        assert average <= mean < 1.01 * average + 4
        assert mean <= bandwidth


async def test_dash_names_the_same_segments(made: Path) -> None:
    period = ElementTree.parse(made / "manifest.mpd").getroot().find("Period", DASH)
    assert period is not None
    found: dict[str, tuple[str, str]] = {}
    for each in period.findall("AdaptationSet", DASH):
        role = each.find("Role", DASH)
        assert each.attrib["segmentAlignment"] == "true"
        for told in each.findall("Representation", DASH):
            template = told.find("SegmentTemplate", DASH)
            assert template is not None
            lasts = [
                int(s.attrib["d"]) / int(template.attrib["timescale"])
                for s in template.iter(f"{{{DASH['']}}}S")
                for _ in range(int(s.get("r", 0)) + 1)
            ]
            names = [
                template.attrib["media"].replace("$Number%05d$", f"{n + 1:05}")
                for n in range(len(lasts))
            ]
            listed = (made / names[0]).parent / "playlist.m3u8"
            hls: Playlist = read_playlist(listed)
            assert [f"{listed.parent.name}/{uri}" for _, uri in hls.segments] == names
            assert [round(float(d), 5) for d, _ in hls.segments] == [round(d, 5) for d in lasts]
            assert (made / template.attrib["initialization"]).is_file()
            value = role.attrib["value"] if role is not None else ""
            found[told.attrib["id"]] = (each.attrib["id"], value)
    rungs = found.pop("h264-90p"), found.pop("h264-180p")
    assert rungs[0] == rungs[1]  # in one set: players switch between them, and not between these:
    assert len({where for where, _ in found.values()}) == 3
    assert {name: role for name, (_, role) in found.items()} == {
        "audio-en": "main",
        "audio-de": "alternate",
        "audio-en-51": "main",
    }


async def test_the_listing_has_every_file(made: Path) -> None:
    told = json.loads((made / "package.json").read_bytes())
    files = tree(made)
    del files["package.json"]
    assert {each["path"]: each["sha256"] for each in told["files"]} == files
    assert all((made / each["path"]).stat().st_size == each["bytes"] for each in told["files"])
    types = {Path(each["path"]).suffix: each["content_type"] for each in told["files"]}
    assert types[".m3u8"] == "application/vnd.apple.mpegurl"
    assert types[".mpd"] == "application/dash+xml"
    assert {each["name"] for each in told["renditions"]} == {
        *("h264-90p", "h264-180p", "audio-en", "audio-de", "audio-en-51")
    }
    assert all((made / each["folder"]).is_dir() for each in told["renditions"])


async def test_a_poster_that_is_added_is_listed(made: Path) -> None:
    (made / "poster.jpg").write_bytes(b"a picture")
    told = list_again(made)
    files = tree(made)
    del files["package.json"]
    assert {each.path: each.sha256 for each in told.files} == files
    assert told == Listing.model_validate_json((made / "package.json").read_bytes())
    assert [e.content_type for e in told.files if e.path == "poster.jpg"] == ["image/jpeg"]


async def test_hdr_is_told_in_both_manifests(tmp_path: Path) -> None:
    """HLG in AV1 is not seen by the packager; PQ in HEVC is."""
    source = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2", "-pix_fmt", "yuv420p10le")
    pq = "log-level=none:pools=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    hevc, av1 = tmp_path / "pq.mp4", tmp_path / "hlg.mp4"
    run(*source, "-c:v", "libx265", "-x265-params", pq, "-tag:v", "hvc1", hevc)
    run(*source, "-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1", av1)
    made = await package(
        tmp_path / "out",
        [
            Track(hevc, "hevc", "video"),
            Track(av1, "av1", "video", video_range="HLG"),
        ],
    )
    master = read_playlist(made / "master.m3u8")
    told = {uri.split("-")[0]: each for _, each, uri in master.told}
    assert (told["hevc"]["VIDEO-RANGE"], told["av1"]["VIDEO-RANGE"]) == ("PQ", "HLG")
    assert told["av1"]["CODECS"].endswith(".10.0.110.09.18.09.0")
    assert told["hevc"]["CODECS"].startswith("hvc1.2.")
    manifest = ElementTree.parse(made / "manifest.mpd").getroot()
    transfers = [
        each.attrib["value"]
        for each in manifest.iter(f"{{{DASH['']}}}SupplementalProperty")
        if each.attrib["schemeIdUri"].endswith("TransferCharacteristics")
    ]
    assert transfers == ["16", "18"]
