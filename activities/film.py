"""Make the picture of a programme: its pieces, and the file that shows them with their sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from activities.encode import check_engine, once
from activities.joining import join_parts
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.media import MediaFacts
from longtake.contracts.steps.common import EncodeDone
from longtake.contracts.steps.stitch import (
    COPY_PICTURE,
    ENCODE_CROSSFADE,
    FINISH_FILM,
    FilmPiece,
    FinishDone,
    FinishFilmRequest,
    PieceRequest,
)
from media.children.process import Finished
from media.ffmpeg.tools import device_class, engine_version
from media.programme.crossfade import crossfade_recipe
from media.programme.crossfade import encode_crossfade as encode
from media.programme.film import FilmPlan
from media.programme.film_copy import copy_recipe, copy_shot
from media.programme.film_file import mux_film, prove_film
from media.programme.outputs import Encoding
from media.programme.plan import StitchPlan
from media.programme.timeline import Mark
from media.tags.tagging import cover_at, metadata, not_taken, tags_of
from storage.work import content_key


async def film_pieces(
    here: Place, film: FilmPlan, index_keys: Sequence[str | None]
) -> tuple[FilmPiece, ...]:
    """The pieces to encode; each shot's plan is kept under a key of its own, as a transcode's."""
    keys = []
    for shot in film.shots:
        document = shot.plan.model_dump_json()
        keys.append(content_key("plan", plan=document))
        await here.store.put(keys[-1], document.encode())
    pieces = []
    for number, piece in enumerate(film.pieces()):
        part = film.shots[piece.shot].number
        pieces.append(
            FilmPiece(
                part=part,
                plan_key=keys[piece.shot],
                index_key=index_keys[part] or "",
                chunk=piece.chunk,
                into=film.shots[piece.shot + 1].number if piece.fades else None,
                copied=film.encoded is None,
                number=number,
                frames=piece.frames,
            )
        )
    return tuple(pieces)


@implements(COPY_PICTURE, stage="encoding")
async def copy_picture(request: PieceRequest, beat: Beat) -> EncodeDone:
    """A part's picture as it is, on the programme's clock."""
    check_engine(request.engine)
    here = place()
    film = _film(await here.stitch_plan(request.plan_key))
    piece, (source,) = film.pieces()[request.piece], request.sources
    beat.total_s = float(piece.frames / film.rate)
    path = await here.storage(source.uri).localize(source)
    key = content_key(
        "copied",
        source=source.sha256,
        recipe=copy_recipe(film, piece),
        engine=engine_version(),
    )

    async def make(draft: Path) -> Finished:
        return await copy_shot(path, film, piece, draft, beat.on_tick)

    done = await once(here, key, piece.frames, make)
    await here.storage(source.uri).localize(source)
    return done


@implements(ENCODE_CROSSFADE, stage="encoding")
async def encode_crossfade(request: PieceRequest, beat: Beat) -> EncodeDone:
    """The frames in which one part fades into the next."""
    check_engine(request.engine)
    here = place()
    film = _film(await here.stitch_plan(request.plan_key))
    piece = film.pieces()[request.piece]
    beat.total_s = float(piece.frames / film.rate)
    before, after = [await here.storage(s.uri).localize(s) for s in request.sources]
    key = content_key(
        "crossfade",
        sources=[source.sha256 for source in request.sources],
        recipe=crossfade_recipe(film, piece),
        device=device_class(film.shots[piece.shot].plan.picture.encoder),
        engine=engine_version(),
    )

    async def make(draft: Path) -> Finished:
        return await encode((before, after), film, piece, draft, beat.on_tick)

    done = await once(here, key, piece.frames, make)
    for source in request.sources:
        await here.storage(source.uri).localize(source)
    return done


@implements(FINISH_FILM, stage="assembling")
async def finish_film(request: FinishFilmRequest, beat: Beat) -> FinishDone:
    """The finished film: picture and sound, tags, chapters and cover, and proven."""
    check_engine(request.engine)
    here = place()
    made = await here.stitch_plan(request.plan_key)
    film, output = _film(made), made.job.outputs[request.output]
    encoding = Encoding(output, made.output_rate(output), made.channels)
    sound, image = await here.store.hold(request.key), request.cover
    cover = cover_at(await here.storage(image.uri).localize(image)) if image else None
    tags = tags_of(made.job, None)
    marks = [Mark(mark.first, mark.end, mark.title) for mark in request.chapters]
    text = metadata(tags, marks, made.rate_hz, output.codec, cover)
    beat.total_s = float(film.frames / film.rate)
    key = content_key(
        "film",
        sound=request.key,
        pieces=request.pieces,
        places=[[piece.first, piece.own] for piece in film.pieces()],
        rate=str(film.rate),
        metadata=text,
        cover=image.sha256 if image else None,
        suffix=output.suffix,
        engine=engine_version(),
    )
    told = content_key("told", part=key)

    async def make(draft: Path) -> Finished:
        with here.store.drafting("rendition") as rendition:
            later = [(piece.first - piece.own) / film.rate for piece in film.pieces()]
            await join_parts(here.store, request.pieces, rendition, later)
            finished = await mux_film(
                rendition, sound, output.suffix, text, cover, draft, beat.on_tick
            )
        facts = await prove_film(draft, film, encoding, request.samples, made.rate_hz)
        await here.store.put(told, facts.model_dump_json().encode())
        return finished

    done = await once(here, key, 0, make)
    facts = MediaFacts.model_validate_json(await here.store.read(told))
    return FinishDone(
        done=done, media=facts, warnings=not_taken(tags, marks, cover, facts, output.uri)
    )


def _film(made: StitchPlan) -> FilmPlan:
    if made.film is None:
        raise ValueError("the programme has no picture")
    return made.film
