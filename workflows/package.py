"""The workflow `Package`: plan, encode all renditions chunk by chunk, package, publish."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.account import damage, read, total
from workflows.control import PRESET, JobWorkflow
from workflows.failures import is_mismatch
from workflows.speech import Listening, doubt, language_in_words
from workflows.tasks import side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.package import Package
    from longtake.contracts.preview import Preview
    from longtake.contracts.result import JobResult
    from longtake.contracts.steps.common import AudioRequest, EncodeDone, Piece
    from longtake.contracts.steps.package import (
        ENCODE_RUNGS,
        ENCODE_TRIALS,
        PACK,
        PLAN_PACKAGE,
        PackageRequest,
        PackageSummary,
        PackRequest,
        RungsRequest,
        TrialRequest,
        Trials,
    )
    from longtake.contracts.steps.preview import (
        MAKE_PART,
        PLAN_PREVIEW,
        PartRequest,
        PreviewSummary,
    )
    from longtake.contracts.steps.transcode import ENCODE_AUDIO
    from longtake.contracts.steps.transcribe import WRITE_TRANSCRIPT, Spoken, WriteRequest
    from longtake.contracts.steps.tree import PUBLISH_TREE, PublishTreeRequest
    from longtake.paths import shown


_NAMED = 'the "language" of "captions" in the document of the job'
"""No option of the command line names the language of captions."""


@dataclass(frozen=True)
class Pictures:
    """Pictures beside the film, as they are to be published."""

    made: tuple[EncodeDone, ...] = ()
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Captions:
    """Captions of what is said, and what they cost."""

    spoken: Spoken | None = None
    made: tuple[EncodeDone, ...] = ()
    decisions: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@workflow.defn(name="Package")
class PackageWorkflow(JobWorkflow):
    """One film in, renditions of it for streaming out."""

    @workflow.run
    async def run(self, job: Package) -> JobResult:
        """Run the job to its end."""
        self.preset = job.preset_name
        return await self.run_job(job, "package", self._package(job))

    async def _package(self, job: Package) -> JobResult:
        workflow.upsert_search_attributes([PRESET.value_set(job.preset_name)])
        self.enter("probing")
        look = f"look at {shown(job.input)}, plan the ladder"
        plan = await self.step(PLAN_PACKAGE, PackageRequest(job=job), look)
        tried: list[EncodeDone] = []
        trials: Trials | None = None
        try:
            if plan.trials:
                tried, trials = await self._try(plan, plan.trials)
                request = PackageRequest(job=job, trials=trials)
                plan = await self.step(PLAN_PACKAGE, request, "choose the ladder")
            made = await self._encode(job, plan)
        except ActivityError as error:
            if not is_mismatch(error):
                raise
            request = PackageRequest(job=job, whole=True, trials=trials)
            plan = await self.step(PLAN_PACKAGE, request, "plan the picture in one piece")
            made = await self._encode(job, plan)
        rungs, sounds, pictures, captions = made
        self.enter("packaging")
        packed = await self.step(
            PACK,
            PackRequest(
                job=job,
                plan=plan,
                rungs_keys=tuple(done.key for done in rungs),
                sound_keys=tuple(done.key for done in sounds),
                pictures=(*plan.record, *pictures.pieces),
                spoken=captions.spoken,
            ),
            "package the renditions",
        )
        self.enter("publishing")
        published = await self.step(
            PUBLISH_TREE,
            PublishTreeRequest(
                job_id=workflow.info().workflow_id,
                sources=(plan.source, *plan.others),
                tree_key=packed.done.key,
                output=job.output,
                overwrite=job.overwrite,
            ),
            f"publish into {job.output}",
            ends_the_job=True,
        )
        others = [*tried, *sounds, *pictures.made, *captions.made, packed.done]
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=published.outputs,
            sources=read(plan.source, *plan.others),
            stats=total(plan.media_s, plan.source.bytes, rungs, others, published),
            decisions=plan.decisions | captions.decisions,
            warnings=(
                *(*plan.warnings, *damage([*rungs, *sounds])),
                *(*captions.warnings, *packed.warnings, *published.warnings),
            ),
        )

    async def _try(self, plan: PackageSummary, trials: Trials) -> tuple[list[EncodeDone], Trials]:
        """Test encodes for an automatic ladder, side by side."""
        self.enter("planning")

        async def encode(number: int) -> EncodeDone:
            request = TrialRequest(
                source=plan.source,
                plan_key=trials.plan_key,
                index_key=plan.index_key or "",
                engine=plan.engine,
                number=number,
            )
            words = f"test encodes of sample {number + 1} of {trials.count}"
            return await self.step(ENCODE_TRIALS, request, words)

        done = await side_by_side(encode(number) for number in range(trials.count))
        return done, trials.model_copy(update={"keys": tuple(each.key for each in done)})

    async def _encode(
        self, job: Package, plan: PackageSummary
    ) -> tuple[list[EncodeDone], list[EncodeDone], Pictures, Captions]:
        """Everything that goes into the package, side by side."""
        self.enter("encoding")
        self.done, self.frames_done = 0, 0
        self.total, self.frames_total = plan.chunks, plan.frames
        # The sound is short work; it goes first, so that it does not lag behind at the end.
        sounds = asyncio.ensure_future(
            side_by_side(self._sound(plan, n) for n in range(plan.sounds))
        )
        order = plan.order or tuple(range(plan.chunks))
        rungs = asyncio.ensure_future(side_by_side(self._rungs(plan, n) for n in order))
        pictures = asyncio.ensure_future(self._pictures(job, plan))
        captions = asyncio.ensure_future(self._captions(plan))
        await side_by_side((sounds, rungs, pictures, captions))
        chunks = rungs.result()
        in_turn = [chunks[order.index(number)] for number in range(plan.chunks)]
        return in_turn, sounds.result(), pictures.result(), captions.result()

    async def _captions(self, plan: PackageSummary) -> Captions:
        """What is said in the film, written down, where that is asked for."""
        if plan.speech is None:
            return Captions()
        listened = await Listening(self, plan.speech).listen()
        heard = listened.heard
        request = WriteRequest(
            asked=plan.speech,
            heard=heard,
            formats=("vtt",),
            frame_rate=plan.frame_rate,
            first_frame_s=plan.first_frame_s,
        )
        written = await self.step(WRITE_TRANSCRIPT, request, "write the captions")
        spoken = Spoken(key=written.keys[0], language=heard.language.code)
        return Captions(
            spoken=spoken if written.segments else None,
            made=(*listened.windows, *listened.others),
            decisions={"captions": language_in_words(heard)},
            warnings=(*doubt(heard, _NAMED), *written.warnings),
        )

    async def _rungs(self, plan: PackageSummary, number: int) -> EncodeDone:
        request = RungsRequest(
            source=plan.source,
            plan_key=plan.plan_key,
            index_key=plan.index_key or "",
            engine=plan.engine,
            number=number,
        )
        count = f"{plan.renditions} renditions"
        words = f"encode chunk {number + 1} of {plan.chunks}, {count}"
        done = await self.step(ENCODE_RUNGS, request, words)
        self.finished(done.frames)
        return done

    async def _sound(self, plan: PackageSummary, number: int) -> EncodeDone:
        request = AudioRequest(
            source=plan.source, plan_key=plan.sound_key, engine=plan.engine, number=number
        )
        words = f"encode sound {number + 1} of {plan.sounds}"
        return await self.step(ENCODE_AUDIO, request, words)

    async def _pictures(self, job: Package, plan: PackageSummary) -> Pictures:
        """Poster, thumbnails and what else is wanted beside the film."""
        if not plan.parts:
            return Pictures()
        asked = Preview(
            input=job.input, output=job.output, parts=plan.parts, overwrite=job.overwrite
        )
        beside = await self.step(PLAN_PREVIEW, asked, "plan the pictures beside the film")
        numbers = range(len(beside.parts))
        made = await side_by_side(self._picture(beside, number) for number in numbers)
        pieces = [
            part.model_copy(update={"key": done.key})
            for part, done in zip(beside.parts, made, strict=True)
        ]
        pieces += [beside.captions] if beside.captions else []
        return Pictures(made=tuple(made), pieces=tuple(pieces))

    async def _picture(self, plan: PreviewSummary, number: int) -> EncodeDone:
        request = PartRequest(
            source=plan.source,
            plan_key=plan.plan_key,
            index_key=plan.index_key,
            engine=plan.engine,
            number=number,
        )
        return await self.step(MAKE_PART, request, f"make {plan.parts[number].role}")
