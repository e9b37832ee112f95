"""What a batch would do, told without doing any of it: `python -m activities.dry_run JOB`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from activities.batch import open_item
from activities.place import place
from longtake import batches
from longtake.contracts.batch import Batch
from longtake.contracts.steps.batch import PageItem
from longtake.errors import LongtakeError
from storage.expand import expand


def main() -> int:
    """Print one JSON document: the items, or the error."""
    try:
        job = Batch.model_validate_json(sys.argv[1])
        document: dict[str, Any] = {"items": [_told(each) for each in asyncio.run(_items(job))]}
    except LongtakeError as error:
        document = {"error": {"type": type(error).__name__, "message": error.message}}
    sys.stdout.write(json.dumps(document) + "\n")
    return 1 if "error" in document else 0


async def _items(job: Batch) -> list[PageItem]:
    here = place()
    found = await expand(job.input, job.output, here.storage, batches.kind_of(job))
    return [await open_item(here, job, item) for item in batches.items_of(job, found)]


def _told(each: PageItem) -> dict[str, Any]:
    """`would`: run; or how the item stands without: succeeded, failed, left."""
    told = {"input": each.item.input, "output": each.item.output, "job_id": each.job_id}
    result = each.result
    return {
        **told,
        "would": result.state if result else "run",
        **({"error": result.error.model_dump()} if result and result.error else {}),
    }


if __name__ == "__main__":
    sys.exit(main())
