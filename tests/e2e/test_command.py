"""A command of the user's own is a job like any other, and reaches nothing but its two files."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, until
from tests.media.engine import frames, run
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow

SECRET = "do-not-tell-2f1c"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clip") / "clip.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=192x108:r=10:d=2", "-f", "lavfi", "-i", "sine=d=2"),
        *("-c:v", "ffv1", "-c:a", "flac", target),
    )
    return target


@pytest.fixture(scope="module")
def secret(service: Service) -> Path:
    path = service.out / "secret.txt"
    path.write_text(SECRET)
    return path


def test_a_command_is_run_verified_and_published(service: Service, clip: Path) -> None:
    output = service.out / "flipped.mkv"
    words = ("--", "-ss", "0.5", "-i", "{input}", "-vf", "hflip", "-c:v", "ffv1", "-c:a", "copy")
    done = json.loads(service.run("command", clip, "-o", output, "--json", *words).stdout)
    assert done["state"] == "succeeded"
    (made,) = done["outputs"]
    assert made["uri"] == str(output)
    assert made["role"] == "main"
    assert made["media"]["video"][0]["frames"] == 15
    shown = [md5 for _, md5 in frames(output, "yuv420p")]
    assert shown == [md5 for _, md5 in frames(clip, "yuv420p", "hflip")][5:]
    again = service.run("command", clip, "-o", output, "--json", *words)
    assert "done before" in again.stderr

    def listed() -> list[tuple[str, str]]:
        jobs = service.json("list", "--kind", "command")
        return [(job["input"], job["output"]) for job in jobs]

    until(lambda: listed().count((str(clip), str(output))) == 1, 30, "it is listed, once")


def test_a_refused_argument_names_itself_and_costs_nothing(
    service: Service, clip: Path, secret: Path
) -> None:
    output = service.out / "leak.mp4"
    done = service.run("command", clip, "-o", output, "--", "-vf", f"movie={secret}")
    assert done.returncode == 2
    assert "argument" in done.stderr
    assert "filter 'movie' is refused: it opens files" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not output.exists()


def test_a_worker_refuses_what_no_client_has_checked(
    service: Service, clip: Path, secret: Path
) -> None:
    output = service.out / "unchecked.mp4"
    job = {"input": str(clip), "output": str(output), "arguments": ["-vf", f"subtitles={secret}"]}
    answer = ask_temporal(service, "unchecked", job)
    assert "InvalidJob" in answer
    assert "filter 'subtitles' is refused" in answer
    assert SECRET not in answer
    assert not output.exists()
    logs = "".join(path.read_text() for path in (service.home / "logs").glob("*") if path.is_file())
    assert SECRET not in logs
    assert SECRET not in json.dumps(service.json("status", "unchecked"))


def test_what_cannot_be_read_back_is_not_published(service: Service, clip: Path) -> None:
    output = service.out / "nothing.mkv"
    done = service.run("command", clip, "-o", output, "--", "-ss", "60", "-c", "copy")
    assert done.returncode == 2, done.stderr
    assert "read back" in done.stderr
    assert not output.exists()
    assert not list(service.out.glob(".*.part"))


def test_a_killed_command_is_run_again_whole(service: Service, clip: Path) -> None:
    output = service.out / "slow.mkv"
    slow = ("-vf", "loop=loop=60:size=20,scale=1280:720,nlmeans=s=2", "-c:v", "ffv1", "-an")
    job = service.run("command", clip, "-o", output, "--id", "slow", "--no-wait", "--", *slow)
    assert job.returncode == 0, job.stderr
    until(service.encoders, 60, "FFmpeg runs")[0].kill()
    until(lambda: running_attempt(service, "slow") >= 2, 30, "a second attempt")
    assert service.run("cancel", "slow").returncode == 0
    assert service.json("status", "slow")["state"] == "canceled"
    until(lambda: not service.encoders(), 10, "no encoder left")
    assert not output.exists()


def test_a_late_command_fails_by_its_deadline(service: Service, clip: Path) -> None:
    output = service.out / "late.mkv"
    slow = ("-vf", "loop=loop=60:size=20,scale=1280:720,nlmeans=s=2", "-c:v", "ffv1", "-an")
    done = service.run("command", clip, "-o", output, "--deadline", "2s", "--", *slow)
    assert done.returncode == 1
    assert "DeadlineExceeded" in done.stderr
    assert not output.exists()
    until(lambda: not service.encoders(), 10, "no encoder left")


def test_the_example_runs_as_it_stands(service: Service, clip: Path) -> None:
    folder = service.out / "example"
    folder.mkdir()
    example = Path(__file__).parents[2] / "examples" / "look_at_a_film.py"
    done = subprocess.run(
        [sys.executable, str(example), str(clip), str(folder)],
        env=service.environment | {"PYTHONPATH": str(example.parents[1])},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "preview" / "poster.jpg").is_file()
    assert (folder / "mirrored.mp4").is_file()
    assert "storyboard-vtt" in done.stdout


def running_attempt(service: Service, job: str) -> int:
    described = temporal(service, "workflow", "describe", "--workflow-id", job)
    pending = json.loads(described).get("pendingActivities") or [{}]
    return int(pending[0].get("attempt", 0))


def ask_temporal(service: Service, job_id: str, job: dict[str, Any]) -> str:
    return temporal(
        service,
        *("workflow", "execute", "--type", "Command", "--task-queue", "longtake"),
        *("--workflow-id", job_id, "--input", json.dumps(job)),
    )


def temporal(service: Service, *words: str) -> str:
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    address = service.state()["address"]
    done = subprocess.run(
        [str(binary), *words, "--address", address, "--output", "json"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout + (done.stderr if done.returncode else "")
