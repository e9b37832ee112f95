"""Killing a worker with everything below it, without losing sight of what it had cost."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence

import psutil

from bench.cost import cpu_s


def freeze(pid: int) -> list[psutil.Process]:
    """Stop a process and its descendants, so that they can be read and then die at one moment."""
    worker = psutil.Process(pid)
    doomed = [worker, *worker.children(recursive=True)]
    _send(doomed, signal.SIGSTOP)
    return doomed


def kill(frozen: Sequence[psutil.Process]) -> float:
    """SIGKILL what was frozen; CPU seconds that nobody will hand on.

    What the first of them took, its parent learns. Its descendants die after it and are inherited
    by init, which tells nobody.
    """
    orphans_s = cpu_s(frozen[1:])
    _send(frozen, signal.SIGKILL)
    return orphans_s


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
