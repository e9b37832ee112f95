"""What a Package job makes is played by real players in a real browser, on every rung."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.counted import counted
from tests.browser.streaming import WAYS, Cue, Keys, Way, play_and_check
from tests.e2e.service import Service, running
from tests.media.engine import run

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

RATE, SECONDS = Fraction(30000, 1001), 11
CUES = (Cue(1, 2, "one"), Cue(3.5, 4.5, "over the edge of a segment"), Cue(8.5, 10, "three & four"))
KEY = bytes(range(16))
KEY_URI = "https://keys.example/film"
LADDER = ("--ladder", "180:600k,90:300k")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("package-service")) as service:
        yield service


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counted")
    blocks = (
        f"00:{c.start_s:06.3f} --> 00:{c.end_s:06.3f} line:0 position:5%,line-left align:left\n"
        f"<v Ann><i>{c.text}</i></v>\n"
        for c in CUES
    )
    head = "WEBVTT\n", "STYLE\n::cue(i) { color: yellow }\n"
    (folder / "words.vtt").write_text("\n".join((*head, *blocks)))
    (folder / "key").write_bytes(KEY)
    return counted(folder / "film.mkv", rate="30000/1001", seconds=SECONDS)


def packaged(
    service: Service, film: Path, name: str, *options: object
) -> tuple[Path, dict[str, Any]]:
    """A package of the film, with captions, without errors; and what its job told."""
    out = service.out / name
    words = ("--captions", f"en={film.with_name('words.vtt')}")
    told = service.json(
        *("package", film, "-o", out, "-p", "convert-to-hls", *LADDER, *words, *options)
    )
    found = service.json("check", out)
    assert not [each for each in found["findings"] if each["severity"] == "error"]
    return out, told


@pytest.fixture(scope="module")
def plain(service: Service, film: Path) -> Path:
    out, _ = packaged(service, film, "plain")
    return out


@pytest.mark.parametrize("way", WAYS)
async def test_a_package_plays(
    way: Way, plain: Path, browser: Browser, script_of: Callable[[str], Path]
) -> None:
    played = await play_and_check(
        browser,
        plain,
        way,
        script=script_of(way),
        frames=round(SECONDS * RATE),
        rate=RATE,
        captions={"en": CUES},
    )
    assert {(rung.width, rung.height) for rung in played.rungs} == {(320, 180), (160, 90)}
    assert set(played.shown) == {rung.id for rung in played.rungs}, "switched while it played"


@pytest.mark.parametrize("way", WAYS)
async def test_a_picture_that_begins_late_plays_from_the_start_of_its_sound(
    way: Way,
    service: Service,
    film: Path,
    browser: Browser,
    script_of: Callable[[str], Path],
) -> None:
    """All begin at 0, also captions that are there before the picture is."""
    out, late_s = service.out / "late", 5
    if not out.exists():
        source = film.with_name("late.mkv")
        whole = f"aresample=async=1:first_pts=0,apad=whole_dur={SECONDS + late_s}"
        run(
            *("-itsoffset", float(late_s * 30 / RATE), "-i", film, "-i", film),
            *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-af", whole, source),
        )
        _, told = packaged(service, source, "late")
        assert "held from the start" in told["decisions"]["lead-in"]
    await play_and_check(
        *(browser, out, way),
        script=script_of(way),
        frames=round(SECONDS * RATE) + late_s * 30,
        rate=RATE,
        captions={"en": CUES},
        numbers=[*[0] * (late_s * 30), *range(round(SECONDS * RATE))],
    )


@pytest.mark.parametrize("way", WAYS)
async def test_a_picture_that_ends_early_plays_until_the_end_of_its_sound(
    way: Way,
    service: Service,
    film: Path,
    browser: Browser,
    script_of: Callable[[str], Path],
) -> None:
    out, own, more_s = service.out / "early", round(SECONDS * RATE), 9
    more = round(more_s * RATE)
    if not out.exists():
        source = film.with_name("early.mkv")
        whole = f"apad=whole_dur={float((own + more) / RATE)}"
        run("-i", film, "-c:v", "copy", "-af", whole, source)
        _, told = packaged(service, source, "early")
        assert "held until the end" in told["decisions"]["lead-out"]
    await play_and_check(
        *(browser, out, way),
        script=script_of(way),
        frames=own + more,
        rate=RATE,
        numbers=[*range(own), *[own - 1] * more],
    )


@pytest.mark.parametrize("way", WAYS)
async def test_a_tiny_still_plays_beside_its_sound(
    way: Way, service: Service, film: Path, browser: Browser, script_of: Callable[[str], Path]
) -> None:
    out, seconds = service.out / "still", 12
    if not out.exists():
        source = film.with_name("still.mkv")
        picture = counted(film.with_name("frame.mkv"), seconds=float(1 / RATE), size="2x2")
        tone = ("-f", "lavfi", "-i", f"sine=300:r=48000:d={seconds}")
        run("-i", picture, *tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy", source)
        told = service.json("package", source, "-o", out, "-p", "convert-to-hls")
        assert "held until the end" in told["decisions"]["lead-out"]
        rules = {each["rule"] for each in service.json("check", out)["findings"]}
        assert rules <= {"hls-several-rates"}
    frames = seconds * 5
    await play_and_check(
        *(browser, out, way),
        script=script_of(way),
        frames=frames,
        rate=Fraction(5),
        numbers=[0] * frames,
    )


@pytest.mark.parametrize("way", ["hls.js", "shaka dash"])
async def test_av1_plays(
    way: Way,
    service: Service,
    film: Path,
    browser: Browser,
    script_of: Callable[[str], Path],
) -> None:
    out = service.out / "av1"
    if not out.exists():
        packaged(service, film, "av1", "--codec", "av1")
    await play_and_check(
        browser, out, way, script=script_of(way), frames=round(SECONDS * RATE), rate=RATE
    )


@pytest.mark.parametrize(
    ("scheme", "way"), [("cbcs", "shaka hls"), ("cbcs", "shaka dash"), ("aes-128", "hls.js")]
)
async def test_an_encrypted_package_plays_with_its_key(
    scheme: str,
    way: Way,
    service: Service,
    film: Path,
    browser: Browser,
    script_of: Callable[[str], Path],
) -> None:
    out = service.out / scheme
    if not out.exists():
        key = ("--key-file", film.with_name("key"), "--key-uri", KEY_URI)
        packaged(service, film, scheme, "--encrypt", scheme, *key)
    listing = json.loads((out / "package.json").read_text())
    known = {listing["encryption"].get("key_id", ""): KEY.hex()} if scheme == "cbcs" else {}
    # DASH tells where to ask for a license, and HLS where the key lies: Shaka Player has no key
    # system for that.
    keys = {
        "hls.js": Keys(served={KEY_URI: KEY}),
        "shaka hls": Keys(clear=known, served={KEY_URI: KEY}),
        "shaka dash": Keys(licensed=known, served={KEY_URI: KEY}),
    }[way]
    await play_and_check(
        *(browser, out, way),
        script=script_of(way),
        frames=round(SECONDS * RATE),
        rate=RATE,
        captions={"en": CUES},
        keys=keys,
    )
    assert not any(
        KEY in path.read_bytes() or KEY.hex() in path.read_bytes().hex()
        for folder in (service.home, out)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "key"
    ), "the key lies nowhere but in its own file"
