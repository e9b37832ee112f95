"""Start a program that does not outlive its parent.

Run as a script, with nothing of Longtake on its path:

    python -I -S launch.py PARENT SIGNAL PROGRAM ARG…

On Linux the kernel sends SIGNAL to PROGRAM when PARENT dies. A program of its own and not a
`preexec_fn`, which may deadlock where a parent has threads. Where there is no such signal,
workers watch their parent themselves and the next start ends a server that was left over.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def become(parent: int, number: int, command: list[str]) -> None:
    """Turn this process into `command`; never returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the signal was set
        os._exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
