"""What a job brings beside its source: a watermark's image, captions to burn in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from activities.place import Place
from longtake.contracts.encode import VideoSettings
from longtake.contracts.steps.common import Source, TextTrack
from longtake.contracts.steps.transcode import Admission, Image
from longtake.contracts.transcode import Transcode
from longtake.errors import LongtakeError, TransientError
from longtake.paths import shown
from media.captions.cue import Cues, earlier, without_braces
from media.captions.sources import read_captions
from media.captions.webvtt import document
from media.picture.overlays import Beside
from media.picture.watermark import png_size
from storage.work import content_key


async def admit_watermark(here: Place, settings: VideoSettings) -> Image | None:
    """Pin the image by its content."""
    if settings.watermark is None:
        return None
    storage = here.storage(settings.watermark.image)
    source = await storage.fingerprint(settings.watermark.image)
    width, height = png_size(await storage.localize(source))
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


async def admit_texts(
    here: Place, job: Transcode, length_s: float
) -> tuple[tuple[TextTrack, ...], tuple[str, ...]]:
    """Read the files of captions once, and keep what of them lies within the clip, on its clock;
    and warnings. `length_s` is the source's.
    """
    start = job.start or Fraction()
    end_s = min(length_s, float(job.end)) if job.end is not None else length_s
    tracks, warnings = list[TextTrack](), list[str]()
    for file in job.captions:
        source = await here.storage(file.source).fingerprint(file.source)
        path = await here.storage(file.source).localize(source)
        cues = await read_words(path, source.uri, None, Fraction())
        warnings += cues.warnings(shown(file.source))
        text = document(without_braces(earlier(cues.cues, start)), end_s - float(start))
        key = content_key("webvtt", text=text)
        await here.store.put(key, text.encode())
        tracks.append(TextTrack(key=key, source=source, **file.model_dump(exclude={"source"})))
    return tuple(tracks), tuple(warnings)


async def beside(here: Place, admission: Admission) -> Beside:
    """What was admitted, for the plan."""
    cues = None
    if admission.cues_key:
        cues = Cues.model_validate_json(await here.store.read(admission.cues_key))
    return Beside(watermark=admission.watermark, cues=cues)
