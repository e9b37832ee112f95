"""Which language is spoken is heard once, in several places, and told wherever it matters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import multilingual
from tests.browser.every_package import play_every_package
from tests.e2e.service import Service, running
from tests.media.engine import run
from tests.speech import joined, say, silence

pytestmark = pytest.mark.slow

GERMAN, FRENCH = "We will meet again on Monday.", "My older brother painted the kitchen."
"""As the model of these tests has it."""
RUNG = {"height": 180, "max_bitrate_bps": 300_000}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    models = tmp_path_factory.mktemp("models")
    multilingual.make(models / "many")
    with running(tmp_path_factory.mktemp("service"), LONGTAKE_MODELS=str(models)) as service:
        yield service


@pytest.fixture(scope="module")
def talk(service: Service) -> Path:
    """Five windows, for so long are the silences; the second one is in another language."""
    sentences = (GERMAN, FRENCH, GERMAN, "We decided to go home.", GERMAN)
    parts = [part for text in sentences for part in (say(text), silence(118))]
    return joined(parts).write(service.out / "talk.wav")


@pytest.fixture(scope="module")
def film(service: Service) -> Path:
    return filmed(service, "film", GERMAN)


def filmed(service: Service, name: str, sentence: str) -> Path:
    """3 s of picture, with a sentence."""
    sound = say(sentence).write(service.out / f"{name}.wav")
    target = service.out / f"{name}.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-i", sound, "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return target


def transcribe(service: Service, talk: Path, name: str, *options: str) -> Any:
    return service.json("transcribe", talk, "-o", service.out / name, "--model", "many", *options)


def listened_for(service: Service) -> set[str]:
    """What was found when a language was listened for."""
    return {path.name for path in (service.home / "work" / "objects").glob("*/language-*")}


def test_a_language_is_heard_in_all_windows_once_and_recorded(service: Service, talk: Path) -> None:
    result = transcribe(service, talk, "heard")
    told = result["transcript"]
    assert result["stats"]["chunks"] == 5
    assert told["language"] == "de"
    assert 0.3 < told["probability"] < 0.8, "one of five windows was heard as French"
    assert result["decisions"]["language"].startswith("de: heard, with a probability of ")
    warned = f"language taken to be de with probability {told['probability']:.0%}; say --language"
    assert [each for each in result["warnings"] if each.startswith(warned)]
    document = json.loads((service.out / "heard" / "talk.json").read_text())
    assert document["language"] == {
        "code": "de",
        "probability": told["probability"],
        "asked": False,
    }
    text = (service.out / "heard" / "talk.txt").read_text()
    assert "brother" in text, "a window in another language is written down"
    before = listened_for(service)
    assert len(before) == 1
    again = transcribe(service, talk, "again", "--hot-words", "Monday")
    assert again["transcript"]["language"] == "de"
    assert again["stats"]["chunks_reused"] == 0
    assert listened_for(service) == before


def test_a_language_that_is_named_is_not_listened_for(service: Service, talk: Path) -> None:
    service.forget_work()
    result = transcribe(service, talk, "named", "--language", "fr")
    assert (result["transcript"]["language"], result["transcript"]["probability"]) == ("fr", 1)
    assert result["decisions"]["language"] == "fr: as asked"
    assert not [each for each in result["warnings"] if "--language" in each]
    assert not listened_for(service)


def test_a_language_that_the_model_does_not_know_is_refused(service: Service, talk: Path) -> None:
    folder = service.out / "unknown"
    asked = ("transcribe", talk, "-o", folder, "--model", "many", "--language", "tlh")
    refused = service.json(*asked, code=2)["error"]
    assert refused["type"] == "InvalidJob"
    assert "many does not know 'tlh'; it knows en, zh, de" in refused["message"]
    assert not folder.exists()


@pytest.mark.parametrize(
    ("asked", "in_film", "in_playlist"),
    [("auto", "ger", "de"), ("jw", "jav", "jv")],
)
def test_a_film_and_a_package_name_the_language(
    service: Service, film: Path, asked: str, in_film: str, in_playlist: str
) -> None:
    made = transcribe(service, film, f"{asked}-film", "--mux", "--language", asked)
    assert [track["language"] for track in made["outputs"][-1]["media"]["other"]] == [in_film]
    package(service, film, f"{asked}-package", asked)
    playlist = service.out / f"{asked}-package" / "hls" / "master.m3u8"
    assert f'LANGUAGE="{in_playlist}"' in playlist.read_text()


def test_a_package_tells_that_its_language_is_uncertain(service: Service) -> None:
    film = filmed(service, "unsure", "They decided to go home.")
    (warned,) = package(service, film, "uncertain", "auto")["warnings"]
    assert "language taken to be fr with probability 5" in warned
    assert 'say the "language" of "captions"' in warned, "`package` has no --language"
    assert package(service, film, "certain", "fr")["warnings"] == []


def test_every_package_plays(service: Service, pytestconfig: pytest.Config) -> None:
    """Of those that the tests before made."""
    play_every_package(service.out, pytestconfig)


def package(service: Service, film: Path, name: str, language: str) -> Any:
    """A package with captions of what is said, as the step of a pipeline."""
    step = {"kind": "package", "input": {"from": "inputs.film"}, "output": "hls"}
    captions = {"model": "many", "language": language}
    pipeline = {
        "inputs": {"film": {}},
        "steps": {"stream": {**step, "ladder": [RUNG], "captions": captions}},
        "outputs": {"hls": {"from": "stream.hls"}},
    }
    document = service.out / f"{name}.json"
    document.write_text(json.dumps(pipeline))
    return service.json("run", document, "--input", f"film={film}", "-o", service.out / name)
