"""Task queues: one for each role of worker, and their names.

A role says what a worker is for. `control` runs workflows; the others run activities.
An extra group (`cpu` with group `large`) has a queue of its own: `longtake-cpu-large`.
"""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["control", "io", "cpu", "gpu", "speech"]
ROLES: tuple[Role, ...] = get_args(Role)

COMPUTING: tuple[Role, ...] = ("cpu", "gpu", "speech")
"""Roles whose workers may be told apart by groups: a job chooses one."""

CONTROL_QUEUE = "longtake"


def task_queue(role: Role, group: str | None = None) -> str:
    """Name of the task queue that workers of `role` (and `group`) poll."""
    base = CONTROL_QUEUE if role == "control" else f"{CONTROL_QUEUE}-{role}"
    return f"{base}-{group}" if group else base
