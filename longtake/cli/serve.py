"""Commands on the service itself: run it, stop it, add workers to it.

They import `service` late: it brings Temporal in, which `longtake --help` need not wait for.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from time import monotonic, sleep
from typing import Annotated

import typer

from longtake.cli.console import print_json, say
from longtake.cli.options import Json
from longtake.queues import ROLES

READY_WITHIN_S = 30.0


def up() -> None:
    """Run the embedded service in the foreground, until Ctrl-C."""
    from longtake import service

    cluster = service.configured()
    if cluster is not None:
        raise typer.BadParameter(
            f"the environment names a Temporal at {cluster.address}; `up` is for the embedded "
            "service. Unset TEMPORAL_ADDRESS and TEMPORAL_PROFILE, or run `longtake worker`"
        )
    code = 0 if service.status().service else _run_service()
    running = service.status().service  # also where another command was faster
    if running is not None:
        _introduce(running.address, running.ui)
        say(f"it runs in the background (pid {running.pid}); `longtake down` stops it")
    raise typer.Exit(code)


def down(as_json: Json = False) -> None:
    """Stop the embedded service. Unfinished jobs go on at the next start."""
    from longtake import service

    stopped = asyncio.run(service.stop())
    if as_json:
        print_json({"was": stopped.was, "killed": stopped.killed})
        return
    words = {
        "running": "stopped; unfinished jobs go on with the next command",
        "stopped": "the embedded service does not run",
        "left over": "what a killed service left over is ended",
    }
    say(words[stopped.was] + (" (it had to be killed)" if stopped.killed else ""))


def worker(
    role: Annotated[
        list[str],
        typer.Option("--role", help=f"One of {', '.join(ROLES)}; may be repeated.", metavar="ROLE"),
    ],
    slots: Annotated[
        int | None, typer.Option(min=1, help="Encoders side by side. Default: one a core.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Take the tasks of this extra group instead.")
    ] = None,
) -> None:
    """Run a worker of any roles. SIGTERM lets it finish what it does."""
    from longtake import service

    roles = [known for known in ROLES if known in role]
    if unknown := set(role) - set(roles):
        known = ", ".join(ROLES)
        raise typer.BadParameter(f"there is no role {', '.join(sorted(unknown))}: {known}")
    endpoint = asyncio.run(service.resolve(say))
    command = service.worker_command(endpoint, roles, slots, group)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command.arguments[0], command.arguments, command.environment)


def _run_service() -> int:
    from longtake import service

    command = service.service_command()
    # A session of its own: Ctrl-C reaches us alone, and we let it drain.
    process = subprocess.Popen(command.arguments, env=command.environment, start_new_session=True)

    def stop(number: int, frame: object) -> None:
        process.terminate()  # a second time, it ends at once

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    _introduce_when_ready(process)
    return process.wait()


def _introduce_when_ready(process: subprocess.Popen[bytes]) -> None:
    from longtake import service

    given_up_at = monotonic() + READY_WITHIN_S
    while process.poll() is None and monotonic() < given_up_at:
        ready = service.status().service
        if ready is not None:
            _introduce(ready.address, ready.ui)
            say("Ctrl-C stops it; unfinished jobs go on at the next start")
            return
        sleep(0.05)


def _introduce(address: str, ui: str) -> None:
    say(f"Temporal  {address}")
    say(f"UI        {ui}")
