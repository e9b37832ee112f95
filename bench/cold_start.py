"""`cold_start`: from nothing to a service that takes jobs."""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime

from bench.lab import private_home
from bench.options import Options
from bench.report import Measurement, alone, series
from longtake import service
from longtake.embedded import service_log
from longtake.settings import Home

HOW = (
    "`longtake.service.resolve()` in an empty LONGTAKE_HOME, from the call to its return: a new "
    "database is made, the Temporal server and both workers start, and the workers poll. The "
    "time of a command's own start is not in it."
)
AT_MOST_S = 3.0

Moments = dict[str, float]


async def measure(options: Options) -> Measurement:
    """Start services, each in a home of its own."""
    measurement = Measurement("cold_start", "embedded service, from spawn to ready", HOW)
    taken, moments = [], []
    for _ in range(options.rounds_of(5)):
        with private_home() as home:
            clock, started = time.time(), time.monotonic()
            try:
                await service.resolve()
                taken.append(time.monotonic() - started)
                moments.append(_moments(home, clock))
            finally:
                await service.stop(home)
    measurement.rows = [alone("ready after", series("Longtake", "s", taken), AT_MOST_S)]
    measurement.tables["what the service's log says, since the call (medians)"] = [
        {"event": name, "s": f"{statistics.median(each[name] for each in moments):.2f}"}
        for name in moments[0]
        if all(name in each for each in moments)
    ]
    return measurement


def _moments(home: Home, called: float) -> Moments:
    """When the parts said that they were there."""
    found: Moments = {}
    for line in service_log(home).read_text().splitlines():
        try:
            entry = json.loads(line)
            at = datetime.fromisoformat(entry["timestamp"]).timestamp() - called
            found[f"{entry['worker']}: {entry['event']} {entry.get('program', '')}".strip()] = at
        except (ValueError, KeyError):
            continue
    return found
