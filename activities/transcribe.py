"""Plan a transcription, prepare its sound, and write the texts of what was heard."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from activities.admit import probe
from activities.encode import check_engine, once
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.encode import Track
from longtake.contracts.media import MediaFacts
from longtake.contracts.steps.common import EncodeDone, Source
from longtake.contracts.steps.transcribe import (
    PLAN_TRANSCRIBE,
    PREPARE_SPEECH,
    WRITE_TRANSCRIPT,
    SpeechAsked,
    TranscribeSummary,
    WriteRequest,
    Written,
)
from longtake.contracts.transcribe import SpeechSettings, Transcribe
from longtake.errors import InputUnsupported
from longtake.paths import name_of
from media.children.process import Finished
from media.ffmpeg.tools import engine_version
from media.probing.index import Index
from media.speech.plan import HeardWindow, caption_rate, first_frame_s, plan_speech
from media.speech.sound import prepare_sound
from media.speech.transcript import join_windows, write_texts
from storage.work import content_key


@implements(PLAN_TRANSCRIBE, stage="planning")
async def plan(job: Transcribe, beat: Beat) -> TranscribeSummary:
    """Check all ends, pin and probe the source, and choose the track that is heard."""
    here = place()
    await _check_outputs(here, job)
    source = await here.storage(job.input).fingerprint(job.input)
    facts, index_key = await probe(here, source)
    if job.film and not facts.video:
        raise InputUnsupported(
            "the source has no picture to show captions in: leave --burn and --mux out"
        )
    index = await here.index(index_key) if index_key else None
    return TranscribeSummary(
        asked=await plan_hearing(here, source, facts, index, job.speech, job.track),
        media_s=round(facts.duration_s, 3),
        frame_rate=caption_rate(facts, index),
        first_frame_s=first_frame_s(index),
        warnings=facts.warnings,
    )


async def plan_hearing(
    here: Place,
    source: Source,
    facts: MediaFacts,
    index: Index | None,
    settings: SpeechSettings,
    track: Track | None = None,
) -> SpeechAsked:
    """Plan to hear a track, and keep the plan in the work store."""
    document = plan_speech(facts, index, settings, track).model_dump_json()
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    return SpeechAsked(source=source, plan_key=key, engine=engine_version(), settings=settings)


async def _check_outputs(here: Place, job: Transcribe) -> None:
    storage = here.storage(job.output)
    if job.writes_folder:
        # Of a job that made its texts and lost its film, the texts lie there rightly.
        made = [job.film_uri] if job.film_uri else [uri for _, uri in job.texts]
        check = partial(storage.check_folder, job.output, job.input, [name_of(uri) for uri in made])
    else:
        check = partial(storage.check_output, job.output, job.input)
    await asyncio.to_thread(partial(check, overwrite=job.overwrite))


@implements(PREPARE_SPEECH, stage="transcribing")
async def prepare(request: SpeechAsked, beat: Beat) -> EncodeDone:
    """Decode the sound as speech models hear it, once for all windows."""
    check_engine(request.engine)
    here = place()
    made = await here.speech_plan(request.plan_key)
    beat.total_s = made.media_s
    source = await here.storage(request.source.uri).localize(request.source)
    key = content_key(
        "speech",
        source=request.source.sha256,
        recipe=made.sound_recipe(),
        engine=engine_version(),
    )

    async def decode(draft: Path) -> Finished:
        _, finished = await prepare_sound(
            *(source, made.demuxer, made.audio, draft),
            origin_s=made.origin_s,
            split=made.split,
            on_tick=beat.on_tick,
        )
        return finished

    done = await once(here, key, 0, decode)
    await here.storage(request.source.uri).localize(request.source)
    return done


@implements(WRITE_TRANSCRIPT, stage="transcribing")
async def write(request: WriteRequest, beat: Beat) -> Written:
    """Join what was heard in the windows, and write it in every format that is asked for."""
    here = place()
    made = await here.speech_plan(request.asked.plan_key)
    facts, _ = await probe(here, request.asked.source)
    told = request.heard
    windows = (await here.spoken_windows(told.windows_key)).windows
    heard = [HeardWindow.model_validate_json(await here.store.read(key)) for key in told.keys]
    transcript = await asyncio.to_thread(
        partial(join_windows, model=told.model, language=told.language, speech_s=told.speech_s),
        *(made, list(zip(windows, heard, strict=True))),
    )
    texts = await asyncio.to_thread(
        write_texts,
        *(transcript, request.formats, request.frame_rate, request.first_frame_s, facts.chapters),
    )
    keys = []
    for text in texts:
        key = content_key("text", text=text)
        await here.store.put(key, text.encode())
        keys.append(key)
    return Written(
        keys=tuple(keys),
        words=sum(len(segment.words) for segment in transcript.segments),
        segments=len(transcript.segments),
        speakers=transcript.speakers,
        warnings=transcript.warnings,
    )
