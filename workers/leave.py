"""How a process ends that used Temporal."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import sys
from typing import NoReturn

from longtake import tracing


def leave(code: int) -> NoReturn:
    """End this process now, with its logs written.

    Temporal's core aborts or hangs in one of ten ordinary interpreter exits (sdk-python
    issue 300).
    """
    tracing.flush()
    logging.shutdown()
    _remove_socket_folder()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _remove_socket_folder() -> None:
    """What an ordinary exit would remove: the temporary folder of multiprocessing's sockets."""
    folder = multiprocessing.current_process()._config.get("tempdir")  # type: ignore[attr-defined]
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
