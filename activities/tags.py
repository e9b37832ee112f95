"""Write the tags of a file's loudness, unless such a file is in the work store already."""

from __future__ import annotations

from pathlib import Path

from activities.album import brief
from activities.encode import check_engine, once
from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.loudness import Tagged
from longtake.contracts.normalize import container_of
from longtake.contracts.steps.album import TAG_FILE, FileDone, TagRequest
from longtake.paths import name_of
from media.children.process import Finished
from media.ffmpeg.tools import engine_version
from media.probing.in_child import inspect_in_child
from media.tags.gains import gain_tags, tag_file, tag_kind, writer_version
from storage.work import content_key


@implements(TAG_FILE, stage="normalizing")
async def tag(request: TagRequest, beat: Beat) -> FileDone:
    """A copy of the file with the tags; its packets are the source's."""
    check_engine(request.engine)
    here = place()
    source = await here.storage(request.source.uri).localize(request.source)
    name = name_of(request.source.uri)
    facts, _ = await inspect_in_child(source)
    kind = tag_kind(facts, container_of(request.output), name)
    tags = gain_tags(kind, request.track, request.album)
    key = content_key(
        "tagged",
        source=request.source.sha256,
        tags=tags,
        writer=writer_version(),
        engine=engine_version(),
    )

    async def make(draft: Path) -> Finished:
        return await tag_file(source, facts, kind, tags, draft, beat.on_tick)

    done = await once(here, key, 0, make)
    await here.storage(request.source.uri).localize(request.source)
    found, _ = await inspect_in_child(await here.store.hold(key))
    silent = request.track.integrated_lufs is None
    return FileDone(
        done=done,
        media=found if request.album is None else brief(found),
        tagged=Tagged(tags=tags, loudness=request.track),
        warnings=("it has no loudness: no gain of its own was written",) if silent else (),
    )
