"""What a program that is asked for one thing prints: one JSON document, also of what went wrong."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any

from longtake.contracts.base import Contract
from longtake.errors import LongtakeError


def print_document(finding: Coroutine[Any, Any, Contract]) -> int:
    """Print what is found, or the error; the exit code: 0, or 1 of an error."""
    try:
        found = asyncio.run(finding)
    except LongtakeError as error:
        failure = {"error": {"type": type(error).__name__, "message": str(error)}}
        sys.stdout.write(json.dumps(failure) + "\n")
        return 1
    sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    return 0
