"""Things that went wrong for people with other tools, and what is right: packages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import m3u8
import pytest

from tests.browser.every_package import play_every_package
from tests.cases import inputs
from tests.cases.measure import beep_time, level_db, pictures, sound
from tests.e2e.service import Service, running

pytestmark = pytest.mark.slow

MPD = "{urn:mpeg:dash:schema:mpd:2011}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), LONGTAKE_DRAIN_GRACE="2") as service:
        yield service


def package(service: Service, source: Path, *options: object) -> Path:
    """A package without findings."""
    out = service.out / source.stem
    service.json("package", source, "-o", out, "-p", "convert-to-hls", *options)
    findings = service.json("check", out)["findings"]
    assert not [each for each in findings if each["severity"] == "error"]
    return out


def whole(folder: Path) -> Path:
    """A rendition's segments behind each other, as a file that a decoder takes."""
    target = folder.with_suffix(".mp4")
    parts = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def renditions(out: Path, kind: str) -> list[Path]:
    listing = json.loads((out / "package.json").read_text())
    return [out / each["folder"] for each in listing["renditions"] if each["kind"] == kind]


def test_a_screen_recording_whose_frames_come_when_they_like(
    service: Service, tmp_path: Path
) -> None:
    out = package(service, inputs.vfr_screen(tmp_path), "--ladder", "180:600k,90:300k")
    (heard,) = renditions(out, "audio")
    beep = beep_time(whole(heard))
    videos = renditions(out, "video")
    assert len(videos) == 2
    for folder in videos:
        shown = pictures(whole(folder))
        assert len(shown) == 165
        # FFmpeg shows fragments with negative offsets late by a constant; the first frame is at 0.
        flash = next(each.time for each in shown if min(each.left, each.right) > 200)
        flash -= shown[0].time
        assert flash == pytest.approx(5.000, abs=1 / 60)
        assert flash == pytest.approx(beep, abs=1 / 60)
        playlist = m3u8.load(str(folder / "playlist.m3u8"))
        assert sum(each.duration or 0 for each in playlist.segments) == pytest.approx(6.0, abs=0.02)


def test_tracks_that_are_neither_picture_nor_sound(service: Service, tmp_path: Path) -> None:
    out = package(service, inputs.camera_timecode_data(tmp_path))
    (folder,) = renditions(out, "video")
    assert len(pictures(whole(folder))) == 50


def test_an_upload_that_stopped_is_no_package(service: Service, tmp_path: Path) -> None:
    out = service.out / "stopped"
    done = service.json("package", inputs.upload_stopped(tmp_path), "-o", out, code=1)
    assert done["error"]["type"] == "InputCorrupt"
    assert "20.0 s" in done["error"]["message"]
    assert "9.0 s" in done["error"]["message"]
    assert not out.exists()


def test_four_sound_tracks_three_with_the_same_title(service: Service, tmp_path: Path) -> None:
    out = package(service, inputs.four_sound_tracks(tmp_path))
    master = (out / "master.m3u8").read_text()
    told = [line for line in master.splitlines() if line.startswith("#EXT-X-MEDIA:TYPE=AUDIO")]
    names = [re.findall(r'NAME="([^"]*)"', line)[0] for line in told]
    assert len(set(names)) == len(told) == 4
    assert ["DEFAULT=YES" in line for line in told] == [True, False, False, False]
    assert ["DEFAULT=NO" in line for line in told] == [False, True, True, True]
    languages = [re.findall(r'LANGUAGE="([^"]*)"', line) for line in told]
    assert languages == [["en"], ["fr"], ["en"], ["und"]]
    assert "AUTOSELECT=NO" in told[2]
    for line, hertz in zip(told, (300, 400, 500, 600), strict=True):
        folder = out / re.findall(r'URI="([^"/]*)/', line)[0]
        _, samples = sound(whole(folder))
        levels = {each: level_db(samples[48_000:96_000], each) for each in (300, 400, 500, 600)}
        assert max(levels, key=lambda each: levels[each]) == hertz
    root = ElementTree.parse(out / "manifest.mpd").getroot()
    sets = [each for each in root.iter(f"{MPD}AdaptationSet") if each.get("contentType") == "audio"]
    assert [each.get("lang") for each in sets] == ["en", "fr", "en", "und"]
    roles = [[role.get("value") for role in each.iter(f"{MPD}Role")] for each in sets]
    assert roles[0] == ["main"]
    assert roles[2] == ["commentary"]


def test_a_voice_in_the_centre_channel(service: Service, tmp_path: Path) -> None:
    source = inputs.surround_voice_in_centre(tmp_path)
    out = service.out / "centre"
    service.json("package", source, "-o", out, "-p", "audio-only-hls")
    master = (out / "master.m3u8").read_text()
    assert re.findall(r'CHANNELS="(\d)"', master) == ["2", "6"]
    stereo, surround = renditions(out, "audio")
    _, samples = sound(whole(stereo), "stereo")
    left, right = samples[19_200:172_800:2], samples[19_201:172_800:2]
    voice = [level_db(side[:48_000], 1000) for side in (left, right)]
    assert voice[0] == pytest.approx(voice[1], abs=0.2)
    assert level_db(left[:48_000], 400) - voice[0] == pytest.approx(3.0, abs=0.7)
    assert voice[0] > -32
    assert level_db(left[:48_000], 400) - level_db(right[:48_000], 400) > 35
    assert len(sound(whole(surround), "5.1")[1]) > 6 * 4 * 48_000 - 12_000


def test_every_package_plays(service: Service, pytestconfig: pytest.Config) -> None:
    """Of those that the tests before made."""
    play_every_package(service.out, pytestconfig)
