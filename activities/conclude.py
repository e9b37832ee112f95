"""The last step of every job: note it in the index, and leave nothing half-done behind."""

from __future__ import annotations

import asyncio
import contextlib

from activities.assemble import lease_on
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.steps.common import CONCLUDE, JobRecord, Nothing
from longtake.errors import InvalidJob
from storage.trees import discard_tree, is_claimed_by


@implements(CONCLUDE, stage="publishing")
async def conclude(record: JobRecord, beat: Beat) -> Nothing:
    """Write the job's record, and remove files in the making that a killed attempt left."""
    here = place()
    here.jobs.write(record)
    for output in record.staged:
        with contextlib.suppress(InvalidJob):  # an output of no storage left nothing anywhere
            discard = here.storage(output).discard_staged
            await asyncio.to_thread(discard, output, record.summary.job_id)
            if record.summary.state != "succeeded":
                await _undo_tree(here, output, record.summary.job_id)
    if record.summary.state != "succeeded":
        for folder in reversed(record.folders):
            await asyncio.to_thread(here.storage(folder).folder(folder).remove_if_empty)
    return Nothing()


async def _undo_tree(here: Place, output: str, job_id: str) -> None:
    """Undo what the job began to fill a folder with; its attempts are over, also one that
    sleeps."""
    folder = here.storage(output).folder(output)
    if await asyncio.to_thread(is_claimed_by, here.store, folder, job_id):
        await lease_on(here, folder.identity)
        await discard_tree(here.store, folder, job_id)
