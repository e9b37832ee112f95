"""A batch from the command line, on a service whose processes are killed one after the other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow

SITE = """\
inputs:
  video: {type: video}
  cover: {type: image, optional: true}
texts:
  title: {default: Untitled}
steps:
  film: {kind: transcode, preset: remux, input: {from: inputs.video}, output: film.mp4}
  list: {kind: checksums, files: [{from: film.video}], output: SHA256SUMS}
outputs:
  film: {from: film.video}
  list: {from: list.list}
"""
ITEMS = 18
ITEMS_A_RUN = 5


@pytest.fixture
def folder(service: Service, tmp_path: Path) -> Path:
    """Clips of a second; three of one base name, and one that is no film."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    clip = folder / "00.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=1", "-c:v", "libx264", clip)
    for number in range(1, ITEMS - 3):
        shutil.copyfile(clip, folder / f"{number:02}.mp4")
    for name in ("00.mov", "sub/00.mp4"):
        shutil.copyfile(clip, folder / name)
    (folder / "bad.mp4").write_text("no film")
    return folder


def has_made(output: Path, outputs: int) -> bool:
    return len(list(output.rglob("*.m*"))) >= outputs


def report(output: Path) -> list[dict[str, Any]]:
    (path,) = output.glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_item_is_reported_once_whatever_is_killed(service: Service, folder: Path) -> None:
    output = service.out / "killed"
    service.run("list")  # the service is there
    job = {
        "input": f"{folder}/**/*",
        "output": str(output),
        "job": {"preset": "remux"},
        "max_parallel": 3,
    }
    asked = {"batch": {**job, "kind": "batch"}, "items_a_run": ITEMS_A_RUN}
    begin(service, "killed", asked)
    for part, done in (("control", 1), ("media", 4), ("server", 7), ("control", 10)):
        until(partial(has_made, output, done), 120, f"{done} outputs")
        kill(service, part)
    watched = service.run("watch", "killed", "--json", timeout=WAIT_S)
    assert watched.returncode == 1, watched.stderr
    told = json.loads(watched.stdout)
    assert told["error"]["type"] == "ItemsFailed"
    assert f"1 of {ITEMS} items failed" in told["error"]["message"]
    results = report(output)
    assert [each["number"] for each in results] == list(range(ITEMS))
    assert [Path(each["input"]).name for each in results if each["state"] != "succeeded"] == [
        "bad.mp4"
    ]
    made = {each["output"] for each in results if each["state"] == "succeeded"}
    assert made == {str(path) for path in output.rglob("*.m*")}
    assert {f"{output}/{n}" for n in ("00.mov.mp4", "00.mp4.mp4", "sub/00.mp4")} <= made
    assert len(made) == ITEMS - 1


def test_only_what_failed_runs_again(service: Service, folder: Path) -> None:
    output = service.out / "again"
    pattern = f"{folder}/0[0-3]*"
    dry = service.json("batch", pattern, "-o", output, "--preset", "remux", "--dry-run")
    assert [item["would"] for item in dry["items"]] == ["run"] * 5
    assert not output.exists()
    assert service.json("list", "--kind", "batch", "--tenant", "nobody") == []

    (folder / "02.mp4").write_text("no film")
    done = service.run("batch", pattern, "-o", output, "--preset", "remux", timeout=WAIT_S)
    assert done.returncode == 1
    assert "1 of 5 items failed" in done.stderr
    shutil.copyfile(folder / "01.mp4", folder / "02.mp4")
    words = ("--preset", "remux", "--retry-failed", "--json")
    again = service.run("batch", pattern, "-o", output, *words, timeout=WAIT_S)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["stats"]["chunks_reused"] == 4
    assert [Path(each["input"]).name for each in report(output) if each["ran"]] == ["02.mp4"]
    dry = service.json("batch", pattern, "-o", output, "--preset", "remux", "--dry-run")
    assert {item["would"] for item in dry["items"]} == {"succeeded"}


def test_a_pipeline_for_each_file(service: Service, folder: Path, tmp_path: Path) -> None:
    """Each into a folder of its own; one that fails stops no other."""
    output = service.out / "pipelines"
    document = tmp_path / "site.yaml"
    document.write_text(SITE)
    films = (folder / "00.mp4", folder / "bad.mp4")
    command = ("batch", *films, "-o", output, "--pipeline", document)
    dry = service.json(*command, "--dry-run")
    assert [item["output"] for item in dry["items"]] == [f"{output}/00", f"{output}/bad"]
    done = service.run(*command, "--text", "title=Our talk", timeout=WAIT_S)
    assert done.returncode == 1
    assert "1 of 2 items failed" in done.stderr
    assert sorted(path.name for path in (output / "00").iterdir()) == ["SHA256SUMS", "film.mp4"]
    good, bad = report(output)
    assert (good["state"], bad["state"]) == ("succeeded", "failed")
    assert bad["error"]["type"] == "InputUnsupported"
    assert bad["error"]["message"].startswith("step film: ")
    parts = ("list", "--of", good["job_id"])
    film = {f"{good['job_id']}.film"}
    until(lambda: {job["job_id"] for job in service.json(*parts)} == film, 30, "it is listed")

    shutil.copyfile(folder / "00.mp4", folder / "bad.mp4")
    again = service.run(*command, "--text", "title=Our talk", "--json", timeout=WAIT_S)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["stats"]["chunks_reused"] == 1
    assert (output / "bad" / "film.mp4").is_file()
    refused = service.run(*command, "--text", "tilte=Our talk")
    assert refused.returncode == 2
    assert "texts.tilte: the pipeline asks for no such thing" in refused.stderr


def test_a_list_on_stdin_and_a_job_of_another_kind(service: Service, folder: Path) -> None:
    output = service.out / "sound"
    run("-f", "lavfi", "-i", "sine=d=1", folder / "tone.wav")
    words = ("batch", "-", "-o", output, "--kind", "normalize", "--set", "target=podcast")
    done = subprocess.run(
        service.command(*words),
        env=service.environment,
        input="tone.wav\n",
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert (output / "tone.wav").is_file()
    assert [each["job_id"].partition("-")[0] for each in report(output)] == ["normalize"]


def test_what_lies_in_the_way_of_one_item_stops_no_other(service: Service, folder: Path) -> None:
    output = service.out / "blocked"
    output.mkdir()
    (output / "sub").write_text("a file where a folder is wanted")
    words = (f"{folder}/**/00.mp4", "-o", output, "--preset", "remux")
    done = service.run("batch", *words, timeout=WAIT_S)
    assert done.returncode == 1
    good, blocked = report(output)
    assert (good["state"], blocked["state"]) == ("succeeded", "failed")
    assert blocked["error"]["type"] == "OutputConflict"
    assert f"{output}/sub" in blocked["error"]["message"]


def test_a_cancelled_batch_leaves_no_item(service: Service, folder: Path) -> None:
    output = service.out / "canceled"
    for name in ("90.mp4", "91.mp4"):
        run(
            *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=20", "-c:v", "libx264"),
            *("-preset", "ultrafast", folder / name),
        )
    slow = ("video.speed=veryslow", "video.height=1080", "video.upscale=true")
    words = [word for each in slow for word in ("--set", each)]
    service.start("batch", f"{folder}/9*.mp4", "-o", output, "--id", "stop", *words)
    until(service.encoders, 60, "items run")
    assert service.run("cancel", "stop").returncode == 0
    status = service.json("status", "stop")
    assert status["state"] == "canceled"
    assert f"{output}/stop.jsonl tells of each item" in status["error"]["message"]
    assert [each["state"] for each in report(output)] == ["canceled"] * 2
    until(lambda: not service.encoders(), 20, "no encoder left")
    running = ("list", "--of", "stop", "--state", "running")
    until(lambda: service.json(*running) == [], 20, "no item runs")
    assert not list(output.glob(".*.part"))


def begin(service: Service, job_id: str, asked: dict[str, Any]) -> None:
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    subprocess.run(
        [
            *(str(binary), "workflow", "start", "--type", "Batch", "--task-queue", "longtake"),
            *("--workflow-id", job_id, "--input", json.dumps(asked)),
            *("--address", service.state()["address"]),
        ],
        check=True,
        capture_output=True,
        timeout=WAIT_S,
    )


def kill(service: Service, part: str) -> None:
    """SIGKILL to the control worker, the media worker, or the Temporal server."""
    if part == "media":
        service.worker().kill()
        return
    if part == "control":
        (pid,) = (w["pid"] for w in service.state()["workers"] if w["roles"] == ["control"])
        psutil.Process(pid).kill()
        return
    for process in service.processes():
        if "start-dev" in process.cmdline():
            process.kill()
