"""What a job brings beside its source: a watermark's image, captions to burn in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from temporalio import activity

from activities.place import Place, called
from longtake.contracts.containers import Container
from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import MediaFacts
from longtake.contracts.steps.common import Source, TextTrack
from longtake.contracts.steps.transcode import Admission, Image
from longtake.contracts.transcode import Transcode
from longtake.errors import LongtakeError, ProcessStalled, TransientError, UserError
from longtake.languages import bcp47
from longtake.paths import shown
from media.captions.cue import Cues, earlier, without_braces
from media.captions.sources import read_captions
from media.captions.webvtt import document
from media.picture.overlays import Beside
from media.picture.watermark import check_png, png_size
from media.tags.carry import read_apart
from media.transcode.plan import Clip
from storage.work import content_key


async def admit_watermark(here: Place, settings: VideoSettings) -> Image | None:
    """Pin the image by its content."""
    if settings.watermark is None:
        return None
    storage = here.storage(settings.watermark.image)
    source = await storage.fingerprint(settings.watermark.image)
    path = await storage.localize(source)
    with called(source.uri, path):
        width, height = png_size(path)
        await check_png(path)
    return Image(source=source, width=width, height=height)


async def read_words(path: Path, uri: str, stream: int | None, origin: Fraction) -> Cues:
    """The captions of the file that lies at `path` and comes from `uri`, or of a stream of it.

    Errors name what the job does, and no file of this host's cache. Raises what `read_captions`
    raises.
    """
    try:
        return await read_captions(path, stream, origin)
    except LongtakeError as error:
        words = error.message.replace(str(path), shown(uri))
        if stream is None and isinstance(error, TransientError):
            words = f"the captions {shown(uri)}: {words}"
        raise type(error)(words) from error


async def admit_captions(
    here: Place, settings: VideoSettings, source: Source, origin: Fraction
) -> tuple[str | None, Source | None, tuple[str, ...]]:
    """Read the captions once and put them in the work store: what is drawn is what lay there.

    Returns their key, the file they are from where it is not the source itself, and warnings.
    """
    asked, file = settings.captions, None
    if asked is None:
        return None, None, ()
    if asked.file is not None:
        source = file = await here.storage(asked.file).fingerprint(asked.file)
    path = await here.storage(source.uri).localize(source)
    cues = await read_words(path, source.uri, asked.stream, origin)
    document = cues.model_dump_json()
    key = content_key("cues", cues=document)
    await here.store.put(key, document.encode())
    stream = f"stream {asked.stream} (subtitle)"
    return key, file, cues.warnings(stream if file is None else shown(file.uri))


STALLED_TRIES = 2
"""After so many a text track of the source whose reading stalls is left out."""


def may_be_left(error: LongtakeError) -> bool:
    """Whether a text track of the source is left out for this: the film plays without it. Storage
    may have stood still the first time; a track at which it does again is left."""
    stalled = isinstance(error, ProcessStalled) and activity.info().attempt >= STALLED_TRIES
    return stalled or isinstance(error, UserError)


async def own_texts(
    *,
    here: Place,
    source: Source,
    facts: MediaFacts,
    container: Container,
    clip: Clip,
    origin: Fraction,
) -> tuple[tuple[TextTrack, ...], tuple[str, ...]]:
    """Read once what of the source's own text FFmpeg cannot copy, for text tracks; and warnings.

    `origin`: where the source begins on its own clock.
    """
    tracks, warnings = list[TextTrack](), list[str]()
    for stream in read_apart(facts, container):
        whose = f"stream {stream.index} (subtitle)"
        path = await here.storage(source.uri).localize(source)
        try:
            cues = await read_words(path, source.uri, stream.index, origin)
            key = await _keep_within(here, cues, clip, facts.duration_s)
        except LongtakeError as error:
            if not may_be_left(error):
                raise
            warnings.append(f"{whose} is left out: {error.message}")
            continue
        warnings += cues.warnings(whose)
        language = bcp47(stream.language) or "und"
        tracks.append(TextTrack(key=key, source=source, language=language, title=stream.title))
    return tuple(tracks), tuple(warnings)


async def admit_texts(
    here: Place, job: Transcode, length_s: float
) -> tuple[tuple[TextTrack, ...], tuple[str, ...]]:
    """Read the files of captions once, for text tracks; and warnings. `length_s`: the source's."""
    tracks, warnings = list[TextTrack](), list[str]()
    for file in job.captions:
        source = await here.storage(file.source).fingerprint(file.source)
        path = await here.storage(file.source).localize(source)
        cues = await read_words(path, source.uri, None, Fraction())
        warnings += cues.warnings(shown(file.source))
        key = await _keep_within(here, cues, Clip(start=job.start, end=job.end), length_s)
        tracks.append(TextTrack(key=key, source=source, **file.model_dump(exclude={"source"})))
    return tuple(tracks), tuple(warnings)


async def _keep_within(here: Place, cues: Cues, clip: Clip, length_s: float) -> str:
    """Key of the WebVTT of what is said within a clip of a source of that length, on its clock."""
    start = clip.start or Fraction()
    end_s = min(length_s, float(clip.end)) if clip.end is not None else length_s
    text = document(without_braces(earlier(cues.cues, start)), end_s - float(start))
    key = content_key("webvtt", text=text)
    await here.store.put(key, text.encode())
    return key


async def beside(here: Place, admission: Admission) -> Beside:
    """What was admitted, for the plan."""
    cues = None
    if admission.cues_key:
        cues = Cues.model_validate_json(await here.store.read(admission.cues_key))
    return Beside(watermark=admission.watermark, cues=cues)
