"""What an operator sees of a job: one trace from client to child, and metrics that add up."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.collector import Collector, Span, collecting
from tests.e2e.service import Service, running, until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.ports import free_ports

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Watched:
    """A service with open eyes, after one job of three chunks and one that failed."""

    service: Service
    collector: Collector
    port: int
    done: Any

    def scrape(self, port: int) -> dict[str, dict[str, float]]:
        """Values by name, then by labels."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S) as answer:
            lines = answer.read().decode().splitlines()
        found: dict[str, dict[str, float]] = {}
        for line in lines:
            if matched := re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line):
                name, labels, value = matched.groups()
                found.setdefault(name, {})[labels or ""] = float(value)
        return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, port = tmp_path_factory.mktemp("watched"), free_ports(2)
    source = folder / "clip.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6", "-f", "lavfi", "-i"),
        *("sine=440:r=48000:d=6", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", source),
    )
    with collecting() as collector:
        environment = {
            "LONGTAKE_METRICS": f"127.0.0.1:{port}",
            "LONGTAKE_DRAIN_GRACE": "2",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "NO_PROXY": "127.0.0.1",
        }
        with running(folder, **environment) as service:
            quick = ("--video", "h264", "--crf", "30", "--speed", "ultrafast", "--chunk", "2")
            done = service.json("transcode", source, "-o", service.out / "out.mp4", *quick)
            text = folder / "text.mp4"
            text.write_text("this is not a film")
            refused = service.run("transcode", text, "-o", service.out / "no.mp4")
            assert "InputUnsupported" in refused.stderr
            yield Watched(service, collector, port, done)


def named(collector: Collector, name: str, count: int = 1) -> list[Span]:
    """The spans of a name in the trace of the job that succeeded."""

    def found() -> list[Span]:
        traces = {s.trace for s in collector.spans if s.name == "child:ffmpeg"}
        return [s for s in collector.spans if s.name == name and s.trace in traces]

    until(lambda: len(found()) >= count, 20, f"{count} spans {name}")
    return found()


def test_one_trace_leads_from_the_client_to_every_child(watched: Watched) -> None:
    collector = watched.collector
    (start,) = named(collector, "StartWorkflow:Transcode")
    assert (start.service, start.parent) == ("longtake", b"")
    (workflow,) = named(collector, "RunWorkflow:Transcode")
    assert (workflow.service, workflow.parent) == ("longtake-worker", start.id)
    tries = named(collector, "RunActivity:encode_chunk", 3)
    assert len(tries) == watched.done["stats"]["chunks"] == 3
    frames = 0
    for each in tries:
        (encoder,) = collector.children(each)
        assert encoder.name == "child:ffmpeg"
        assert encoder.attributes["process.exit.code"] == 0
        assert encoder.attributes["longtake.cpu_s"] > 0
        assert 0 < encoder.seconds <= each.seconds
        frames += encoder.attributes["longtake.frames"]
    assert frames == 150
    (admit,) = named(collector, "RunActivity:admit")
    (reader,) = collector.children(admit)
    assert reader.name == "child:inspect"
    (assemble,) = named(collector, "RunActivity:assemble")
    assert {"child:ffmpeg", "child:inspect"} <= {s.name for s in collector.children(assemble)}
    by_id = {span.id: span for span in collector.spans}
    for span in collector.spans:
        if span.trace == start.trace and span.id != start.id:
            assert by_id[span.parent].trace == start.trace, f"{span.name} hangs in the air"


def test_a_step_that_fails_is_red(watched: Watched) -> None:
    def failed() -> list[Span]:
        spans = watched.collector.spans
        return [s for s in spans if s.name == "RunActivity:admit" and s.failed]

    until(failed, 20, "the refused job's span")


def test_asking_for_progress_makes_no_trace(watched: Watched) -> None:
    named(watched.collector, "RunActivity:conclude")
    assert not [span for span in watched.collector.spans if "Query" in span.name]


def test_metrics_tell_what_was_done(watched: Watched) -> None:
    found = watched.scrape(watched.port + 1)
    parts = found["longtake_parts_total"]
    chunks = {labels: value for labels, value in parts.items() if "encode_chunk" in labels}
    ((labels, count),) = chunks.items()
    assert 'reused="false"' in labels
    assert count == 3
    stats = watched.done["stats"]
    assert sum(found["longtake_written_bytes_total"].values()) == stats["bytes_written"]
    cpu = sum(v for k, v in found["longtake_child_cpu_seconds_sum"].items() if "ffmpeg" in k)
    assert cpu == pytest.approx(stats["cpu_s"], abs=0.05)
    media = found["longtake_media_seconds_sum"]
    encoded = sum(value for labels, value in media.items() if "encode_chunk" in labels)
    assert encoded == pytest.approx(6.0, abs=0.01)
    jobs = found["longtake_jobs_total"]
    ended = {
        state: sum(v for k, v in jobs.items() if f'state="{state}"' in k)
        for state in ("succeeded", "failed")
    }
    assert ended == {"succeeded": 1, "failed": 1}
    assert found["longtake_work_store_free_bytes"][""] > 0


def test_the_sdks_metrics_stand_beside_ours(watched: Watched) -> None:
    media, control = watched.scrape(watched.port + 1), watched.scrape(watched.port)
    slots = media["temporal_worker_task_slots_available"]
    assert next(value for labels, value in slots.items() if '"longtake-io"' in labels) == 8
    assert sum(control["temporal_workflow_completed_total"].values()) == 1
    assert "temporal_activity_schedule_to_start_latency_seconds_count" in media


LATER = {"longtake_retries_total"}
"""Served once there is something to count."""
PARTS = re.compile(r"_(bucket|count|sum)$")


def test_the_names_that_are_told_are_those_that_are_served(watched: Watched) -> None:
    root = Path(__file__).parents[2]
    rules = (root / "deploy" / "prometheus" / "rules.yaml").read_text()
    assert yaml.safe_load(rules)["groups"][0]["rules"]
    pages = rules + (root / "docs" / "operations.md").read_text()
    told = {PARTS.sub("", name) for name in re.findall(r"\b(?:longtake|temporal)_[a-z_]+\b", pages)}
    served = {
        PARTS.sub("", name)
        for port in (watched.port, watched.port + 1)
        for name in watched.scrape(port)
    }
    assert told - served <= LATER, "told, but not served"
    ours = {name for name in served if name.startswith("longtake_")}
    assert ours <= told, "served, but not told"
