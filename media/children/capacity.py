"""What this process may use of the machine: processors and memory, as containers limit them.

A container sees all processors of its host. An encoder for each of them under a quota of two
is throttled, and one for each under a limit of 1 GiB is killed.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

SLOT_BYTES = 512 << 20
"""A 1080p chunk in x264 or x265 peaked at 421 to 454 MiB."""

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60
"""cgroup v1 writes a huge number where there is no limit."""


def default_slots() -> int:
    """Encoders side by side: one a core, as far as memory allows."""
    memory = memory_bytes()
    by_memory = cores() if memory is None else memory // SLOT_BYTES
    return max(1, min(cores(), by_memory))


def cores(root: Path = _CGROUP, proc: Path = _PROC) -> int:
    """Processors this process may use; half a one more counts as one."""
    allowed = _affinity()
    quotas = [quota for group in _groups(root, proc, "cpu") if (quota := _quota(group))]
    return max(1, min([allowed, *(math.ceil(quota) for quota in quotas)]))


def memory_bytes(root: Path = _CGROUP, proc: Path = _PROC) -> int | None:
    """The smallest memory limit on this process; None if there is none."""
    groups = _groups(root, proc, "memory")
    return min((limit for group in groups if (limit := _memory(group))), default=None)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(root: Path, proc: Path, controller: str) -> list[Path]:
    """This process's group and those above it: each may set a limit.

    In a container the path in /proc is often the host's and does not exist below the root;
    then the root itself is the container's group.
    """
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        hierarchy, names, path = line.split(":", 2)
        if hierarchy == "0":
            base = root
        elif controller in names.split(","):
            base = root / controller
        else:
            continue
        group = base / path.lstrip("/")
        found += [place for place in (group, *group.parents) if place.is_relative_to(base)]
    return found


def _quota(group: Path) -> float | None:
    """Processors that a group may use: `cpu.max` in v2, quota and period in v1."""
    words = _words(group / "cpu.max") or [
        *_words(group / "cpu.cfs_quota_us"),
        *_words(group / "cpu.cfs_period_us"),
    ]
    if len(words) != 2 or words[0] in ("max", "-1"):
        return None
    return int(words[0]) / int(words[1])


def _memory(group: Path) -> int | None:
    words = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes")
    if not words or words[0] == "max":
        return None
    limit = int(words[0])
    return limit if limit < _UNLIMITED else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
