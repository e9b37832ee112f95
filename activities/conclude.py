"""The last step of every job: note it in the index, and leave nothing half-done behind."""

from __future__ import annotations

import asyncio
import contextlib

from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps.common import CONCLUDE, JobRecord, Nothing
from longtake.errors import InvalidJob


@implements(CONCLUDE, stage="publishing")
async def conclude(record: JobRecord, beat: Beat) -> Nothing:
    """Write the job's record, and remove files in the making that a killed attempt left."""
    here = place()
    here.jobs.write(record)
    for output in record.staged:
        with contextlib.suppress(InvalidJob):  # an output of no storage left nothing anywhere
            discard = here.storage(output).discard_staged
            await asyncio.to_thread(discard, output, record.summary.job_id)
    return Nothing()
