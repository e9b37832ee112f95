"""How a process ends that used Temporal."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process now, with its logs written.

    Temporal's core aborts or hangs in one of ten ordinary interpreter exits (sdk-python
    issue 300).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
