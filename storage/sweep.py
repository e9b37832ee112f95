"""`python -m storage.sweep`: remove what the work store no longer needs, and say how much."""

from __future__ import annotations

import argparse
import json
import sys

from longtake.settings import Home
from storage.work import WorkStore


def main(arguments: list[str] | None = None) -> int:
    """Sweep the work store of this environment; prints one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m storage.sweep", description=__doc__)
    parser.add_argument("--older-than-days", type=float, default=7.0)
    options = parser.parse_args(arguments)
    if options.older_than_days < 1:
        parser.error("--older-than-days must be 1 or more: running jobs need their parts")
    store = WorkStore(Home.from_environment().work_store)
    removed, freed = store.sweep(options.older_than_days * 86_400)
    sys.stdout.write(json.dumps({"removed": removed, "bytes": freed}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
