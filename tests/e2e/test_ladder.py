"""An automatic ladder: chosen by test encodes, told by the package, and the same after kills."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from longtake.contracts.ladder import LadderRecord
from tests.browser.every_package import play_every_package
from tests.e2e.service import Service, until
from tests.e2e.test_package import tree
from tests.media.engine import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of a rich picture."""
    target = tmp_path_factory.mktemp("ladder-film") / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25:end_pts=100,noise=alls=8:allf=t"),
        *("-t", 8, "-c:v", "libx264", "-preset", "ultrafast", "-crf", 14, "-g", 50),
        *("-pix_fmt", "yuv420p", target),
    )
    return target


@pytest.fixture(scope="module")
def asked(film: Path) -> tuple[object, ...]:
    preset = film.with_name("quick.yaml")
    preset.write_text("title: quick\naudience: tests\nspeed: {h264: superfast}\n")
    return ("package", film, "-p", preset, "--ladder", "auto")


@pytest.fixture(scope="module")
def undisturbed(service: Service, asked: tuple[object, ...]) -> tuple[Path, Any]:
    out = service.out / "undisturbed"
    return out, service.json(*asked, "-o", out)


def trials(service: Service) -> set[str]:
    """Finished test encodes."""
    return {path.name for path in (service.home / "work" / "objects").glob("*/trials-*")}


def test_the_package_has_the_rungs_that_its_record_tells(
    service: Service, undisturbed: tuple[Path, Any]
) -> None:
    out, result = undisturbed
    record = LadderRecord.model_validate_json((out / "ladder.json").read_bytes())
    (choice,) = record.choices
    listing = json.loads((out / "package.json").read_text())
    pictures = [each for each in listing["renditions"] if each["kind"] == "video"]
    assert [(each["width"], each["height"]) for each in pictures] == [
        (rung.width, rung.height) for rung in choice.rungs
    ]
    assert len(pictures) > 1
    for rendition, rung in zip(pictures, choice.rungs, strict=True):
        # Each of its two chunks may begin with half of a buffer of two seconds on top.
        assert rendition["average_bandwidth_bps"] < 1.3 * rung.max_bitrate_bps
    words = result["decisions"]["ladder h264"]
    assert f"crf {choice.rungs[0].crf:g}" in words
    assert "test encodes of 2 samples" in words
    files = {file["path"]: file["content_type"] for file in listing["files"]}
    assert files["ladder.json"] == "application/json"
    assert files["ladder.svg"] == "image/svg+xml"
    found = service.json("check", out)["findings"]
    assert not [each for each in found if each["severity"] == "error"]


@pytest.mark.kill
def test_killed_among_its_test_encodes_a_job_chooses_the_same_ladder(
    service: Service, asked: tuple[object, ...], undisturbed: tuple[Path, Any]
) -> None:
    service.forget_work()
    out = service.out / "killed"
    assert service.run(*asked, "-o", out, "--id", "killed", "--no-wait").returncode == 0
    until(service.encoders, 90, "a test encode runs")
    service.encoders()[0].kill()
    until(lambda: trials(service), 90, "a sample is measured")
    before = trials(service)
    service.worker().kill()
    result = service.json("watch", "killed")
    assert result["state"] == "succeeded"
    assert result["stats"]["retries"] >= 1
    assert before <= trials(service)
    assert tree(out) == tree(undisturbed[0])


def test_a_source_that_cannot_be_sampled_gets_the_fixed_ladder_and_says_so(
    service: Service, asked: tuple[object, ...], tmp_path: Path
) -> None:
    tiny = tmp_path / "tiny.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=24x24:r=25:d=1", "-pix_fmt", "yuv420p", tiny)
    command, _, *options = asked
    out = service.out / "tiny"
    result = service.json(command, tiny, *options, "-o", out)
    assert "fixed, as the source cannot be sampled" in result["decisions"]["ladder auto"]
    assert not (out / "ladder.json").exists()


def test_every_package_plays(service: Service, pytestconfig: pytest.Config) -> None:
    """Of those that the tests before made."""
    play_every_package(service.out, pytestconfig)
