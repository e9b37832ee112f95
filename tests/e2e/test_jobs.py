"""One job however often it is asked for; pause, resume, cancel, deadline; nothing done twice."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Film
from tests.e2e.service import Service, until
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow


def start(service: Service, film: Film, name: str, *extra: str) -> Path:
    output = service.out / f"{name}.mp4"
    service.forget_work()
    done = service.run(
        "transcode", film.path, "-o", output, *film.options, "--id", name, "--no-wait", *extra
    )
    assert done.returncode == 0, done.stderr
    return output


def state(service: Service, name: str) -> str:
    return str(service.json("status", name)["state"])


def test_json_is_one_document_with_everything(service: Service, clip: Film) -> None:
    output = service.out / "document.mp4"
    done = service.run("transcode", clip.path, "-o", output, *clip.options, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "succeeded"
    (made,) = document["outputs"]
    assert made["uri"] == str(output)
    assert made["bytes"] == output.stat().st_size
    assert made["sha256"] == clip.sha256
    assert made["media"]["video"][0]["frames"] == 100
    assert made["media"]["duration_s"] == pytest.approx(4, abs=0.05)
    assert document["stats"]["media_s"] == pytest.approx(4, abs=0.05)
    progress = service.json("status", document["job_id"])["progress"]
    assert progress["chunks_done"] == progress["chunks_total"] == clip.chunks


def test_the_same_content_in_a_second_job_encodes_nothing(service: Service, clip: Film) -> None:
    first = service.out / "first.mp4"
    service.json("transcode", clip.path, "-o", first, *clip.options)
    copy = service.out / "copy-of-source.mp4"
    copy.write_bytes(clip.path.read_bytes())
    again = service.json("transcode", copy, "-o", service.out / "second.mp4", *clip.options)
    assert again["stats"]["chunks_reused"] == again["stats"]["chunks"] == clip.chunks
    assert again["stats"]["encode_s"] == 0
    assert again["outputs"][0]["sha256"] == clip.sha256


def test_the_same_command_twice_at_once_is_one_job(service: Service, clip: Film) -> None:
    service.forget_work()
    output = service.out / "twice.mp4"
    command = service.command("transcode", clip.path, "-o", output, *clip.options, "--json")
    both = [
        subprocess.Popen(
            command,
            env=service.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=WAIT_S)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    documents = [json.loads(answer) for answer in answers]
    assert documents[0]["job_id"] == documents[1]["job_id"]
    assert documents[0]["outputs"] == documents[1]["outputs"]


def test_the_same_command_after_success_does_nothing(service: Service, clip: Film) -> None:
    output = service.out / "done.mp4"
    first = service.json("transcode", clip.path, "-o", output, *clip.options)
    before = output.stat()
    again = service.json("transcode", clip.path, "-o", output, *clip.options)
    assert again["job_id"] == first["job_id"]
    assert (output.stat().st_ino, output.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    output.unlink()
    service.json("transcode", clip.path, "-o", output, *clip.options)
    assert output.exists()


def test_the_same_id_for_other_content_is_refused(service: Service, clip: Film) -> None:
    service.json("transcode", clip.path, "-o", service.out / "a.mp4", *clip.options, "--id", "one")
    other = service.out / "b.mp4"
    done = service.run("transcode", clip.path, "-o", other, "--crf", "40", "--id", "one")
    assert done.returncode == 2
    assert "one" in done.stderr
    assert not other.exists()


def test_pause_frees_the_machine_and_resume_goes_on(service: Service, film: Film) -> None:
    output = start(service, film, "paused")
    until(service.encoders, 60, "under way")
    assert service.run("pause", "paused").returncode == 0
    until(lambda: not service.encoders(), 15, "encoders stopped")
    assert state(service, "paused") == "paused"
    chunks = service.chunks()
    assert service.run("resume", "paused").returncode == 0
    assert service.json("watch", "paused")["outputs"][0]["sha256"] == film.sha256
    assert chunks.items() <= service.chunks().items()
    assert output.exists()


def test_cancel_ends_within_seconds_and_leaves_nothing(service: Service, film: Film) -> None:
    output = start(service, film, "unwanted")
    until(service.encoders, 60, "under way")
    assert service.run("cancel", "unwanted").returncode == 0
    until(lambda: state(service, "unwanted") == "canceled", 15, "canceled")
    assert not service.encoders()
    assert not output.exists()
    assert not list(service.out.glob(".*"))
    watched = service.run("watch", "unwanted")
    assert watched.returncode == 1
    assert "JobCanceled" in watched.stderr
    assert service.run("retry", "unwanted").returncode == 0
    assert service.json("status", "unwanted")["outputs"][0]["sha256"] == film.sha256


def test_a_job_past_its_deadline_fails_with_words(service: Service, film: Film) -> None:
    output = start(service, film, "late", "--deadline", "1s")
    watched = service.run("watch", "late")
    assert watched.returncode == 1
    assert "DeadlineExceeded" in watched.stderr
    assert not output.exists()
    until(lambda: not service.encoders(), 10, "encoders stopped")


def test_progress_never_falls_and_stays_within_bounds(service: Service, film: Film) -> None:
    start(service, film, "watched")
    seen = []
    while True:
        status = service.json("status", "watched")
        seen.append(status["progress"]["fraction"] if status.get("progress") else 1.0)
        if status["state"] != "running" and status["state"] != "queued":
            break
    assert status["state"] == "succeeded"
    assert seen == sorted(seen)
    assert all(0 <= fraction <= 1 for fraction in seen)


def test_a_job_that_needs_a_gpu_waits_and_says_so(service: Service, clip: Film) -> None:
    start(service, clip, "gpu", "--gpu", "require")
    until(
        lambda: "gpu" in str(service.json("status", "gpu")["progress"]["waiting_for"]),
        30,
        "waiting for a GPU worker in words",
    )
    assert service.run("cancel", "gpu").returncode == 0
    until(lambda: state(service, "gpu") == "canceled", 15, "canceled")


def test_preferring_a_gpu_falls_back_only_on_record(service: Service, clip: Film) -> None:
    done = service.json(
        "transcode", clip.path, "-o", service.out / "p.mp4", *clip.options, "--gpu", "prefer"
    )
    assert "no GPU worker is alive" in done["decisions"]["gpu"]
    assert done["outputs"][0]["sha256"] == clip.sha256


def test_jobs_are_listed_with_their_states(service: Service, clip: Film) -> None:
    service.json("transcode", clip.path, "-o", service.out / "l.mp4", *clip.options, "--id", "l")

    def state() -> list[str]:
        return [job["state"] for job in service.json("list") if job["job_id"] == "l"]

    until(lambda: state() == ["succeeded"], 30, "it is listed, once, with its state")
