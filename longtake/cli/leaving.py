"""Ending the process. Python's own way out hangs or aborts at times with Temporal in it."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

from longtake import tracing


def leave(code: int) -> NoReturn:
    """Flush what was written, then end at once."""
    tracing.flush()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more, as in `longtake list | head -1`
    os._exit(code)
