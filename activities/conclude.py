"""The last step of every job: note it in the index, and leave nothing half-done behind."""

from __future__ import annotations

from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps import CONCLUDE, JobRecord, Nothing


@implements(CONCLUDE, stage="publishing")
async def conclude(record: JobRecord, beat: Beat) -> Nothing:
    """Write the job's record, and remove files in the making that a killed attempt left."""
    here = place()
    output = record.summary.output
    if output:
        here.storage.discard_staged(output, record.summary.job_id)
    here.jobs.write(record)
    return Nothing()
