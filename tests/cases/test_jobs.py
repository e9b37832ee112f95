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
from tests.e2e.service import Service, running

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
