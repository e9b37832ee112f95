"""Look for black borders, for `crop: auto`."""

from __future__ import annotations

import math

from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps.transcode import FIND_BORDERS, Borders, BordersRequest
from media.ffmpeg.tools import engine_version
from media.picture.borders import find_borders as look
from storage.work import content_key


@implements(FIND_BORDERS, stage="planning")
async def find_borders(request: BordersRequest, beat: Beat) -> Borders:
    """Where the picture lies inside its borders; looked for once a source and clip."""
    here = place()
    key = content_key(
        "borders",
        source=request.source.sha256,
        clip=[str(request.start), str(request.end)],
        engine=engine_version(),
    )
    if await here.store.has(key):
        return Borders.model_validate_json(await here.store.read(key))
    source = await here.storage(request.source.uri).localize(request.source)
    index = await here.index(request.index_key)
    start, end = (
        None if time is None else math.ceil((index.origin_s + time) / index.time_base)
        for time in (request.start, request.end)
    )
    facts = request.facts
    with here.store.drafting("borders") as report:
        crop = await look(source, facts.container, facts.video[0], index, start, end, report)
    found = Borders(crop=crop)
    await here.store.put(key, found.model_dump_json().encode())
    return found
