"""Importing much at once, quicker."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Look for no garbage meanwhile, nor ever after in what was imported.

    Modules and models are a hundred thousand objects, and all of them stay: Python would look
    through them again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
