"""The presets video-upload and lecture: what they make, and that it is the same whatever dies."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from tests.browser.every_package import play_every_package
from tests.e2e.deaths import SEED
from tests.e2e.presets import Presets
from tests.e2e.service import Service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def presets(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Presets:
    return Presets(service, tmp_path_factory.mktemp("given"))


def test_video_upload_makes_all_that_a_page_shows(presets: Presets) -> None:
    made = presets.undisturbed("video-upload").outputs
    assert set(made) == {"facts", "hls", "dash", "captions", "poster", "storyboard", "mp3"}
    picture = json.loads(made["facts"].read_text())["video"][0]
    presets.service.json("check", made["hls"].parent)
    assert presets.given["video-upload"].word in made["captions"].read_text()
    assert "SUBTITLES" in made["hls"].read_text()
    assert presets.probed(made["mp3"])["audio"][0]["codec"] == "mp3"
    with Image.open(made["poster"]) as poster:
        assert poster.size == (picture["width"], picture["height"])
    assert made["storyboard"].read_text().startswith("WEBVTT")


def test_lecture_has_captions_that_are_shown(presets: Presets) -> None:
    made = presets.undisturbed("lecture").outputs
    assert set(made) == {"film", "hls", "dash", "captions", "transcript", "text"}
    assert presets.probed(made["film"])["video"][0]["codec"] == "h264"
    assert presets.given["lecture"].word in made["text"].read_text()
    (line,) = [each for each in made["hls"].read_text().splitlines() if "TYPE=SUBTITLES" in each]
    assert "DEFAULT=YES" in line
    assert 'LANGUAGE="en"' in line


@pytest.mark.kill
@pytest.mark.parametrize("preset", ["video-upload", "lecture"])
def test_killed_three_times_it_makes_the_same_files(presets: Presets, preset: str) -> None:
    assert presets.killed(preset, SEED) == presets.undisturbed(preset).tree


def test_every_package_plays(presets: Presets, pytestconfig: pytest.Config) -> None:
    """Of those that the tests before made."""
    play_every_package(presets.service.out, pytestconfig)
