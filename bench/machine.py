"""What machine this is, and how much of it others took meanwhile."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from longtake.embedded import own_version
from media.children.capacity import cores, default_slots
from media.ffmpeg.tools import ffmpeg_version


def facts() -> dict[str, Any]:
    """What a reader must know of the machine."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": cores(),
        "slots": default_slots(),
        "memory": f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB",
        "system": platform.platform(),
        "load at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "longtake": own_version(),
        "ffmpeg": ffmpeg_version(),
    }


def busy_s() -> float:
    """CPU seconds that the whole machine has computed since its start, for anybody.

    `steal` is what the host of a virtual machine took away: for us that is a neighbour, too.
    """
    times = psutil.cpu_times()
    working = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, name, 0.0) for name in working))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
