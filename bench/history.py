"""Where the time of a job went, as Temporal's history of its workflow tells.

The time from the call to its answer is split, without a rest, into what happened one after the
other: for each step, the workflow deciding on it, its wait for a worker, and its run; of steps
in parallel, the one that ended last.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client


@dataclass
class Step:
    """One activity of a job; times in seconds of the clock."""

    name: str
    scheduled: float
    started: float = 0.0
    ended: float = 0.0
    child_s: float = 0.0
    """Of its run: in the encoder's process, where the step tells."""


Phases = dict[str, float]
"""Seconds by what they were spent on, in the order of time."""

CHILD = "of that, FFmpeg"


async def phases(client: Client, job_id: str, called: float, answered: float) -> Phases:
    """Where the time between `called` and `answered` went."""
    begun, ended, steps = called, answered, dict[int, Step]()
    history = await client.get_workflow_handle(job_id).fetch_history()
    for event in history.events:
        at = _time(event.event_time)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            begun = at
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            ended = at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            steps[event.event_id] = Step(name, at)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            steps[event.activity_task_started_event_attributes.scheduled_event_id].started = at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            step = steps[done.scheduled_event_id]
            step.ended, step.child_s = at, _child_s(await _value(client, done.result.payloads))
    return _split(called, begun, list(steps.values()), ended, answered)


async def cpu_by_step(client: Client, job_id: str) -> dict[str, float]:
    """CPU seconds of a job's children, by the name of the step."""
    names, found = dict[int, str](), defaultdict[str, float](float)
    history = await client.get_workflow_handle(job_id).fetch_history()
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            asked = event.activity_task_scheduled_event_attributes
            names[event.event_id] = asked.activity_type.name
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            result = await _value(client, done.result.payloads)
            found[names[done.scheduled_event_id]] += _of_stats(result, "cpu_s")
    return dict(found)


@dataclass(frozen=True)
class Length:
    """How long a job's history is, and how often its steps were tried."""

    events: int
    bytes: int
    tries: Mapping[str, int]
    """By the name of the step; a step that was tried again counts again."""


async def length(client: Client, job_id: str) -> Length:
    """The history of a job's latest run, measured."""
    names, tries = dict[int, str](), defaultdict[str, int](int)
    history = await client.get_workflow_handle(job_id).fetch_history()
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            asked = event.activity_task_scheduled_event_attributes
            names[event.event_id] = asked.activity_type.name
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            begun = event.activity_task_started_event_attributes
            tries[names[begun.scheduled_event_id]] += begun.attempt
    return Length(len(history.events), sum(event.ByteSize() for event in history.events), tries)


def _split(
    called: float, begun: float, steps: Iterable[Step], ended: float, answered: float
) -> Phases:
    found: Phases = {"start: client to server": begun - called}
    at = begun
    for step in _groups(steps):
        found[f"{step.name}: decide"] = step.scheduled - at
        found[f"{step.name}: wait"] = step.started - step.scheduled
        found[f"{step.name}: run"] = step.ended - step.started
        if step.child_s:
            found[f"{step.name}: run: {CHILD}"] = step.child_s
        at = step.ended
    found["end: decide"] = ended - at
    found["end: server to client"] = answered - ended
    return found


def _groups(steps: Iterable[Step]) -> list[Step]:
    """Steps under way at the same time as one: scheduled with the first, done with the last."""
    groups: list[list[Step]] = []
    for step in sorted(steps, key=lambda step: step.scheduled):
        if groups and step.scheduled < max(each.ended for each in groups[-1]):
            groups[-1].append(step)
        else:
            groups.append([step])
    return [_as_one(group) for group in groups]


def _as_one(group: Sequence[Step]) -> Step:
    last = max(group, key=lambda step: step.ended)
    name = " + ".join(sorted({step.name for step in group}))
    return Step(name, group[0].scheduled, last.started, last.ended, last.child_s)


def medians(runs: Sequence[Phases]) -> Phases:
    """The median of each phase over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: statistics.median(run[name] for run in runs if name in run) for name in names}


async def _value(client: Client, payloads: Any) -> Any:
    values = await client.data_converter.decode(list(payloads))
    return values[0] if values else None


def _child_s(result: Any) -> float:
    return _of_stats(result, "encode_s")


def _of_stats(result: Any, name: str) -> float:
    stats = result.get("stats") if isinstance(result, dict) else None
    return float(stats.get(name, 0.0)) if isinstance(stats, dict) else 0.0


def _time(stamp: Timestamp) -> float:
    return stamp.ToDatetime(tzinfo=UTC).timestamp()
