"""Start a program so that it cannot outlive its parent, nor take more than it may.

Run as a script, with nothing of Longtake on its path:

    python -I -S launch.py PARENT-PID NICENESS RLIMIT_AS=BYTES,… PROGRAM ARG…

It sets the parent-death signal, limits and niceness, then becomes PROGRAM. A program of its
own and not a `preexec_fn`, because code between fork and exec in a process with threads
(Temporal's core has many) can deadlock. Imports little: it runs before every encode.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def become(parent: int, niceness: int, limits: str, command: list[str]) -> None:
    """Apply the options to this process and turn it into `command`; never returns."""
    os.nice(niceness)
    for limit in limits.split(","):
        name, _, value = limit.partition("=")
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        bound = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(number, (bound, bound))
    if sys.platform != "linux":
        os._exit(watch(parent, command))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was set
        os._exit(1)
    os.execv(command[0], command)


def watch(parent: int, command: list[str]) -> int:
    """Where there is no parent-death signal: run `command`, end its group if `parent` goes."""
    import subprocess

    child = subprocess.Popen(command)
    while True:
        try:
            code = child.wait(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                os.killpg(0, signal.SIGKILL)
    if code < 0:  # die by the same signal, so that the parent sees what happened
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
