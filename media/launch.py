"""Start a program so that it cannot outlive its parent, nor take more than it may.

Run as a script, with nothing of Longtake on its path:

    python -I -S launch.py '{"parent": 123, "nice": 10, "limits": {...}}' PROGRAM ARG…

It sets the parent-death signal, limits and niceness, then becomes PROGRAM. A program of its
own and not a `preexec_fn`, because code between fork and exec in a process with threads
(Temporal's core has many) can deadlock.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import Any

_PR_SET_PDEATHSIG = 1


def become(options: dict[str, Any], command: list[str]) -> None:
    """Apply the options to this process and turn it into `command`; never returns."""
    os.nice(options["nice"])
    for name, value in options["limits"].items():
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (bound, bound))
    if sys.platform != "linux":
        os._exit(watch(options["parent"], command))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != options["parent"]:  # it died before the signal was set
        os._exit(1)
    os.execv(command[0], command)


def watch(parent: int, command: list[str]) -> int:
    """Where there is no parent-death signal: run `command`, end its group if `parent` goes."""
    child = subprocess.Popen(command)
    while child.poll() is None:
        if os.getppid() != parent:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(0, signal.SIGKILL)
        time.sleep(0.2)
    code = child.returncode
    if code < 0:  # die by the same signal, so that the parent sees what happened
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    become(json.loads(sys.argv[1]), sys.argv[2:])
