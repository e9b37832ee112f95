"""`python -m media.check PACKAGE` prints one JSON document: what was found, or the error."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from longtake.errors import LongtakeError
from media.check.checking import check


def main(path: str) -> int:
    """Print what was found, or the error, as one JSON document."""
    try:
        found = asyncio.run(check(Path(path)))
    except LongtakeError as error:
        failure = {"error": {"type": type(error).__name__, "message": str(error)}}
        sys.stdout.write(json.dumps(failure) + "\n")
        return 1
    sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
