"""`imports`: what a backend pays for importing the client."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from bench.options import Options
from bench.report import Measurement, difference, series

HOW = (
    "A new Python for each figure, in turn; the time of the import statement alone. Beside it "
    "the import of `temporalio.client` and its pydantic converter, which every client needs."
)
TEMPORAL = "import temporalio.client, temporalio.contrib.pydantic"
PACKAGE = f"{TEMPORAL}, longtake"
CLIENT = f"{TEMPORAL}; from longtake import Longtake, Transcode"
AT_MOST_S = 0.15


async def measure(options: Options) -> Measurement:
    """Time the imports."""
    measurement = Measurement("imports", "importing the client, beyond temporalio", HOW)
    rounds = options.rounds_of(9)
    taken: dict[str, list[float]] = {TEMPORAL: [], PACKAGE: [], CLIENT: []}
    for _ in range(rounds):
        for code, times in taken.items():
            times.append(await asyncio.to_thread(_seconds, code))
    theirs = series("temporalio", "s", taken[TEMPORAL])
    measurement.rows = [
        difference("import longtake", series("both", "s", taken[PACKAGE]), theirs, AT_MOST_S),
        difference(
            "from longtake import Longtake, Transcode", series("both", "s", taken[CLIENT]), theirs
        ),
    ]
    return measurement


def _seconds(code: str) -> float:
    timed = f"import time; begun = time.perf_counter()\n{code}\nprint(time.perf_counter() - begun)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout)
