"""`longtake doctor`: everything a user could have wrong, and how to mend it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import typer

from longtake.cli.checks import Check, host_checks
from longtake.cli.console import out, print_json
from longtake.cli.options import Json
from longtake.cli.session import keep_stdout_clean
from longtake.errors import LongtakeError


def doctor(as_json: Json = False) -> None:
    """Check the installation and the service. Exit code 1 if something is wrong."""
    keep_stdout_clean()
    checks = asyncio.run(_all())
    healthy = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": healthy, **_where(), "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            _show(check)
    raise typer.Exit(0 if healthy else 1)


async def _all() -> list[Check]:
    from longtake.cli.service_checks import service_checks

    found = list(host_checks(needs_engine=_is_embedded()))
    async for check in service_checks():
        found.append(check)  # noqa: PERF401 - told in order
    return found


def _where() -> dict[str, str | None]:
    """Addresses of Temporal and of its UI, for programs; null where there is none."""
    from longtake import service

    try:
        if cluster := service.configured():
            return {"temporal": cluster.address, "ui": None}
    except LongtakeError:
        return {"temporal": None, "ui": None}
    running = service.status().service
    return {
        "temporal": running.address if running else None,
        "ui": running.ui if running else None,
    }


def _is_embedded() -> bool:
    from longtake import service

    try:
        return service.configured() is None
    except LongtakeError:
        return False


def _show(check: Check) -> None:
    mark = "[green]ok  [/green]" if check.ok else "[red]FAIL[/red]"
    out.print(mark, end=" ")
    out.print(f"{check.name:<18}{check.detail}", markup=False)
    if check.fix and not check.ok:
        out.print(f"     {'':<18}mend it: {check.fix}", markup=False)
