"""Run measurements one after the other, print each as it is done, and write the report.

python -m bench                 # all of them; takes long
python -m bench latency memory  # these
python -m bench --quick         # a smoke run: its figures prove nothing
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bench import (
    batch,
    burst,
    codecs,
    cold_start,
    imports,
    killed,
    ladder,
    latency,
    loudness,
    machine,
    many,
    memory,
    package,
    s3,
    table,
    target_quality,
    throughput,
    transcribe,
)
from bench.options import OUT, Options
from bench.report import Measurement

MEASUREMENTS: dict[str, Callable[[Options], Awaitable[Measurement]]] = {
    "imports": imports.measure,
    "cold_start": cold_start.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "throughput": throughput.measure,
    "burst": burst.measure,
    "many": many.measure,
    "codecs": codecs.measure,
    "package": package.measure,
    "ladder": ladder.measure,
    "s3": s3.measure,
    "loudness": loudness.measure,
    "quality": target_quality.measure,
    "transcribe": transcribe.measure,
    "killed_at_90": killed.measure,
    "batch": batch.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 0 if that could be done, whatever came out."""
    names, options = _parse(arguments)
    try:
        return asyncio.run(_measure(names, options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def _measure(names: Sequence[str], options: Options) -> int:
    _end_in_order_on_sigterm()
    facts, done, failed = machine.facts(), list[Measurement](), 0
    if options.quick:
        facts["note"] = "a quick run: short clips, few rounds; its figures prove nothing"
    stem = "report" if len(names) == len(MEASUREMENTS) else "-".join(names)
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            measurement = await MEASUREMENTS[name](options)
        except Exception as error:  # the others can still be measured
            print(f"{name} could not be measured: {error!r}", file=sys.stderr, flush=True)
            failed += 1
            continue
        measurement.took_s = time.monotonic() - started
        done.append(measurement)
        print(f"\n{table.section(measurement)}\n", flush=True)
        # Written as it grows: a run that is ended keeps what it has.
        table.write(options.out, stem, facts, done)
    if done:
        print(f"written to {options.out / stem}.md and .json", file=sys.stderr)
    return 1 if failed else 0


def _end_in_order_on_sigterm() -> None:
    """As on Ctrl-C: what was started for the bench is stopped."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _parse(arguments: Sequence[str] | None) -> tuple[list[str], Options]:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--quick", action="store_true", help="a short smoke run")
    parser.add_argument("--rounds", type=int, help="how often each thing is measured")
    parser.add_argument("--seconds", type=int, help="length of the long film, or a burst's clips")
    parser.add_argument("--items", type=int, help="of a batch; 5,000 unless quick")
    parser.add_argument("--jobs", type=int, help="how many at once, of burst and many")
    parser.add_argument("--out", type=Path, default=OUT, help="where the report goes")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(MEASUREMENTS):
        parser.error(f"there is no {', '.join(unknown)}; use one of {', '.join(MEASUREMENTS)}")
    names = [name for name in MEASUREMENTS if not given.names or name in given.names]
    out, quick = given.out.absolute(), given.quick
    sizes = {"rounds": given.rounds, "seconds": given.seconds}
    return names, Options(out, quick, **sizes, items=given.items, jobs=given.jobs)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Temporal's core can hang or abort when the interpreter ends
