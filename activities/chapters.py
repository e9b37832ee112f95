"""Find chapters by the breaks between them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from activities.encode import once
from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps.transcode import FIND_CHAPTERS, ChaptersFound, ChaptersRequest
from media.children.process import Finished
from media.ffmpeg.tools import engine_version
from media.transcode.breaks import find_chapters as look
from media.transcode.plan import Clip
from media.transcode.tracks import choose_tracks
from storage.work import content_key


@implements(FIND_CHAPTERS, stage="encoding")
async def find_chapters(request: ChaptersRequest, beat: Beat) -> ChaptersFound:
    """Look through a source once for each choice of track, clip and breaks."""
    here = place()
    facts = request.facts
    tracks = choose_tracks(facts.audio, request.audio) if facts.audio else ()
    sound = tracks[0] if tracks else None
    clip = Clip(start=request.start, end=request.end)
    end = min(facts.duration_s, float(request.end or facts.duration_s))
    beat.total_s = end - float(request.start or 0)
    key = content_key(
        "chapters",
        source=request.source.sha256,
        sound=sound.index if sound else None,
        clip=clip.model_dump(mode="json"),
        breaks=request.breaks.model_dump(mode="json"),
        engine=engine_version(),
    )
    source = await here.storage(request.source.uri).localize(request.source)
    index = await here.index(request.index_key) if request.index_key else None

    async def find(draft: Path) -> Finished:
        chapters, finished = await look(
            source, facts, index, sound, request.breaks, clip, draft, beat.on_tick
        )
        await asyncio.to_thread(draft.write_text, chapters.model_dump_json())
        return finished

    done = await once(here, key, 0, find)
    count = len((await here.chapters(key)).starts_s)
    return ChaptersFound(done=done, count=count)
