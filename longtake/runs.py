"""Runs of jobs as Temporal sees them, in Longtake's words.

Reads the raw answers of the service: the SDK's own `describe` and `list` raise ValueError where
an operator paused one workflow, and then nobody would see any job.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, WorkflowExecutionStatus
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from longtake.contracts.result import State
from longtake.contracts.steps.common import CANCELED, LOOK_AGAIN_WORKFLOW
from longtake.contracts.steps.webhooks import WEBHOOKS_WORKFLOW
from longtake.errors import JobNotFound
from longtake.queues import CONTROL_QUEUE
from longtake.refusals import service_errors

ANSWER_WITHIN = timedelta(seconds=15)

_STATES: dict[int, State] = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: "succeeded",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: "canceled",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: "canceled",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED: "paused",
}


@dataclass(frozen=True)
class Step:
    """An activity that is not done yet."""

    name: str
    queue: str
    started: bool
    attempt: int
    beat: Mapping[str, object]
    """What its last heartbeat said."""
    since: datetime
    """When it was handed out, to wait for a worker."""
    last_failure: str = ""
    id: str = ""
    due: datetime | None = None
    """When it is tried again, if it waits for that."""


@dataclass(frozen=True)
class Run:
    """One run of a job's workflow."""

    job_id: str
    run_id: str
    kind: str
    status: int
    started_at: datetime | None
    closed_at: datetime | None
    memo: Mapping[str, Any]
    attributes: Mapping[str, str]
    parent: str | None = None
    """Id of the job that runs this one."""
    steps: tuple[Step, ...] = field(default=())
    children: tuple[str, ...] = ()
    """Ids of the jobs that it runs now, the oldest first."""

    @property
    def state(self) -> State:
        """In which state the job is; without a stage, no worker has looked at it yet."""
        if self.status in _STATES:
            ended = _STATES[self.status]
            # Cancelled by a signal, a workflow can only fail: Temporal was not asked.
            return "canceled" if ended == "failed" and self.stage == "canceled" else ended
        if self.stage == "paused":
            return "paused"
        return "running" if self.stage or self.steps else "queued"

    @property
    def is_open(self) -> bool:
        """Is the run still to end?"""
        return self.state in ("queued", "running", "paused")

    @property
    def stage(self) -> str | None:
        """What the job does, as it last said."""
        return self.attributes.get("LongtakeStage")


async def find_run(client: Client, job_id: str) -> Run | None:
    """The latest run of a job; None if Temporal knows none. Raises ServiceUnreachable."""
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=job_id)
    )
    try:
        with service_errors():
            answer = await client.workflow_service.describe_workflow_execution(
                request, retry=True, timeout=ANSWER_WITHIN
            )
    except JobNotFound:
        return None
    steps = [await _step(client, activity) for activity in answer.pending_activities]
    run = await _run(client, answer.workflow_execution_info)
    children = sorted(
        (each for each in answer.pending_children if each.workflow_type_name != WEBHOOKS_WORKFLOW),
        key=lambda child: child.initiated_id,
    )
    return replace(run, steps=tuple(steps), children=tuple(child.workflow_id for child in children))


async def list_runs(client: Client, query: str) -> AsyncIterator[Run]:
    """Runs that match a visibility query, page by page. Raises ServiceUnreachable."""
    token = b""
    while True:
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, page_size=100, next_page_token=token, query=query
        )
        with service_errors():
            answer = await client.workflow_service.list_workflow_executions(
                request, retry=True, timeout=ANSWER_WITHIN
            )
        for info in answer.executions:
            yield await _run(client, info)
        token = answer.next_page_token
        if not token:
            return


async def job_of(client: Client, run: Run) -> dict[str, Any] | None:
    """The job a run was started with: from the memo, or, started elsewhere, from its history."""
    if isinstance(run.memo.get("job"), dict):
        return dict(run.memo["job"])
    request = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=run.job_id, run_id=run.run_id),
        maximum_page_size=1,
    )
    with service_errors():
        answer = await client.workflow_service.get_workflow_execution_history(
            request, retry=True, timeout=ANSWER_WITHIN
        )
    for event in answer.history.events[:1]:
        for payload in event.workflow_execution_started_event_attributes.input.payloads[:1]:
            job = await _value(client, payload)
            return job if isinstance(job, dict) else None
    return None


async def with_job(client: Client, run: Run) -> Run:
    """The run, and in its memo the job, also where it was started elsewhere."""
    return replace(run, memo={**run.memo, "job": await job_of(client, run)})


async def why_canceled(client: Client, job_id: str, run_id: str | None) -> str:
    """Why a run was cancelled, in the job's words or else in those that somebody gave Temporal;
    empty if none are found."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=job_id, run_id=run_id or ""),
        maximum_page_size=100,  # the clean-up after it is a few events long
    )
    with service_errors():
        answer = await client.workflow_service.get_workflow_execution_history_reverse(
            request, retry=True, timeout=ANSWER_WITHIN
        )
    for event in answer.history.events:
        told = event.workflow_properties_modified_event_attributes.upserted_memo.fields
        if CANCELED in told:
            return str(await _value(client, told[CANCELED]))
    causes = [
        event.workflow_execution_cancel_requested_event_attributes.cause
        for event in answer.history.events
        if event.HasField("workflow_execution_cancel_requested_event_attributes")
    ]
    return causes[0] if causes else ""


def own_jobs() -> str:
    """The visibility query for jobs of Longtake, whoever started them."""
    others = " ".join(
        f"AND WorkflowType != '{name}'" for name in (LOOK_AGAIN_WORKFLOW, WEBHOOKS_WORKFLOW)
    )
    return f"TaskQueue = '{CONTROL_QUEUE}' {others}"


async def _run(client: Client, info: WorkflowExecutionInfo) -> Run:
    return Run(
        job_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        kind=info.type.name.lower(),
        status=info.status,
        started_at=_time(info.start_time) if info.HasField("start_time") else None,
        closed_at=_time(info.close_time) if info.HasField("close_time") else None,
        memo={key: await _value(client, load) for key, load in info.memo.fields.items()},
        attributes={
            key: str(json.loads(load.data))
            for key, load in info.search_attributes.indexed_fields.items()
            if key.startswith("Longtake")
        },
        parent=info.parent_execution.workflow_id or None,
    )


async def _step(client: Client, activity: PendingActivityInfo) -> Step:
    beats = [await _value(client, load) for load in activity.heartbeat_details.payloads]
    due = activity.next_attempt_schedule_time
    return Step(
        name=activity.activity_type.name,
        queue=activity.activity_options.task_queue.name,
        started=activity.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
        attempt=activity.attempt,
        beat=beats[0] if beats and isinstance(beats[0], dict) else {},
        since=_time(activity.scheduled_time),
        last_failure=activity.last_failure.message,
        id=activity.activity_id,
        due=_time(due) if activity.HasField("next_attempt_schedule_time") else None,
    )


async def _value(client: Client, payload: Payload) -> Any:
    """A decoded payload; None for one that cannot be decoded here, such as an encrypted one."""
    try:
        return (await client.data_converter.decode([payload]))[0]
    except Exception:  # codecs are the user's and raise what they like
        return None


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
