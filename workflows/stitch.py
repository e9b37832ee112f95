"""The workflow `Stitch`: prepare the parts side by side, mix them, level and finish each output."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.account import damage, read, total
from workflows.control import JobWorkflow
from workflows.failures import is_mismatch
from workflows.tasks import side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.loudness import Loudness
    from longtake.contracts.result import JobResult, Output
    from longtake.contracts.steps.common import (
        PUBLISH,
        EncodeDone,
        Piece,
        Published,
        PublishRequest,
    )
    from longtake.contracts.steps.normalize import LevelDone
    from longtake.contracts.steps.stitch import (
        COPY_PICTURE,
        DESCRIBE_SOUND,
        ENCODE_CROSSFADE,
        FINISH_FILM,
        FINISH_SOUND,
        LEVEL_SOUND,
        MIX,
        PLAN_STITCH,
        PLAN_STITCH_WHOLE,
        PREPARE_PART,
        DescribeRequest,
        FilmPiece,
        FinishDone,
        FinishFilmRequest,
        FinishSoundRequest,
        LevelSoundRequest,
        MixDone,
        MixRequest,
        PieceRequest,
        PrepareDone,
        PreparedPart,
        PrepareRequest,
        StitchSummary,
    )
    from longtake.contracts.steps.transcode import ENCODE_CHUNK, ChunkRequest
    from longtake.contracts.stitch import Beside, Stitch
    from longtake.paths import name_of

Done = TypeVar("Done")


@dataclass(frozen=True)
class Wanted:
    """A file to encode: the whole, or a part (`number`) alone."""

    uri: str
    role: str
    output: int
    number: int | None = None
    film: bool = False
    """Whether the pictures are in it."""


@dataclass(frozen=True)
class Made:
    """A file, encoded and finished."""

    wanted: Wanted
    levelled: LevelDone
    finished: FinishDone


@workflow.defn(name="Stitch")
class StitchWorkflow(JobWorkflow):
    """Recordings in, one programme out."""

    @workflow.run
    async def run(self, job: Stitch) -> JobResult:
        """Run the job to its end."""
        self.preset = job.preset_name
        return await self.run_job(job, "stitch", self._stitch(job))

    async def _stitch(self, job: Stitch) -> JobResult:
        self.enter("probing")
        count = len(job.timeline)
        plan = await self.step(PLAN_STITCH, job, f"look at {count} parts, plan the programme")
        try:
            return await self._make(job, plan)
        except ActivityError as error:
            if not is_mismatch(error):
                raise
        # What was finished of it is found under its keys.
        plan = await self.step(PLAN_STITCH_WHOLE, job, "plan each picture in one piece")
        try:
            return await self._make(job, plan)
        except ActivityError as error:
            if not is_mismatch(error):
                raise
            words = f"a picture does not decode as it is indexed: {error.cause}"
            raise ApplicationError(words, type="InputCorrupt", non_retryable=True) from error

    async def _make(self, job: Stitch, plan: StitchSummary) -> JobResult:
        count, wanted = len(job.timeline), _wanted(job, plan)
        self.done = self.frames_done = 0
        self.total = self.frames_total = count + 1 + len(wanted) + len(plan.film)
        self.enter("stitching")
        heard = asyncio.ensure_future(self._sound(plan, count, wanted))
        seen = asyncio.ensure_future(side_by_side(self._piece(plan, p) for p in plan.film))
        await side_by_side((heard, seen))
        prepared, mixed, levelled = heard.result()
        pieces = seen.result()
        self.enter("assembling")
        made = await side_by_side(
            self._finish(plan, w, each, prepared, mixed, pieces if w.film else ())
            for w, each in zip(wanted, levelled, strict=True)
        )
        described = await side_by_side(
            self._describe(plan, kind, made[0], mixed) for kind, _ in plan.beside
        )
        self.enter("publishing")
        published = await self._publish(job, plan, made, described)
        return self._result(plan, prepared, mixed, made, published, pieces)

    async def _sound(
        self, plan: StitchSummary, count: int, wanted: list[Wanted]
    ) -> tuple[list[PrepareDone], MixDone, list[LevelDone]]:
        prepared = await side_by_side(self._prepare(plan, n) for n in range(count))
        mixed = await self._mix(plan, [each.part for each in prepared])
        self.enter("normalizing")
        levelled = await side_by_side(self._level(plan, w, prepared, mixed) for w in wanted)
        return prepared, mixed, levelled

    async def _piece(self, plan: StitchSummary, piece: FilmPiece) -> EncodeDone:
        """A chunk of a part's picture, as a transcode has them; or two parts, where one fades
        into the other."""
        source, name = plan.sources[piece.part], plan.names[piece.part]
        if piece.copied or piece.into is not None:
            others = () if piece.into is None else (plan.sources[piece.into],)
            request = PieceRequest(
                plan_key=plan.plan_key,
                engine=plan.engine,
                piece=piece.number,
                sources=(source, *others),
            )
            if piece.into is None:
                done = await self.step(COPY_PICTURE, request, f"copy the picture of {name}")
            else:
                words = f"fade {name} into {plan.names[piece.into]}"
                done = await self.step(ENCODE_CROSSFADE, request, words)
        else:
            chunk = ChunkRequest(
                source=source,
                plan_key=piece.plan_key,
                index_key=piece.index_key,
                engine=plan.engine,
                number=piece.chunk,
            )
            words = f"encode chunk {piece.chunk + 1} of {name}"
            done = await self.step(ENCODE_CHUNK, chunk, words)
        self.finished(1)
        return done

    async def _prepare(self, plan: StitchSummary, number: int) -> PrepareDone:
        request = PrepareRequest(
            source=plan.sources[number],
            plan_key=plan.plan_key,
            engine=plan.engine,
            number=number,
        )
        done = await self.step(PREPARE_PART, request, f"prepare {plan.names[number]}")
        self.finished(1)
        return done

    async def _mix(self, plan: StitchSummary, parts: list[PreparedPart]) -> MixDone:
        request = MixRequest(plan_key=plan.plan_key, engine=plan.engine, parts=tuple(parts))
        done = await self.step(MIX, request, f"mix {len(parts)} parts")
        self.finished(1)
        return done

    async def _level(
        self, plan: StitchSummary, wanted: Wanted, prepared: list[PrepareDone], mixed: MixDone
    ) -> LevelDone:
        key, before, _ = _sound(wanted, prepared, mixed)
        request = LevelSoundRequest(
            plan_key=plan.plan_key,
            engine=plan.engine,
            output=wanted.output,
            key=key,
            before=before,
            number=wanted.number,
        )
        done = await self.step(LEVEL_SOUND, request, f"level {name_of(wanted.uri)}")
        self.finished(1)
        return done

    async def _finish(
        self,
        plan: StitchSummary,
        wanted: Wanted,
        levelled: LevelDone,
        prepared: list[PrepareDone],
        mixed: MixDone,
        pieces: Sequence[EncodeDone],
    ) -> Made:
        _, _, samples = _sound(wanted, prepared, mixed)
        request = FinishSoundRequest(
            plan_key=plan.plan_key,
            engine=plan.engine,
            output=wanted.output,
            key=_part(levelled).key,
            samples=samples,
            chapters=mixed.chapters if wanted.number is None else (),
            cover=plan.cover,
            number=wanted.number,
        )
        words = f"tag and verify {name_of(wanted.uri)}"
        if wanted.film:
            keys = tuple(piece.key for piece in pieces)
            film = FinishFilmRequest(**request.model_dump(), pieces=keys)
            return Made(wanted, levelled, await self.step(FINISH_FILM, film, words))
        return Made(wanted, levelled, await self.step(FINISH_SOUND, request, words))

    async def _describe(
        self, plan: StitchSummary, kind: Beside, made: Made, mixed: MixDone
    ) -> EncodeDone:
        request = DescribeRequest(
            plan_key=plan.plan_key,
            engine=plan.engine,
            kind=kind,
            key=made.finished.done.key,
            chapters=mixed.chapters,
        )
        return await self.step(DESCRIBE_SOUND, request, f"make the {kind}")

    async def _publish(
        self, job: Stitch, plan: StitchSummary, made: list[Made], described: list[EncodeDone]
    ) -> Published:
        pieces = [
            Piece(key=each.finished.done.key, uris=(each.wanted.uri,), role=each.wanted.role)
            for each in made
        ]
        pieces += [
            Piece(key=done.key, uris=(uri,), role=kind)
            for (kind, uri), done in zip(plan.beside, described, strict=True)
        ]
        self.staged = tuple(uri for piece in pieces for uri in piece.uris)
        first, *others = {source.uri: source for source in plan.sources}.values()
        others += [plan.cover] if plan.cover else []
        request = PublishRequest(
            job_id=workflow.info().workflow_id,
            source=first,
            others=tuple(others),
            pieces=tuple(pieces),
            overwrite=job.overwrite,
            lease=job.outputs[0].uri,
        )
        words = f"publish {len(pieces)} files"
        return await self.step(PUBLISH, request, words, ends_the_job=True)

    def _result(
        self,
        plan: StitchSummary,
        prepared: list[PrepareDone],
        mixed: MixDone,
        made: list[Made],
        published: Published,
        pieces: Sequence[EncodeDone],
    ) -> JobResult:
        decoded = [each.done for each in prepared]
        counted = [*pieces, *decoded, mixed.done, *(_part(each.levelled) for each in made)]
        sources = {source.uri: source for source in plan.sources}.values()
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=tuple(_told(made, published.outputs)),
            sources=read(*sources, plan.cover),
            stats=total(
                *(plan.media_s, sum(each.bytes for each in sources), counted),
                *([each.finished.done for each in made], published),
            ),
            decisions=plan.decisions | mixed.decisions,
            warnings=(
                *(*plan.warnings, *mixed.warnings, *damage([*decoded, *pieces])),
                *(w for each in made for w in _words(each)),
                *published.warnings,
            ),
        )


def _wanted(job: Stitch, plan: StitchSummary) -> list[Wanted]:
    """The outputs, and then the parts that become files of their own, like the first output."""
    whole = [Wanted(o.uri, "main", n, film=o.film) for n, o in enumerate(job.outputs)]
    return [*whole, *(Wanted(uri, "segment", 0, number) for number, uri in plan.segments)]


def _sound(
    wanted: Wanted, prepared: list[PrepareDone], mixed: MixDone
) -> tuple[str, Loudness, int]:
    """Key, loudness and samples of what is encoded."""
    if wanted.number is None:
        return mixed.done.key, mixed.loudness, mixed.samples
    part = prepared[wanted.number].part
    return part.key, part.loudness, part.samples


def _part(levelled: LevelDone) -> EncodeDone:
    if levelled.done is None:
        raise ValueError("a levelled sound has no part")
    return levelled.done


def _told(made: list[Made], outputs: Iterable[Output]) -> Iterable[Output]:
    """The published outputs, with what is known of their sound."""
    known = {each.wanted.uri: each for each in made}
    for output in outputs:
        each = known.get(output.uri)
        if each is not None:
            loudness = (each.levelled.levelled,)
            output = output.model_copy(update={"media": each.finished.media, "loudness": loudness})
        yield output


def _words(made: Made) -> list[str]:
    name = name_of(made.wanted.uri)
    return [*(f"{name} {words}" for words in made.levelled.warnings), *made.finished.warnings]
