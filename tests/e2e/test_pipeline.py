"""Pipelines from the command line: what an end in the middle leaves, a change, a plan, a person."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import MISSING, browsing, find_chromium
from tests.browser.temporal_ui import send_signal
from tests.e2e.service import Service, until
from tests.e2e.trees import files
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.speech import say

pytestmark = pytest.mark.slow

SITE = """\
title: A film for a site
inputs:
  video: {{type: video}}
steps:
  level: {{kind: normalize, input: {{from: inputs.video}}, output: levelled.mkv, target: streaming}}
  film:
    kind: transcode
    input: {{from: level.video}}
    output: film.mp4
    video: {{codec: h264, crf: {crf}, speed: medium}}
  small:
    kind: transcode
    input: {{from: inputs.video}}
    output: small.mp4
    video: {{codec: h264, crf: 35, height: 120, speed: medium}}
  list:
    kind: checksums
    files: [{{from: film.video}}, {{from: small.video}}]
    output: SHA256SUMS
outputs:
  film: {{from: film.video}}
  small: {{from: small.video}}
  list: {{from: list.list}}
"""

IMPOSSIBLE = """\
  beyond:
    kind: command
    input: {from: level.video}
    output: beyond.mp4
    arguments: [-vf, "crop=9999:9999"]
"""


@pytest.fixture(scope="module")
def talk(service: Service) -> Path:
    """4 s of picture, with a sentence."""
    said = say("We will meet again on Monday.").write(service.out / "said.wav")
    target = service.out / "talk.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-i", said, "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return target


def site(service: Service, crf: int) -> Path:
    path = service.out / f"site-{crf}.yaml"
    path.write_text(SITE.format(crf=crf))
    return path


def states(result: Any) -> dict[str, tuple[str, bool]]:
    return {step["name"]: (step["state"], step["reused"]) for step in result["steps"]}


@pytest.mark.kill
@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_one_that_ends_in_the_middle_leaves_nothing_half_done(
    service: Service, talk: Path, end: str
) -> None:
    service.forget_work()
    folder, document = service.out / end, service.out / f"{end}.yaml"
    text = SITE.format(crf=30)
    if end == "failed":
        text = text.replace("\noutputs:", f"\n{IMPOSSIBLE}outputs:")
    document.write_text(text)
    command = ("run", document, "--input", f"video={talk}", "-o", folder, "--id", end)
    done = service.run(*command, "--no-wait")
    assert done.returncode == 0, done.stderr
    if end == "canceled":
        kill_while_it_publishes(service, folder)
        service.run("cancel", end)
    watched = service.run("watch", end)
    assert watched.returncode != 0, watched.stderr
    assert service.json("status", end)["state"] == end
    left = files(folder)
    assert left.keys() <= {"film.mp4", "small.mp4", "SHA256SUMS"}
    until(lambda: not service.encoders(), 10, "no encoder left")
    until(lambda: not list((service.home / "work" / "tmp").iterdir()), 10, "no draft left")

    document.write_text(SITE.format(crf=30))
    again = command[:-2]
    service.json(*again)
    assert left.items() <= files(folder).items(), "what lay there was not whole"


def kill_while_it_publishes(service: Service, folder: Path) -> None:
    """Kill the worker while an output in the making lies in the folder; it lies there still."""
    worker, deadline = service.worker(), time.monotonic() + WAIT_S
    while not list(folder.glob(".longtake-*-*.part")):
        assert time.monotonic() < deadline, "nothing was published"
        time.sleep(0.002)
    worker.suspend()
    left = list(folder.glob(".longtake-*-*.part"))
    worker.kill()
    assert left, "it was published before the worker stood still"


def jobs(service: Service, *wanted: str) -> set[str]:
    """Ids of the jobs that are listed."""
    return {job["job_id"] for job in service.json("list", *wanted)}


def test_a_changed_pipeline_does_only_what_changed(service: Service, talk: Path) -> None:
    given = ("--input", f"video={talk}", "-o", service.out / "changed", "--explain")
    first = service.json("run", site(service, 30), *given)
    children = {f"{first['job_id']}.{name}" for name in ("level", "film", "small")}
    until(lambda: jobs(service, "--of", first["job_id"]) == children, 30, "they are listed")
    again = service.json("run", site(service, 38), *given, "--overwrite")
    assert states(again) == {
        "level": ("done", True),
        "small": ("done", True),
        "film": ("done", False),
        "list": ("done", False),
    }
    (film,) = [step for step in again["steps"] if step["name"] == "film"]
    assert film["why"] == "its settings changed: video.crf (there 30, here 38)"
    last = service.run("run", site(service, 38), *given, "--overwrite")
    assert "done before: job" in last.stderr
    assert last.stderr.count("done before: nothing changed") == 4


def test_a_plan_starts_nothing(service: Service, talk: Path) -> None:
    folder, tenant = service.out / "planned", ("--tenant", "planner")
    given = ("--input", f"video={talk}", "-o", folder, *tenant)
    command = ("run", "video-upload", *given, "--plan")
    done = service.run(*command)
    assert "└─ stream  package" in done.stdout
    assert "flowchart LR" in done.stdout
    assert service.json(*command)["cpu_s"]["stream"] > 0
    assert not folder.exists()
    # Lists come late, but in order: what was begun before a job is listed when that job is.
    after = ("transcode", talk, "-o", service.out / "after.mp4", "--preset", "remux", *tenant)
    service.json(*after, "--id", "after")
    until(lambda: jobs(service, *tenant), 30, "a job of the tenant is listed")
    assert jobs(service, *tenant) == {"after"}


def waiting(service: Service, talk: Path, job_id: str) -> Path:
    """The folder of a pipeline whose last step waits for a person."""
    path = service.out / "gated.yaml"
    gate = "kind: checksums\n    gate: approval"
    path.write_text(SITE.format(crf=30).replace("kind: checksums", gate))
    folder = service.out / job_id
    command = ("run", path, "--input", f"video={talk}", "-o", folder, "--id", job_id)
    service.run(*command, "--no-wait")
    until(
        lambda: (
            "approval of list" in str(service.json("status", job_id)["progress"]["waiting_for"])
        ),
        60,
        "the gate",
    )
    assert not (folder / "SHA256SUMS").exists()
    return folder


def test_a_person_lets_it_through(service: Service, talk: Path) -> None:
    folder = waiting(service, talk, "gated")
    assert service.run("approve", "gated", "film").returncode == 2
    service.json("approve", "gated", "list")
    watched = service.run("watch", "gated", timeout=WAIT_S)
    assert watched.returncode == 0
    assert "\nlist         done" in watched.stderr, "each step is shown"
    assert (folder / "SHA256SUMS").exists()


def test_a_person_steers_it_in_temporals_ui(service: Service, talk: Path) -> None:
    executable = find_chromium()
    if executable is None:
        pytest.skip(MISSING)
    folder = waiting(service, talk, "steered")

    async def steer() -> None:
        async with browsing(executable) as browser:
            ui = service.state()["ui"]
            told = await send_signal(browser, ui, "steered", "pause")
            assert told == "Stop running steps and start no new ones. No input."
            until(lambda: service.json("status", "steered")["state"] == "paused", 60, "the pause")
            await send_signal(browser, ui, "steered", "resume")
            told = await send_signal(browser, ui, "steered", "approve", '"list"')
            assert told == 'Let a step with a gate through. Input: its name, as "publish".'

    asyncio.run(steer())
    assert service.run("watch", "steered", timeout=WAIT_S).returncode == 0
    assert (folder / "SHA256SUMS").exists()
