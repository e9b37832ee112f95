"""Jobs that tell webhooks, on a real Temporal server: the job's steps pretend, the events, their
delivery and the receivers are real."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import structlog
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import webhooks as step
from longtake import deliveries
from longtake.contracts import JobResult, Output, Stats
from longtake.contracts.preview import Preview
from longtake.contracts.steps.common import (
    CONCLUDE,
    PUBLISH,
    EncodeDone,
    JobRecord,
    Nothing,
    Piece,
    Published,
    PublishRequest,
    Source,
)
from longtake.contracts.steps.preview import MAKE_PART, PLAN_PREVIEW, PartRequest, PreviewSummary
from longtake.contracts.steps.webhooks import (
    WEBHOOKS_QUEUE,
    Message,
    Messages,
    delivery_workflow_id,
)
from longtake.contracts.webhooks import Delivery, JobEvent, Webhook
from longtake.errors import InvalidJob, JobNotFound
from longtake.fleet import ask_worker
from longtake.index import JobIndex
from longtake.queues import CONTROL_QUEUE, task_queue
from longtake.runs import own_jobs
from storage import post as posting
from tests.dev_server import dev_server
from tests.patience import WAIT_S
from tests.receiver import SECRET, Receiver, drip, drop, flood, hang, receiving, status
from workers.connection import CONVERTER
from workers.polling import workers_for
from workers.settings import WorkerSettings
from workflows import outbox
from workflows import webhooks as delivering
from workflows.preview import PreviewWorkflow
from workflows.webhooks import WebhooksWorkflow

ALL = ["job.started", *["job.stage"] * 3, "job.completed"]
PARTS = 4


class Pretend:
    """A preview that ends as it is told."""

    def __init__(self, index: JobIndex) -> None:
        self.index = index
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False
        self.outputs = 1

    @activity.defn(name=PLAN_PREVIEW.name)
    async def plan(self, job: Preview) -> PreviewSummary:
        piece = Piece(key="", uris=("/out/poster.jpg",), role="poster")
        return PreviewSummary(
            source=Source(uri=job.input, bytes=1, sha256="0" * 64, version="1"),
            plan_key="plan",
            index_key=None,
            parts=(piece,) * PARTS,
            captions=None,
            media_s=1.0,
            engine="1",
        )

    @activity.defn(name=MAKE_PART.name)
    async def make(self, request: PartRequest) -> EncodeDone:
        while not self.open.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.02)
        if self.fails:
            raise ApplicationError("not a film", type="InputCorrupt", non_retryable=True)
        return EncodeDone(key=f"{request.number}", frames=1, reused=False, stats=Stats())

    @activity.defn(name=PUBLISH.name)
    async def publish(self, request: PublishRequest) -> Published:
        output = Output(uri="/out/poster.jpg", role="poster", bytes=1, sha256="0" * 64)
        return Published(outputs=(output,) * self.outputs, stats=Stats())

    @activity.defn(name=CONCLUDE.name)
    async def conclude(self, record: JobRecord) -> Nothing:
        self.index.write(record)
        return Nothing()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with dev_server(data_converter=CONVERTER) as client:
        yield client


@pytest.fixture
def index(tmp_path: Path) -> JobIndex:
    return JobIndex(tmp_path / "jobs")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that workers may reach, whose secret they know, and who is tried again soon."""
    with receiving() as receiver:
        monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", receiver.host)
        monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRET_DEFAULT", SECRET)
        monkeypatch.setattr(step, "FIRST_PAUSE_S", 0.2)
        monkeypatch.setattr(step, "LONGEST_PAUSE_S", 0.4)
        monkeypatch.setattr(posting, "ANSWER_WITHIN_S", 1.0)
        yield receiver


@pytest.fixture
async def pretend(client: Client, index: JobIndex) -> AsyncIterator[Pretend]:
    steps = Pretend(index)
    work: list[Callable[..., Any]] = [steps.plan, steps.make, steps.publish, steps.conclude]
    workers = [
        Worker(
            client,
            task_queue=CONTROL_QUEUE,
            workflows=[PreviewWorkflow, WebhooksWorkflow],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
        Worker(client, task_queue="longtake-io", activities=work),
        Worker(
            client,
            task_queue="longtake-cpu",
            activities=work,
            max_heartbeat_throttle_interval=timedelta(seconds=0.2),
        ),
        Worker(client, task_queue=WEBHOOKS_QUEUE, activities=[step.deliver]),
    ]
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]
    yield steps
    steps.open.set()
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    await asyncio.gather(*tasks)


async def begin(
    client: Client, receiver: Receiver, job_id: str = "", **webhook: Any
) -> WorkflowHandle[Any, Any]:
    job = {
        "input": "/in.mov",
        "output": "/out",
        "tenant": "acme",
        "labels": {"episode": "7"},
        "stage_labels": {"encoding": "DRAWING"},
        "notify": [{"url": receiver.url, **webhook}],
    }
    return await client.start_workflow(
        "Preview", job, id=job_id or f"job-{uuid.uuid4()}", task_queue=CONTROL_QUEUE
    )


async def until(claim: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not claim():  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0.02)


async def ended(client: Client, job: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
    """How the deliveries of a job ended."""
    handle = client.get_workflow_handle(delivery_workflow_id(job.id))
    try:
        await asyncio.wait_for(handle.result(), WAIT_S)
    except Exception:
        pass
    return (await handle.describe()).status


async def history(client: Client, workflow_id: str) -> str:
    return (await client.get_workflow_handle(workflow_id).fetch_history()).to_json()


async def log(client: Client, index: JobIndex | None, job_id: str) -> list[Delivery]:
    return list(await deliveries.deliveries(client, index, job_id))


async def test_a_receiver_is_told_the_whole_life_of_a_job_in_order(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    job = await begin(client, receiver)
    result = JobResult.model_validate(await job.result())
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert [type_ for type_ in receiver.types() if type_ != "job.progress"] == ALL
    events = []
    for got in receiver.got:
        standardwebhooks.Webhook(SECRET).verify(got.body, got.headers)
        assert got.path == "/hooks?token=in-the-query"
        assert got.headers["content-type"] == "application/json"
        events.append(JobEvent.model_validate(got.event))
    sequences = [event.data.sequence for event in events]
    assert sequences == sorted(set(sequences))
    assert len({got.id for got in receiver.got}) == len(receiver.got)
    assert all(event.data.job_id == job.id for event in events)
    assert {(e.data.kind, e.data.tenant, e.data.labels["episode"]) for e in events} == {
        ("preview", "acme", "7")
    }
    stages = [
        (event.data.progress.stage, event.data.progress.label)
        for event in events
        if event.type == "job.stage"
    ]
    assert stages == [("probing", None), ("encoding", "DRAWING"), ("publishing", None)]
    assert [event.data.state for event in events] == ["running"] * (len(events) - 1) + ["succeeded"]
    assert events[-1].data.result == result
    assert events[-1].data.progress.fraction == 1.0


async def test_progress_is_told_now_and_then(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await begin(client, receiver, events=["job.progress"])
    await job.result()
    await until(lambda: receiver.got)
    assert len(receiver.got) == 1, "four parts, done in one moment"
    monkeypatch.setattr(outbox, "PROGRESS_EVERY", timedelta())
    receiver.got.clear()
    again = await begin(client, receiver, events=["job.progress"])
    await again.result()
    await until(lambda: len(receiver.got) == PARTS)
    told = [got.event["data"]["progress"]["fraction"] for got in receiver.got]
    assert told == [0.25, 0.5, 0.75, 1.0]


async def test_a_job_without_webhooks_has_no_trace_of_them(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    job = {"input": "/in.mov", "output": "/out"}
    handle = await client.start_workflow("Preview", job, id="quiet", task_queue=CONTROL_QUEUE)
    await handle.result()
    assert "CHILD_WORKFLOW" not in await history(client, "quiet")
    with pytest.raises(JobNotFound, match="no webhooks"):
        await log(client, pretend.index, "quiet")


@pytest.mark.parametrize("form", ["fails", "hangs", "drips", "redirects", "loses", "leaves"])
async def test_a_receiver_that_behaves_badly_gets_all_events_and_the_job_is_untouched(
    client: Client, pretend: Pretend, receiver: Receiver, form: str
) -> None:
    with receiving() as elsewhere:
        receiver.then = {
            "fails": status(500),
            "hangs": hang,
            "drips": drip,
            "redirects": status(307, Location=elsewhere.url),
            "loses": drop,
            "leaves": status(404),
        }[form]
        begun = time.monotonic()
        job = await begin(client, receiver)
        result = JobResult.model_validate(await job.result())
        took = time.monotonic() - begun
        assert result.state == "succeeded"
        assert result.stats.retries == 0
        assert receiver.taken == []
        await until(lambda: len(receiver.got) >= 3)
        assert {got.type for got in receiver.got} == {"job.started"}, "the next waits for its turn"
        assert len({got.id for got in receiver.got}) == 1
        assert took < 20, "the job waited for the receiver"
        receiver.then = None
        receiver.let_go.set()
        assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
        assert [type_ for type_ in receiver.types() if type_ != "job.progress"] == ALL
        assert elsewhere.got == [], "a redirect was followed"
    assert "CHILD_WORKFLOW_EXECUTION_FAILED" not in await history(client, job.id)


async def test_an_answer_without_end_is_not_read(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.then = flood
    job = await begin(client, receiver, events=["job.completed"])
    await job.result()
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert len(receiver.got) == 1


async def test_a_receiver_that_asks_for_time_gets_it(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.answers = [status(429, Retry_After="3")]
    job = await begin(client, receiver, events=["job.completed"])
    await job.result()
    await ended(client, job)
    first, second = receiver.got
    assert first.id == second.id
    assert first.body == second.body
    assert second.at - first.at >= 3
    (line,) = await log(client, None, job.id)
    assert (line.state, line.tries, line.answer) == ("delivered", 2, "HTTP 204")


async def test_no_failure_comes_behind_a_success(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "HOLD", timedelta(seconds=0.5))
    receiver.then = status(503)
    pretend.fails = True
    job = await begin(client, receiver, "again")
    with pytest.raises(Exception, match="failed"):
        await job.result()
    pretend.fails = False
    job = await begin(client, receiver, "again")
    await job.result()
    await until(lambda: "job.failed" in {got.type for got in receiver.got})
    await asyncio.sleep(1.5)  # longer than anything but an end would hold up the next
    assert "job.completed" not in {got.type for got in receiver.got}
    receiver.then = None
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    ends = [t for t in receiver.types() if t in ("job.failed", "job.completed")]
    assert ends == ["job.failed", "job.completed"]
    failed = next(got for got in receiver.taken if got.type == "job.failed").event["data"]
    assert failed["state"] == "failed"
    assert failed["result"]["error"] == {"type": "InputCorrupt", "message": "not a film"}

    receiver.taken.clear()
    sent = await deliveries.replay(client, None, "again", everything=True)
    await until(lambda: len(receiver.taken) == len(sent))
    assert "job.failed" not in receiver.types()
    assert receiver.types()[-1] == "job.completed"


async def test_an_event_that_a_receiver_does_not_like_holds_the_end_up_for_a_while_only(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "HOLD", timedelta(seconds=1))
    dislikes = status(422)

    def picky(request: Any) -> None:
        got = receiver.got[-1]
        if got.type == "job.stage":
            dislikes(request)
        else:
            receiver.taken.append(got)
            status(204)(request)

    receiver.then = picky
    job = await begin(client, receiver, events=["job.started", "job.stage", "job.completed"])
    await job.result()
    await until(lambda: receiver.types() == ["job.started", "job.completed"])
    states = {(each.type, each.state) for each in await log(client, None, job.id)}
    assert states == {
        ("job.started", "delivered"),
        ("job.stage", "trying"),
        ("job.completed", "delivered"),
    }


@pytest.mark.parametrize("by", ["signal", "Temporal"])
async def test_a_cancel_is_told_once(
    client: Client, pretend: Pretend, receiver: Receiver, by: str
) -> None:
    pretend.open.clear()
    job = await begin(client, receiver)
    await until(lambda: receiver.types()[-1:] == ["job.stage"] and len(receiver.taken) == 3)
    await job.signal("pause")
    await (job.signal("cancel", "enough") if by == "signal" else job.cancel(reason="enough"))
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert receiver.types() == [*ALL[:3], "job.canceled"]
    data = receiver.got[-1].event["data"]
    assert data["state"] == "canceled"
    assert data["result"]["error"] == {"type": "JobCanceled", "message": "enough"}


async def test_what_no_receiver_takes_is_found_and_can_be_sent_again(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", "")
    job = await begin(client, receiver)
    assert JobResult.model_validate(await job.result()).state == "succeeded"
    assert await ended(client, job) is WorkflowExecutionStatus.FAILED
    assert receiver.got == []
    lines = await log(client, None, job.id)
    assert {line.state for line in lines} == {"undelivered"}
    assert f"LONGTAKE_WEBHOOK_ALLOW={receiver.host}" in str(lines[0].answer)
    assert "in-the-query" not in repr(lines)

    monkeypatch.setenv("LONGTAKE_WEBHOOK_ALLOW", receiver.host)
    with pytest.raises(InvalidJob, match="has no event 'msg_0'"):
        await deliveries.replay(client, None, job.id, ["msg_0"])
    one = lines[-1].id
    assert await deliveries.replay(client, None, job.id, [one]) == (one,)
    await until(lambda: receiver.types() == ["job.completed"])
    rest = await deliveries.replay(client, None, job.id)
    assert rest == tuple(line.id for line in lines[:-1])
    await until(lambda: len(receiver.taken) == len(lines))
    assert {got.id for got in receiver.taken} == {line.id for line in lines}
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert {line.state for line in await log(client, None, job.id)} == {"delivered"}
    assert await deliveries.replay(client, None, job.id) == ()


async def test_what_waits_for_hours_is_sent_at_once_when_asked(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    receiver.answers = [status(503, Retry_After="7200")]
    job = await begin(client, receiver, events=["job.completed"])
    await job.result()
    await until(lambda: receiver.got)
    async with asyncio.timeout(WAIT_S):
        while not (line := (await log(client, None, job.id))[0]).next_try:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (line.state, line.tries, line.answer) == ("trying", 1, "HTTP 503")
    assert 6000 < line.next_try.timestamp() - time.time() < 9000
    await deliveries.replay(client, None, job.id)
    assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    assert len({got.id for got in receiver.got}) == 1
    assert len(receiver.taken) == 1


async def test_the_end_of_a_forgotten_job_is_sent_from_the_index(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    job = await begin(client, receiver)
    await job.result()
    await ended(client, job)
    (end,) = [got for got in receiver.taken if got.type == "job.completed"]
    record = pretend.index.read(job.id)
    assert record is not None
    summary = record.summary.model_copy(update={"job_id": "old"})
    result = record.result.model_copy(update={"job_id": "old"}) if record.result else None
    pretend.index.write(record.model_copy(update={"summary": summary, "result": result}))

    (line,) = await log(client, pretend.index, "old")
    assert (line.id, line.state) == (end.id, "unknown")
    receiver.taken.clear()
    assert await deliveries.replay(client, pretend.index, "old") == (end.id,)
    await until(lambda: receiver.taken)
    assert receiver.taken[0].body.replace(b"old", job.id.encode()) == end.body


async def test_a_secret_that_comes_late_still_signs_and_nobody_is_told_what_it_is(
    client: Client,
    pretend: Pretend,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRETS", str(tmp_path))
    with structlog.testing.capture_logs() as logged:
        job = await begin(client, receiver, secret="mine")
        await job.result()
        await until(lambda: "LONGTAKE_WEBHOOK_SECRET_MINE" in repr(logged))
        (tmp_path / "mine").write_text("whsec_of-no-use\n")
        await until(lambda: "this one is not" in repr(logged))
        other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAbcdEFGH"
        (tmp_path / "mine").write_text(f"{other}\n{SECRET}\n")
        receiver.answers = [status(500)]
        assert await ended(client, job) is WorkflowExecutionStatus.COMPLETED
    for got in receiver.got:
        for secret in (SECRET, other):
            standardwebhooks.Webhook(secret).verify(got.body, got.headers)
    told = [await history(client, job.id), await history(client, delivery_workflow_id(job.id))]
    for text in (*told, repr(logged), repr(await log(client, None, job.id))):
        for secret in (SECRET, other, "of-no-use"):
            assert secret.removeprefix("whsec_") not in text
    assert "in-the-query" not in repr(logged)


async def test_the_plain_form_signs_the_raw_body(
    client: Client, pretend: Pretend, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAKE_WEBHOOK_SECRET_OLD_APP", "any-characters")
    job = await begin(client, receiver, secret="old-app", form="plain")
    await job.result()
    await ended(client, job)
    assert receiver.types()[-1] == "job.completed"
    for got in receiver.got:
        signature = hmac.new(b"any-characters", got.body, "sha256").hexdigest()
        assert got.headers["x-signature"] == signature
        assert "webhook-signature" not in got.headers


async def test_an_end_that_is_too_long_comes_without_its_lists(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    pretend.outputs = 1500
    job = await begin(client, receiver)
    result = JobResult.model_validate(await job.result())
    assert len(result.outputs) == 1500
    await ended(client, job)
    got = receiver.taken[-1]
    assert got.type == "job.completed"
    assert len(got.body) < 200_000
    assert "1500 outputs are not listed here" in got.event["data"]["result"]["warnings"][-1]


async def test_receivers_that_hang_take_no_slot_from_jobs(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "ANSWER_WITHIN_S", WAIT_S)
    receiver.then = hang
    messages = tuple(
        Message(id=f"msg_{n}", type="job.started", sequence=n, body="{}", targets=(hook,))
        for n, hook in enumerate(Webhook(url=f"{receiver.url}&{n}") for n in range(9))
    )
    settings = WorkerSettings(("io",), slots=1, io_slots=1)
    async with contextlib.AsyncExitStack() as stack:
        for worker in (
            Worker(
                client,
                task_queue=CONTROL_QUEUE,
                workflows=[WebhooksWorkflow],
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            *workers_for(client, settings, "io"),
        ):
            await stack.enter_async_context(worker)
        told = Messages(job_id="job", messages=messages)
        await client.start_workflow("Webhooks", told, id="held", task_queue=CONTROL_QUEUE)
        await until(lambda: receiver.holding == len(messages))
        answer = await ask_worker(client, task_queue("io"), timeout_s=60)
        assert answer.slots == 1
        assert receiver.holding == len(messages)
        receiver.let_go.set()


async def test_signals_that_come_first_stand_behind_what_came_before_them(
    client: Client, pretend: Pretend, receiver: Receiver
) -> None:
    hook = (Webhook(url=receiver.url),)
    one = Message(id="1", type="job.started", sequence=1, body='{"type": "a"}', targets=hook)
    two = Message(id="2", type="job.completed", sequence=2, body='{"type": "b"}', targets=hook)
    await client.start_workflow(
        "Webhooks",
        Messages(job_id="job", messages=(one,)),
        id="webhooks/job",
        task_queue=CONTROL_QUEUE,
        start_signal="deliver",
        start_signal_args=[Messages(job_id="job", messages=(two,))],
    )
    await until(lambda: len(receiver.taken) == 2)
    assert receiver.types() == ["a", "b"]


async def test_deliveries_are_no_jobs(client: Client, pretend: Pretend, receiver: Receiver) -> None:
    job = await begin(client, receiver)
    await job.result()
    await ended(client, job)

    async def listed(query: str) -> set[str]:
        return {run.id async for run in client.list_workflows(query)}

    async with asyncio.timeout(WAIT_S):
        while len(await listed("")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await listed(own_jobs()) == {job.id}
    assert await listed("") == {job.id, f"webhooks/{job.id}"}, "one line more for each job"


async def test_histories_stay_short(client: Client, pretend: Pretend, receiver: Receiver) -> None:
    """Tries cost no history: days of them are as long as one."""
    receiver.answers = [status(500)] * 6
    job = await begin(client, receiver)
    await job.result()
    await ended(client, job)
    events = len(json.loads(await history(client, delivery_workflow_id(job.id)))["events"])
    assert events < 100
