"""Run a user's own FFmpeg arguments: check them, and run them once."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from activities.admit import probe
from activities.encode import check_engine, once
from activities.place import place
from activities.running import Beat, implements
from longtake import arguments
from longtake.contracts.command import Command
from longtake.contracts.steps.command import ADMIT_COMMAND, RUN_COMMAND, CommandAdmission
from longtake.contracts.steps.common import EncodeDone
from media.children.process import Finished
from media.ffmpeg.raw import raw_command, run_raw
from media.ffmpeg.tools import engine_version
from storage.work import content_key


@implements(ADMIT_COMMAND, stage="probing")
async def admit_command(job: Command, beat: Beat) -> CommandAdmission:
    """Check arguments and both ends, pin and probe the source."""
    checked = arguments.check(job.arguments)
    here = place()
    check = here.storage(job.output).check_output
    await asyncio.to_thread(partial(check, job.output, job.input, overwrite=job.overwrite))
    source = await here.storage(job.input).fingerprint(job.input)
    facts, _ = await probe(here, source)
    return CommandAdmission(
        source=source,
        demuxer=facts.container,
        muxer=arguments.muxer(job.output),
        reading=checked.reading,
        writing=checked.writing,
        media_s=facts.duration_s,
        engine=engine_version(),
    )


@implements(RUN_COMMAND, stage="encoding")
async def run_command(admitted: CommandAdmission, beat: Beat) -> EncodeDone:
    """The whole command, in one attempt."""
    check_engine(admitted.engine)
    here = place()
    beat.total_s = admitted.media_s
    source = await here.storage(admitted.source.uri).localize(admitted.source)
    key = content_key(
        "command",
        source=admitted.source.sha256,
        recipe=[admitted.demuxer, *admitted.reading, "-i", *admitted.writing, admitted.muxer],
        engine=engine_version(),
    )

    async def run(draft: Path) -> Finished:
        command = raw_command(
            source, admitted.demuxer, admitted.reading, admitted.writing, draft, admitted.muxer
        )
        return await run_raw(command, beat.on_tick)

    done = await once(here, key, 0, run)
    await here.storage(admitted.source.uri).localize(admitted.source)
    return done
