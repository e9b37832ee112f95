"""Things that went wrong for people with other tools, and what is right: whole jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.cases import inputs
from tests.cases.measure import pictures, sound
from tests.e2e.service import Service, running, until
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), LONGTAKE_DRAIN_GRACE="2") as service:
        yield service


async def history(service: Service, job_id: str) -> list[Any]:
    client = await Client.connect(service.state()["address"])
    events = (await client.get_workflow_handle(job_id).fetch_history()).events
    return list(events)


def attempts(events: list[Any]) -> list[int]:
    started = [event.activity_task_started_event_attributes for event in events]
    return [each.attempt for each in started if each.attempt]


async def test_media_behind_two_gibibytes(service: Service, tmp_path: Path) -> None:
    source = inputs.behind_2_gib(tmp_path)
    output = service.out / "out.mp4"
    done = service.json("transcode", source, "-o", output, "--preset", "web-480p")
    assert len(pictures(output)) == 100
    assert done["outputs"][0]["media"]["duration_s"] == pytest.approx(4.0, abs=0.03)
    assert done["stats"]["peak_memory_bytes"] < 300 << 20
    assert service.worker().memory_info().rss < 300 << 20
    held = [path for path in service.home.rglob("*") if path.is_file()]
    assert sum(path.stat().st_blocks * 512 for path in held) < 100 << 20, "no second copy"


async def test_facts_too_large_for_a_message(service: Service, tmp_path: Path) -> None:
    source = inputs.huge_metadata(tmp_path)
    output = service.out / "sound.mp4"
    found = service.json("probe", source)
    assert found["duration_s"] == pytest.approx(3.0, abs=0.03)
    done = service.json("transcode", source, "-o", output, "--video", "none")
    begin, samples = sound(output)
    assert begin + len(samples) / 48_000 == pytest.approx(3.0, abs=0.03)
    events = await history(service, done["job_id"])
    assert max(attempts(events)) <= 3
    assert max(event.ByteSize() for event in events) < 100_000
    assert len(json.dumps(done)) < 100_000


async def test_an_upload_that_stopped_is_looked_at_once(service: Service, tmp_path: Path) -> None:
    source, output = inputs.upload_stopped(tmp_path), service.out / "stopped.mp4"
    done = service.json("transcode", source, "-o", output, "--id", "stopped", code=1)
    assert done["error"]["type"] == "InputCorrupt"
    assert "20.0 s" in done["error"]["message"]
    assert "9.0 s" in done["error"]["message"]
    assert set(attempts(await history(service, "stopped"))) == {1}
    assert not output.exists()


@pytest.mark.kill
def test_chunks_of_an_open_gop_are_the_same_after_a_kill(service: Service, tmp_path: Path) -> None:
    source = inputs.open_gop_milliseconds(tmp_path)
    options = ("--video", "h264", "--crf", "0", "--chunk", "3", "--speed", "veryslow")
    first = service.json("transcode", source, "-o", service.out / "open-gop.mp4", *options)
    assert first["stats"]["chunks"] >= 3
    service.forget_work()
    again = service.out / "killed.mp4"
    service.start("transcode", source, "-o", again, *options, "--id", "open-gop")
    until(service.chunks, 60, "a chunk is done")
    service.worker().kill()
    assert service.run("watch", "open-gop", timeout=WAIT_S).returncode == 0
    result = service.json("status", "open-gop")
    assert result["stats"]["retries"] >= 1
    (output,) = result["outputs"]
    assert output["sha256"] == first["outputs"][0]["sha256"]
