"""The first step: can the job be done at all, and what is its source?"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from functools import partial
from importlib.metadata import version

from activities.beside import admit_captions, admit_texts, admit_watermark, own_texts
from activities.place import Place, called, place
from activities.running import Beat, implements
from longtake.contracts.media import MediaFacts
from longtake.contracts.steps.common import Source
from longtake.contracts.steps.transcode import ADMIT, Admission
from longtake.contracts.transcode import Transcode
from longtake.presets import resolve
from media.children.capacity import cores
from media.children.process import IDLE_NICENESS
from media.ffmpeg.tools import engine_version
from media.probing.in_child import inspect_in_child
from media.transcode.plan import Clip
from storage.work import content_key

_LOOKS = asyncio.Semaphore(max(1, cores() // 2))
"""Sources looked into at once. Two hundred jobs that come together would else keep the encoders of
the first from the processors, until all have been looked at."""


@implements(ADMIT, stage="probing")
async def admit(job: Transcode, beat: Beat) -> Admission:
    """Resolve the settings, check both ends, pin and probe the source."""
    settings = resolve(job)
    here = place()
    check_output = here.storage(job.output).check_output
    await asyncio.to_thread(partial(check_output, job.output, job.input, overwrite=job.overwrite))
    source = await here.storage(job.input).fingerprint(job.input)
    facts, index_key = await probe(here, source, salvage=job.salvage)
    origin = (await here.index(index_key)).origin_s if index_key else Fraction()
    cues_key, captions, drawn = await admit_captions(here, settings.video, source, origin)
    own, lost = await own_texts(
        here=here,
        source=source,
        facts=facts,
        container=settings.container,
        clip=Clip(start=job.start, end=job.end),
        origin=origin,
    )
    texts, laid = await admit_texts(here, job, facts.duration_s)
    return Admission(
        source=source,
        facts=facts,
        settings=settings,
        index_key=index_key,
        watermark=await admit_watermark(here, settings.video),
        cues_key=cues_key,
        captions=captions,
        texts=(*own, *texts),
        warnings=(*drawn, *lost, *laid),
    )


async def probe(
    here: Place, source: Source, *, salvage: bool = False
) -> tuple[MediaFacts, str | None]:
    """Facts and index of a source; looked up by content, so each is probed once."""
    identity: dict[str, object] = {
        "source": source.sha256,
        "engine": engine_version(),
        "probe": version("av"),
        "form": 3,  # counts up when facts tell what earlier ones did not
        **({"salvage": True} if salvage else {}),
    }
    facts_key, index_key = content_key("facts", **identity), content_key("index", **identity)
    if await here.store.has(facts_key):
        facts = MediaFacts.model_validate_json(await here.store.read(facts_key))
        if not facts.video or await here.store.has(index_key):
            return facts, index_key if facts.video else None
    path = await here.storage(source.uri).localize(source)
    with called(source.uri, path):
        async with _LOOKS:
            facts, index = await inspect_in_child(path, salvage=salvage, niceness=IDLE_NICENESS)
    if index is not None:
        await here.store.put(index_key, index.to_bytes())
    await here.store.put(facts_key, facts.model_dump_json().encode())
    return facts, index_key if index is not None else None
