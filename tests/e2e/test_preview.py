"""A preview is a job like any other: whole, with roles, and its finished parts are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.service import Service, until

pytestmark = pytest.mark.slow


def parts(service: Service) -> dict[str, int]:
    """Finished parts in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/part-*")
    return {path.name: path.stat().st_ino for path in objects}


@pytest.mark.kill
def test_a_killed_worker_makes_no_finished_part_again(service: Service, source: Path) -> None:
    folder = service.out / "preview"
    command = ("preview", source, "-o", folder, "--every", "0.2", "--id", "preview", "--no-wait")
    done = service.run(*command)
    assert done.returncode == 0, done.stderr
    until(lambda: len(parts(service)) >= 2, 60, "two parts done")
    before = parts(service)
    service.worker().kill()
    result = service.json("watch", "preview")
    assert result["state"] == "succeeded"
    after = parts(service)
    assert before.items() <= after.items(), "a finished part was made again"
    assert len(after) == result["stats"]["chunks"] == 6

    roles = [output["role"] for output in result["outputs"]]
    assert roles.count("thumbnail") == 60
    assert roles.count("storyboard") == 1
    assert {*roles} - {"thumbnail", "storyboard"} == {
        *("poster", "storyboard-vtt", "animation", "waveform", "peaks")
    }
    named = {Path(output["uri"]).name: output["bytes"] for output in result["outputs"]}
    assert named == {path.name: path.stat().st_size for path in folder.iterdir()}
    captions = (folder / "storyboard.vtt").read_text()
    assert all(name in captions for name in named if name.startswith("storyboard-"))


def test_a_preview_of_another_copy_makes_nothing_again(service: Service, source: Path) -> None:
    first = service.json("preview", source, "-o", service.out / "a", "--only", "peaks")
    copy = service.out / "copy.mp4"
    copy.write_bytes(source.read_bytes())
    again = service.json("preview", copy, "-o", service.out / "b", "--only", "peaks")
    assert again["stats"]["chunks_reused"] == 1
    assert again["outputs"][0]["sha256"] == first["outputs"][0]["sha256"]
    document = json.loads((service.out / "b" / "peaks.json").read_text())
    assert document["length"] == -(-12 * 48000 // 256)


def test_a_canceled_preview_leaves_nothing(service: Service, source: Path) -> None:
    service.forget_work()
    folder = service.out / "canceled"
    service.run("preview", source, "-o", folder, "--every", "0.1", "--id", "no", "--no-wait")
    until(service.encoders, 60, "a part in the making")
    assert service.json("pause", "no")["state"] == "paused"
    until(lambda: not service.encoders(), 15, "no encoder while paused")
    assert service.json("cancel", "no")["state"] == "canceled"
    assert not folder.exists()
    assert not list((service.home / "work" / "tmp").iterdir())


def test_what_is_in_the_way_is_told_and_left_alone(service: Service, source: Path) -> None:
    folder = service.out / "taken"
    folder.mkdir()
    (folder / "peaks.json").write_text("mine")
    done = service.run("preview", source, "-o", folder, "--only", "peaks", "--only", "waveform")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]
    assert service.run("preview", source, "-o", source).returncode == 2
    unknown = service.run("preview", source, "-o", folder, "--only", "sprites")
    assert unknown.returncode == 2
    assert "storyboard" in unknown.stderr
