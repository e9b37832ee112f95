"""The command `longtake`: built on the client and the service, and on nothing else."""

from __future__ import annotations

import sys

from longtake.cli.leaving import leave
from longtake.importing import without_collecting


def main() -> None:
    """Run the command line and end the process. Never returns."""
    try:
        with without_collecting():
            from longtake.cli.app import run
    except KeyboardInterrupt:  # the modules take half a second; nothing was begun
        leave(130)
    leave(run(sys.argv[1:]))
