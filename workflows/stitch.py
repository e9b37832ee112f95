"""The workflow `Stitch`: prepare the parts side by side, mix them, level and finish each output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from temporalio import workflow

from workflows.account import damage, read, total
from workflows.control import JobWorkflow, side_by_side

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
        DESCRIBE_SOUND,
        FINISH_SOUND,
        LEVEL_SOUND,
        MIX,
        PLAN_STITCH,
        PREPARE_PART,
        DescribeRequest,
        FinishDone,
        FinishSoundRequest,
        LevelSoundRequest,
        MixDone,
        MixRequest,
        PrepareDone,
        PreparedPart,
        PrepareRequest,
        StitchSummary,
    )
    from longtake.contracts.stitch import Beside, Stitch
    from longtake.errors import InvalidJob
    from longtake.paths import name_of

Done = TypeVar("Done")


@dataclass(frozen=True)
class Wanted:
    """A file to encode: the whole, or a part (`number`) alone."""

    uri: str
    role: str
    output: int
    number: int | None = None


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
    async def run(self, job: Stitch | None = None) -> JobResult:
        """Run the job to its end. A start without a job fails; it would hang otherwise."""
        if job is None:
            raise InvalidJob("a Stitch takes one argument: the job, as JSON")
        self.preset = job.preset_name
        return await self.run_job(job, "stitch", self._stitch(job))

    async def _stitch(self, job: Stitch) -> JobResult:
        self.enter("probing")
        count = len(job.timeline)
        plan = await self.step(PLAN_STITCH, job, f"look at {count} parts, plan the programme")
        wanted = _wanted(job, plan)
        self.total = self.frames_total = count + 1 + len(wanted)
        self.enter("stitching")
        prepared = await side_by_side(self._prepare(plan, n) for n in range(count))
        mixed = await self._mix(plan, [each.part for each in prepared])
        self.enter("normalizing")
        levelled = await side_by_side(self._level(plan, w, prepared, mixed) for w in wanted)
        self.enter("assembling")
        made = await side_by_side(
            self._finish(plan, w, each, prepared, mixed)
            for w, each in zip(wanted, levelled, strict=True)
        )
        described = await side_by_side(
            self._describe(plan, kind, made[0], mixed) for kind, _ in plan.beside
        )
        self.enter("publishing")
        published = await self._publish(job, plan, made, described)
        return self._result(plan, prepared, mixed, made, published)

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
        done = await self.step(FINISH_SOUND, request, f"tag and verify {name_of(wanted.uri)}")
        return Made(wanted, levelled, done)

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
    ) -> JobResult:
        decoded = [each.done for each in prepared]
        counted = [*decoded, mixed.done, *(_part(each.levelled) for each in made)]
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
            decisions=mixed.decisions,
            warnings=(
                *(*plan.warnings, *mixed.warnings, *damage(decoded)),
                *(w for each in made for w in _words(each)),
                *published.warnings,
            ),
        )


def _wanted(job: Stitch, plan: StitchSummary) -> list[Wanted]:
    """The outputs, and then the parts that become files of their own, like the first output."""
    whole = [Wanted(output.uri, "main", n) for n, output in enumerate(job.outputs)]
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
