"""The documentation is true: its commands run, its links lead somewhere, its tables are whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from longtake import arguments, errors, presets
from longtake.contracts.command import Command
from longtake.contracts.encode import AudioOptions, VideoOptions
from longtake.contracts.package import Package
from longtake.contracts.result import JobResult, Progress, Stage, State, Stats
from longtake.contracts.stitch import Part, Stitch
from longtake.contracts.transcode import Transcode
from longtake.errors import LongtakeError
from longtake.kinds import KINDS, parse
from longtake.packages import package_presets, resolve_package
from longtake.stitching import resolve_stitch, stitch_presets
from media.check.rules import RULES
from media.ffmpeg.tools import ffmpeg
from tests.e2e.service import Service, running, until
from tests.patience import WAIT_S

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").glob("*.md")])

_BLOCK = re.compile(r"^```sh run ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Page:
    """The blocks of a page that run, each with the variables that those before it exported."""

    def __init__(self, page: Path, folder: Path, environment: dict[str, str]) -> None:
        self._blocks = iter([(name, text) for name, text in _BLOCK.findall(page.read_text())])
        self._next = next(self._blocks, None)
        self._folder = folder
        self._environment = environment
        self.ran = 0

    def run(self, *named: str) -> None:
        """Run the blocks up to one with a name; then, if it is asked for, that one."""
        for wanted in named or ("",):
            if wanted:
                assert self._next is not None, f"no block {wanted!r}"
                assert self._next[0] == wanted
                self._run_next()
            while self._next is not None and not self._next[0]:
                self._run_next()

    def is_at_the_end(self) -> bool:
        return self._next is None

    def _run_next(self) -> None:
        assert self._next is not None
        _, text = self._next
        self._next = next(self._blocks, None)
        self.ran += 1
        log, after = self._folder / f"block-{self.ran}.log", self._folder / "environment"
        script = f"set -eu\n{text}\nenv -0 > {after}\n"
        # To a file: what a command starts in the background would keep a pipe open.
        with log.open("wb") as output:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=WAIT_S,
            )
        assert done.returncode == 0, f"{text}\n---\n{log.read_text()}"
        variables = after.read_text().split("\0")
        self._environment = dict(variable.split("=", 1) for variable in variables if variable)

    def json(self, name: str) -> Any:
        return json.loads((self._folder / name).read_text())

    def text(self, name: str) -> str:
        return (self._folder / name).read_text()

    def temporal(self, *words: str) -> Any:
        """Ask Temporal in the page's environment."""
        command = ["temporal", *words, "--output", "json"]
        done = subprocess.run(command, env=self._environment, capture_output=True, timeout=WAIT_S)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    scripts = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    path = os.pathsep.join([*scripts, os.environ["PATH"]])
    with running(tmp_path, PATH=path, LONGTAKE_DRAIN_GRACE="2") as service:
        yield service


@pytest.mark.slow
def test_the_temporal_page_works_as_it_stands(service: Service, tmp_path: Path) -> None:
    clips, folder = tmp_path / "in", service.out
    clips.mkdir()
    make_clip(clips / "talk.mp4", "320x180", seconds=4)
    make_clip(clips / "film.mov", "640x360", seconds=12)
    page = Page(
        DOCS / "temporal.md",
        tmp_path,
        service.environment | {"IN": str(clips), "OUT": str(folder)},
    )

    page.run()  # from the start of the service to the job `long` that is under way
    result = one_result(page.json("result.json"))
    (output,) = result["outputs"]
    assert result["state"] == "succeeded"
    assert output["uri"] == str(folder / "talk.mp4")
    assert output["bytes"] == (folder / "talk.mp4").stat().st_size
    assert output["media"]["video"][0]["frames"] == 100
    assert {path.name for path in folder.iterdir()} == MADE
    assert {path.name for path in (folder / "pictures").iterdir()} == {"poster.jpg", "peaks.json"}
    assert (folder / "site" / "SHA256SUMS").is_file()
    assert (folder / "every" / "talk.mp4").is_file()
    assert "there is no file /no/such/film.mp4" in page.text("missing.txt")
    assert "imput" in page.text("misspelt.txt")
    assert page.json("describe.json")["workflowExecutionInfo"]["status"].endswith("RUNNING")
    beat = until(lambda: first_beat(page), 20, "a running chunk says how far it is")
    assert beat.keys() >= {"stage", "fraction", "frames", "fps", "speed"}

    page.run("pause")
    assert page.json("paused.json")["queryResult"][0]["state"] == "paused"
    until(lambda: not busy(page), 15, "the paused job holds no worker")
    assert service.json("status", "long")["state"] == "paused"

    page.run("resume")
    until(lambda: busy(page), 15, "the resumed job goes on")

    page.run("cancel")
    status = until(lambda: closed(page, "long"), 15, "the cancelled job is over")
    assert status.endswith("CANCELED")
    assert "the customer left" in page.text("later.txt")
    (nightly,) = until(lambda: scheduled(page, "nightly"), 20, "the schedule has started a job")
    until(lambda: (folder / "nightly" / "talk.mp4").is_file(), 60, "and the job has run")
    assert service.json("schedule", "list")[0]["schedule_id"] == "nightly"
    assert service.json("status", nightly)["kind"] == "batch"

    page.run("scheduled")
    assert page.is_at_the_end()
    events = {event["eventType"] for event in page.json("history.json")["events"]}
    assert "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED" in events

    jobs = [line.split(maxsplit=2) for line in page.text("jobs.txt").splitlines()]
    assert {kind for kind, _, _ in jobs} == {contract.__name__ for contract in KINDS.values()}
    for kind, job_id, job in jobs:
        steer(page, kind, job_id, job)
    assert {path.name for path in folder.iterdir()} == MADE | {"nightly"}
    assert not service.encoders()
    assert not list((service.home / "work" / "tmp").iterdir())


MADE = {
    *("talk.mp4", "urgent.mp4", "sound.mp3", "pictures", "first.mkv", "level.mkv", "twice.mp3"),
    *("stream", "words", "every", "upload", "site"),
}
"""What the jobs of the page write."""


def steer(page: Page, kind: str, job_id: str, job: str) -> None:
    """Run a job of the page once more, by a schedule; hold one from its start on, and cancel it."""
    if kind != "Batch":  # which finds its items done
        job = json.dumps({**json.loads(job), "overwrite": True})
    what = ("--type", kind, "--task-queue", "longtake", "--workflow-id", job_id, "--input", job)
    asked = ("--workflow-id", job_id)

    page.temporal("schedule", "create", "--schedule-id", job_id, "--interval", "24h", *what)
    page.temporal("schedule", "trigger", "--schedule-id", job_id)
    (run,) = until(lambda: scheduled(page, job_id), 20, f"a scheduled {kind} has started")
    page.temporal("schedule", "delete", "--schedule-id", job_id)
    assert one_result(page.temporal("workflow", "result", "--workflow-id", run))["state"] == (
        "succeeded"
    )

    page.temporal("workflow", "signal-with-start", "--signal-name", "pause", *what)
    page.temporal("workflow", "signal", *asked, "--name", "set_priority")  # passed over
    page.temporal("workflow", "signal", *asked, "--name", "set_priority", "--input", "1")
    (told,) = page.temporal("workflow", "query", *asked, "--type", "progress")["queryResult"]
    assert told["state"] == "paused"
    page.temporal("workflow", "signal", *asked, "--name", "resume")
    assert one_result(page.temporal("workflow", "result", *asked))["state"] == "succeeded"

    page.temporal("workflow", "signal-with-start", "--signal-name", "pause", *what)
    page.temporal("workflow", "cancel", *asked)
    status = until(lambda: closed(page, job_id), 15, f"the cancelled {kind} is over")
    assert status.endswith("CANCELED")


def scheduled(page: Page, schedule_id: str) -> list[str]:
    """Ids of the jobs that a schedule has started."""
    query = f"TemporalScheduledById = '{schedule_id}'"
    runs = page.temporal("workflow", "list", "--query", query)
    return [run["execution"]["workflowId"] for run in runs]


def make_clip(target: Path, size: str, seconds: int) -> None:
    """Noisy pictures with sound: some work, so that it can be paused in the middle."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    command += [
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size={size}:rate=25:duration={seconds},noise=alls=8:allf=t",
    ]
    command += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-shortest"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-pix_fmt", "yuv420p"]
    command += ["-g", "25", "-c:a", "aac", str(target)]
    subprocess.run(command, check=True, timeout=WAIT_S)


def one_result(answer: Any) -> Any:
    (result,) = answer["closeEvent"]["workflowExecutionCompletedEventAttributes"]["result"]
    return result


def first_beat(page: Page) -> Any:
    described = page.temporal("workflow", "describe", "--workflow-id", "long")
    return next(
        activity["heartbeatDetails"][0]
        for activity in described.get("pendingActivities", ())
        if activity["activityType"]["name"] == "encode_chunk" and activity.get("heartbeatDetails")
    )


def busy(page: Page) -> bool:
    described = page.temporal("workflow", "describe", "--workflow-id", "long")
    return bool(described.get("pendingActivities"))


def closed(page: Page, job: str) -> str | None:
    described = page.temporal("workflow", "describe", "--workflow-id", job)
    status = str(described["workflowExecutionInfo"]["status"])
    return None if status.endswith("RUNNING") else status


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, heading = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{link}: no such file"
        assert not heading or heading in headings(target), f"{link}: no such heading"


def headings(page: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def jobs_pages() -> str:
    """The pages that explain the kinds of jobs."""
    names = ("jobs", "streaming", "transcribe", "batch", "pipelines")
    return "".join((DOCS / f"{name}.md").read_text() for name in names)


def in_jobs_page(*words: str) -> list[str]:
    text = jobs_pages()
    return [word for word in words if f"`{word}`" not in text and f'"{word}"' not in text]


def test_every_field_of_a_job_is_explained() -> None:
    models = (*KINDS.values(), VideoOptions, AudioOptions, Part, Progress, Stats, JobResult)
    assert not in_jobs_page(*(name for model in models for name in model.model_fields))


def test_every_state_stage_and_preset_is_explained() -> None:
    names = (*presets.encode_presets(), *stitch_presets(), *package_presets())
    assert not in_jobs_page(*get_args(State), *get_args(Stage), *names)


def test_every_error_is_explained_with_its_exit_code() -> None:
    text = (DOCS / "jobs.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \| (\d) \|", text, flags=re.MULTILINE))
    leaves = {
        error.__name__: str(error.exit_code)
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, LongtakeError)
        # A module's own subclass, such as storage's, is told as what it is one of.
        and not [each for each in error.__subclasses__() if each.__module__ == errors.__name__]
    }
    assert rows == leaves


def test_every_option_of_transcode_is_explained() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "longtake", "transcode", "--help"],
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    options = set(re.findall(r"--[a-z][a-z-]+", done.stdout)) - {"--help", "--no-overwrite"}
    text = (DOCS / "jobs.md").read_text()
    assert not {option for option in options if option not in text}


def test_every_variable_is_explained() -> None:
    text = (DOCS / "operations.md").read_text()
    rooms = ("longtake", "workflows", "activities", "media", "storage", "workers")
    code = "".join(path.read_text() for room in rooms for path in (ROOT / room).rglob("*.py"))
    used = set(re.findall(r"[\"'`](LONGTAKE_[A-Z_]+)[\"'`]", code))
    assert not {name for name in used if name not in text}


def test_example_jobs_are_valid() -> None:
    text = jobs_pages()
    blocks = re.findall(r"^```json\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    examples = [json.loads(block) for block in blocks]
    jobs = [
        parse(example) for example in examples if {"input", "timeline", "pipeline"} & {*example}
    ]
    shows = re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    jobs += [parse({"kind": "stitch", **yaml.safe_load(s)}) for s in shows if "timeline:" in s]
    assert {job.kind for job in jobs} == set(KINDS)
    for job in jobs:
        if isinstance(job, Transcode):
            presets.resolve(job)
        if isinstance(job, Stitch):
            resolve_stitch(job)
        if isinstance(job, Package):
            resolve_package(job)
        if isinstance(job, Command):
            arguments.check(job.arguments)


def test_every_rule_of_check_is_explained() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (error|warning) \| (.+) \| (.+) \|$",
        (DOCS / "streaming.md").read_text(),
        flags=re.MULTILINE,
    )
    wanted = [(name, rule.severity, rule.says, rule.source) for name, rule in RULES.items()]
    assert rows == wanted
