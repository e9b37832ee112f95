"""Plan a package, encode its renditions, and package them.

Each rendition of a chunk has a content key of its own: another rung, or another codec beside the
first, leaves what is there as it is.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from activities.admit import probe
from activities.beside import may_be_left, read_words
from activities.borrow import borrow, check_unchanged
from activities.encode import check_engine, once, seconds_a_frame
from activities.joining import join_parts
from activities.ladder import settle_ladder
from activities.place import Place, place
from activities.publish_tree import check_tree
from activities.running import Beat, implements
from activities.transcribe import plan_hearing
from longtake.contracts.package import Encryption, Package
from longtake.contracts.steps.common import EncodeDone, Piece, Source
from longtake.contracts.steps.package import (
    ENCODE_RUNGS,
    PACK,
    PLAN_PACKAGE,
    PackageRequest,
    PackageSummary,
    Packed,
    PackRequest,
    RungsRequest,
)
from longtake.errors import LongtakeError
from longtake.keys import MOST_BYTES, read_key
from longtake.languages import bcp47
from longtake.packages import resolve_package
from longtake.paths import shown
from media.captions.cue import Cues
from media.captions.webvtt import document
from media.children.process import NO_WORK, Finished
from media.ffmpeg.tools import device_class, engine_version
from media.package.listing import list_again
from media.package.packager import packager_version
from media.package.packaging import make_package
from media.package.plan import PackagePlan, plan_package
from media.package.renditions import Text, Track
from media.package.rungs import encode_rungs as encode_renditions
from media.package.rungs import recipe
from media.package.tracks import Words, unused
from media.preview.jpeg import split
from media.speech.plan import caption_rate, first_frame_s
from media.transcode.chunks import Chunk, heaviest_first
from media.transcode.fragments import decode_as_shown
from media.transcode.timing import planned_times
from storage.tree import pack as pack_tree
from storage.work import content_key


@implements(PLAN_PACKAGE, stage="planning")
async def plan(request: PackageRequest, beat: Beat) -> PackageSummary:
    """Resolve the preset, check all ends, pin and probe the source, and keep the plans."""
    here = place()
    job = resolve_package(request.job)
    await check_tree(here, job.output, job.input, overwrite=job.overwrite)
    source = await here.storage(job.input).fingerprint(job.input)
    if job.encryption:
        await _key(here, job.encryption)
    facts, index_key = await probe(here, source)
    index = await here.index(index_key) if index_key else None
    ladder = await settle_ladder(here, facts, index, job, request)
    made = plan_package(facts, index, ladder.job, one_chunk=request.whole)
    settings = job.speech
    speech = await plan_hearing(here, source, facts, index, settings) if settings else None
    words, words_keys, others, lost = await _words(here, source, made.plan)
    package = made.plan.model_copy(update={"words": words})
    chunks = package.chunks
    return PackageSummary(
        source=source,
        others=others,
        plan_key=await _keep(here, package.model_dump_json()),
        sound_key=await _keep(here, made.sound.model_dump_json()),
        index_key=index_key,
        words_keys=words_keys,
        chunks=len(chunks),
        order=heaviest_first(index, chunks) if index else (),
        frames=len(package.frames(index).pts) if chunks and index else 0,
        renditions=len(package.renditions),
        sounds=len(package.sounds),
        parts=job.parts or (),
        trials=ladder.trials,
        record=ladder.record,
        speech=speech,
        frame_rate=caption_rate(facts, index) if speech else None,
        first_frame_s=first_frame_s(index),
        media_s=package.media_s,
        engine=engine_version(),
        decisions=made.decisions | ladder.why,
        warnings=(*made.warnings, *lost),
    )


async def _keep(here: Place, document: str) -> str:
    key = content_key("plan", plan=document)
    await here.store.put(key, document.encode())
    return key


async def _key(here: Place, encryption: Encryption) -> bytes:
    """The key, from the file that the job names. Its content is told nowhere."""
    return read_key(await here.storage(encryption.key).read_small(encryption.key, MOST_BYTES))


async def _words(
    here: Place, source: Source, package: PackagePlan
) -> tuple[tuple[Words, ...], tuple[str, ...], tuple[Source, ...], list[str]]:
    """All captions as WebVTT in the work store: their renditions, their keys, the files they are
    from, and warnings of tracks of the source that cannot be read or hold no words, and of what
    else is left out."""
    words, keys, others, warnings = [], [], [], []
    for each in package.words:
        file = source
        if each.file is not None:
            file = await here.storage(each.file.source).fingerprint(each.file.source)
            others.append(file)
        path = await here.storage(file.uri).localize(file)
        try:
            cues = await read_words(path, file.uri, each.stream, package.origin_s)
            text = document(cues.cues, package.media_s, cues.styles)
        except LongtakeError as error:
            if each.file is not None or not may_be_left(error):  # a file was asked for
                raise
            warnings.append(f"stream {each.stream} (subtitle) is left out: {error.message}")
            continue
        whose = f"stream {each.stream} (subtitle)" if each.file is None else shown(file.uri)
        if empty := _why_empty(cues, package.media_s):
            warnings.append(f"{whose} is left out: {empty}")
            continue
        warnings += cues.warnings(whose)
        key = content_key("webvtt", text=text)
        await here.store.put(key, text.encode())
        words.append(each)
        keys.append(key)
    return tuple(words), tuple(keys), tuple(others), warnings


def _why_empty(cues: Cues, film_s: float) -> str | None:
    if not cues.cues:
        return "it holds no captions"
    first_s = min(cue.start_ms for cue in cues.cues) / 1000
    if first_s >= film_s:
        return f"its captions begin at {first_s:.2f} s, and the film ends at {film_s:.2f} s"
    return None


@implements(ENCODE_RUNGS, stage="encoding")
async def encode_rungs(request: RungsRequest, beat: Beat) -> EncodeDone:
    """One chunk of every rendition, verified frame by frame."""
    check_engine(request.engine)
    here = place()
    package = await here.package_plan(request.plan_key)
    index = package.frames(await here.index(request.index_key))
    chunk, video = package.chunks[request.number], package.picture
    frames = planned_times(video, index, chunk)
    beat.total_s = float(len(frames) * seconds_a_frame(frames, video.time_base))
    source = await borrow(here, request.source)
    keys = [_rung_key(request.source, package, chunk, n) for n in range(len(package.renditions))]

    async def encode(draft: Path) -> Finished:
        missing = [number for number, key in enumerate(keys) if not await here.store.has(key)]
        with ExitStack() as stack:
            drafts = {n: stack.enter_context(here.store.drafting(keys[n])) for n in missing}
            finished = NO_WORK  # all are there, if a worker died before it could say so
            if drafts:
                finished = await encode_renditions(
                    source, package, index, chunk, drafts, beat.on_tick
                )
            for number, path in drafts.items():
                await here.store.publish(path, keys[number])
        await asyncio.to_thread(draft.write_text, json.dumps(keys))
        return finished

    whole = len(package.chunks) == 1
    done = await once(
        here, content_key("rungs", keys=keys), len(frames), encode, *keys, whole=whole
    )
    await check_unchanged(here, request.source)
    return done


def _rung_key(source: Source, package: PackagePlan, chunk: Chunk, number: int) -> str:
    return content_key(
        "rung",
        source=source.sha256,
        recipe=[package.demuxer, *recipe(package, number)],
        device=device_class(package.renditions[number].video.encoder),
        chunk=chunk.model_dump(mode="json"),
        engine=engine_version(),
    )


@implements(PACK, stage="packaging")
async def pack(request: PackRequest, beat: Beat) -> Packed:
    """Join each rendition, package all of them, and keep the whole as one archive."""
    check_engine(request.plan.engine)
    here = place()
    job = resolve_package(request.job)
    package = await here.package_plan(request.plan.plan_key)
    secret = await _key(here, job.encryption) if job.encryption else None
    key = content_key(
        "package",
        plan=request.plan.plan_key,
        rungs=request.rungs_keys,
        sounds=request.sound_keys,
        words=request.plan.words_keys,
        pictures=[piece.model_dump(mode="json") for piece in request.pictures],
        output=job.output if request.pictures else None,
        encryption=_encryption_of(job, secret),
        packager=packager_version(),
        engine=engine_version(),
        times="decoded as shown",
        **({"spoken": request.spoken.model_dump()} if request.spoken else {}),
    )

    async def make(draft: Path) -> Finished:
        with TemporaryDirectory(prefix=f"{draft.name}.", dir=draft.parent) as folder:
            work, tree = Path(folder) / "work", Path(folder) / "tree"
            work.mkdir()
            tree.mkdir()
            tracks = await _tracks(here, request, package, work)
            finished = await make_package(
                tracks,
                await _texts(here, request, package),
                segment_s=package.segment_s,
                gop_s=package.gop_s,
                encryption=job.encryption,
                key=secret,
                target=tree,
                on_tick=beat.on_tick,
            )
            for piece in request.pictures:
                await _add_pictures(here, piece, job.output, tree)
            await asyncio.to_thread(list_again, tree)
            await asyncio.to_thread(pack_tree, tree, draft)
        return finished

    return Packed(done=await once(here, key, 0, make))


def _encryption_of(job: Package, secret: bytes | None) -> object:
    """What of the encryption shapes the bytes, without the key itself."""
    if job.encryption is None or secret is None:
        return None
    told = job.encryption.model_dump(mode="json", exclude={"key"})
    return told | {"key": content_key("key", key=secret.hex())}


async def _tracks(
    here: Place, request: PackRequest, package: PackagePlan, work: Path
) -> list[Track]:
    """The finished tracks: each rendition's chunks behind each other, and the sounds."""
    chunks = [json.loads(await here.store.read(key)) for key in request.rungs_keys]
    tracks = []
    for number, rendition in enumerate(package.renditions):
        path = work / f"{rendition.name}.mp4"
        keys = [chunk[number] for chunk in chunks]
        later = [rendition.video.start_s] * len(keys)
        await join_parts(here.store, keys, path, later)
        await asyncio.to_thread(decode_as_shown, path, package.last_s)
        tracks.append(
            Track(
                path=path,
                name=rendition.name,
                kind="video",
                frame_rate=rendition.frame_rate,
                video_range=rendition.video_range,
            )
        )
    for sound, key in zip(package.sounds, request.sound_keys, strict=True):
        tracks.append(
            Track(
                path=await here.store.hold(key),
                name=sound.name,
                kind="audio",
                language=sound.language,
                title=sound.title,
                group=sound.group,
                default=sound.default,
                commentary=sound.commentary,
                described=sound.described,
                track=sound.track,
            )
        )
    return tracks


async def _texts(here: Place, request: PackRequest, package: PackagePlan) -> list[Text]:
    texts = [
        Text(
            path=await here.store.hold(key),
            name=words.name,
            language=words.language,
            title=words.title,
            default=words.default,
            forced=words.forced,
            hearing_impaired=words.hearing_impaired,
        )
        for words, key in zip(package.words, request.plan.words_keys, strict=True)
    ]
    if request.spoken is not None:
        language = bcp47(request.spoken.language) or "und"
        texts.append(
            Text(
                path=await here.store.hold(request.spoken.key),
                name=unused(f"captions-{language}", [text.name for text in texts]),
                language=language,
                title=None,
                default=False,
            )
        )
    return texts


async def _add_pictures(here: Place, piece: Piece, output: str, tree: Path) -> None:
    """The pictures of a part, under their names in the package."""
    path = await here.store.hold(piece.key)
    data = await asyncio.to_thread(path.read_bytes)
    pictures = [data] if len(piece.uris) == 1 else split(data)
    for uri, picture in zip(piece.uris, pictures, strict=True):
        target = tree / uri.removeprefix(f"{output.rstrip('/')}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(picture)
