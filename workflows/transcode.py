"""The workflow `Transcode`: admit, plan, encode the parts in parallel, assemble and publish."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.account import damage, read, total
from workflows.beside import beside
from workflows.control import PRESET, JobWorkflow
from workflows.failures import is_mismatch
from workflows.gpu import choose_gpu
from workflows.tasks import end, side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.result import JobResult, ReachedQuality
    from longtake.contracts.steps.common import (
        ASSEMBLE,
        AssembleRequest,
        AudioRequest,
        EncodeDone,
    )
    from longtake.contracts.steps.transcode import (
        ADMIT,
        ANALYSE_CHUNK,
        ENCODE_AUDIO,
        ENCODE_CHUNK,
        FIND_BORDERS,
        FIND_CHAPTERS,
        PLAN,
        SCORE_CHUNK,
        Admission,
        Analysed,
        BordersRequest,
        ChaptersFound,
        ChaptersRequest,
        ChunkRequest,
        PlanRequest,
        PlanSummary,
        Scored,
        ScoreRequest,
    )
    from longtake.contracts.transcode import Transcode
    from longtake.paths import shown
    from longtake.quality import (
        SURE,
        SURE_BEFORE,
        Tried,
        Wave,
        in_words,
        next_wave,
        reached,
        target_of,
        unreached,
    )
    from longtake.rates import share


@dataclass(frozen=True)
class Picture:
    """The chunks, and what else was encoded on the way: first passes, and what was replaced."""

    chunks: Sequence[EncodeDone]
    others: Sequence[EncodeDone] = ()
    quality: ReachedQuality | None = None


FEW = 8
"""Fewer chunks than that were always given at once."""
BETWEEN_WAVES = timedelta(milliseconds=50)


@workflow.defn(name="Transcode")
class TranscodeWorkflow(JobWorkflow):
    """One file in, one file out."""

    @workflow.run
    async def run(self, job: Transcode) -> JobResult:
        """Run the job to its end."""
        return await self.run_job(job, "transcode", self._transcode(job))

    async def _transcode(self, job: Transcode) -> JobResult:
        self.enter("probing")
        admission = await self.step(ADMIT, job, f"look at {shown(job.input)}")
        self.preset = admission.settings.preset
        workflow.upsert_search_attributes([PRESET.value_set(self.preset)])
        why_no_gpu = admission.settings.video.why_no_gpu()
        gpu, decision = await choose_gpu(self, job, "encoded", why_no_gpu)
        crop = await self._find_borders(job, admission)
        async with beside(self._find_chapters(job, admission)) as looking:
            try:
                encoded = await self._encode(job, admission, crop, gpu=gpu, whole=False)
            except ActivityError as error:
                if not is_mismatch(error):
                    raise
                encoded = await self._encode(job, admission, crop, gpu=gpu, whole=True)
                decision["chunks"] = "one: chunks of this source did not hold their planned frames"
            chapters = await looking
        plan, picture, sounds = encoded
        quality = picture.quality
        if quality is not None:
            decision["quality"] = in_words(quality)
        if chapters is not None:
            decision["chapters"] = _chapters_in_words(chapters, admission)
        self.enter("assembling")
        published = await self.step(
            ASSEMBLE,
            AssembleRequest(
                job_id=workflow.info().workflow_id,
                source=admission.source,
                output=job.output,
                overwrite=job.overwrite,
                plan_key=plan.plan_key,
                index_key=admission.index_key,
                chunk_keys=tuple(chunk.key for chunk in picture.chunks),
                audio_keys=tuple(sound.key for sound in sounds),
                chapters_key=chapters.done.key if chapters and chapters.count > 1 else None,
                texts=admission.texts,
            ),
            f"join, verify and publish {job.output}",
            ends_the_job=True,
        )
        looked = [chapters.done] if chapters else []
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=published.outputs,
            sources=read(
                admission.source,
                admission.watermark.source if admission.watermark else None,
                admission.captions,
                *(t.source for t in admission.texts if t.source != admission.source),
            ),
            stats=total(
                plan.media_s,
                admission.source.bytes,
                picture.chunks,
                [*picture.others, *looked, *sounds],
                published,
            ),
            decisions=plan.decisions | decision,
            warnings=(
                *(*admission.warnings, *plan.warnings, *(unreached(quality) if quality else ())),
                *(*damage([*picture.chunks, *sounds]), *published.warnings),
            ),
            quality=quality,
        )

    async def _find_borders(self, job: Transcode, admission: Admission) -> str | None:
        """Only for `crop: auto`: what is not asked for is not in the history."""
        asked = admission.settings.video.crop == "auto" and admission.facts.video
        if not asked or admission.index_key is None:
            return None
        request = BordersRequest(
            source=admission.source,
            facts=admission.facts,
            index_key=admission.index_key,
            start=job.start,
            end=job.end,
        )
        return (await self.step(FIND_BORDERS, request, "look for black borders")).crop

    async def _find_chapters(self, job: Transcode, admission: Admission) -> ChaptersFound | None:
        """Only where they are asked for, and beside the encode: nothing but the end waits."""
        if job.breaks is None:
            return None
        request = ChaptersRequest(
            source=admission.source,
            facts=admission.facts,
            index_key=admission.index_key,
            audio=admission.settings.audio,
            breaks=job.breaks,
            start=job.start,
            end=job.end,
        )
        return await self.step(FIND_CHAPTERS, request, "look for breaks between chapters")

    async def _encode(
        self, job: Transcode, admission: Admission, crop: str | None, *, gpu: bool, whole: bool
    ) -> tuple[PlanSummary, Picture, list[EncodeDone]]:
        self.enter("planning")
        plan = await self.step(
            PLAN,
            PlanRequest(job=job, admission=admission, gpu=gpu, whole=whole, crop=crop),
            "plan the chunks",
        )
        self.done, self.frames_done = 0, 0
        passes = 1 if plan.target_bytes is None else 2
        self.total, self.frames_total = plan.chunks, plan.frames * passes
        if plan.chunks or plan.sounds:
            self.enter("encoding")
        # The sound is short work; it goes first, so that it does not lag behind at the end.
        tracks = (self._audio(admission, plan, number) for number in plan.sounds)
        sounds = asyncio.ensure_future(side_by_side(tracks))
        picture = asyncio.ensure_future(self._picture(admission, plan, gpu))
        await side_by_side((sounds, picture))
        return plan, picture.result(), sounds.result()

    async def _picture(self, admission: Admission, plan: PlanSummary, gpu: bool) -> Picture:
        if plan.chunk_frames:
            return await self._aim(admission, plan)
        analyses = await self._analyse(admission, plan)
        chunks: dict[int, asyncio.Future[EncodeDone]] = {}
        try:
            for wave in _given(plan):
                if chunks:
                    await workflow.sleep(BETWEEN_WAVES)
                for number in wave:
                    request = _request(admission, plan, number, analyses)
                    work = self._chunk(plan, request, gpu)
                    chunks[number] = asyncio.ensure_future(work)
            await asyncio.gather(*chunks.values())
        except (Exception, asyncio.CancelledError):
            await end(chunks.values())
            raise
        return Picture([chunks[number].result() for number in range(plan.chunks)], analyses)

    async def _aim(self, admission: Admission, plan: PlanSummary) -> Picture:
        """Chunks in waves, each at the CRF by which the whole reaches its target quality."""
        settings, frames = admission.settings.video, plan.chunk_frames
        asked = settings.quality or ""
        chunks: dict[int, Scored] = {}
        replaced: list[Scored] = []
        waves: list[Wave] = []
        tried: list[Tried] = []
        sure = SURE if workflow.patched("less is left to the last wave") else SURE_BEFORE
        while wave := next_wave(settings.codec, target_of(asked), frames, tried, sure):
            requests = [_at(_request(admission, plan, n), wave.crf) for n in wave.chunks]
            scored = await side_by_side(self._score(plan, each, chunks) for each in requests)
            for number, chunk in zip(wave.chunks, scored, strict=True):
                if number in chunks:
                    replaced.append(chunks[number])
                chunks[number] = chunk
                tried.append(Tried(number=number, crf=wave.crf, vmaf=chunk.vmaf))
            waves.append(wave)
        made = [chunks[number] for number in range(plan.chunks)]
        return Picture(made, replaced, reached(asked, frames, waves, tried))

    async def _score(
        self, plan: PlanSummary, request: ScoreRequest, known: Mapping[int, Scored]
    ) -> Scored:
        words = f"encode chunk {request.number + 1} of {plan.chunks} at crf {request.crf:g}"
        scored = await self.step(SCORE_CHUNK, request, words)
        if request.number not in known:
            self.finished(scored.frames)
        return scored

    async def _analyse(self, admission: Admission, plan: PlanSummary) -> list[Analysed]:
        """The first of two passes over every chunk, where a bit rate is aimed at."""
        if plan.target_bytes is None:
            return []

        async def analyse(number: int) -> Analysed:
            words = f"analyse chunk {number + 1} of {plan.chunks}"
            found = await self.step(ANALYSE_CHUNK, _request(admission, plan, number), words)
            self.frames_done += found.frames
            return found

        order = plan.order or tuple(range(plan.chunks))
        found = await side_by_side(analyse(number) for number in order)
        return [found[order.index(number)] for number in range(plan.chunks)]

    async def _chunk(self, plan: PlanSummary, request: ChunkRequest, gpu: bool) -> EncodeDone:
        words = f"encode chunk {request.number + 1} of {plan.chunks}"
        done = await self.step(ENCODE_CHUNK, request, words, role="gpu" if gpu else None)
        self.finished(done.frames)
        return done

    async def _audio(self, admission: Admission, plan: PlanSummary, number: int) -> EncodeDone:
        request = AudioRequest(
            source=admission.source, plan_key=plan.plan_key, engine=plan.engine, number=number
        )
        return await self.step(ENCODE_AUDIO, request, "encode the sound")


def _at(request: ChunkRequest, crf: float) -> ScoreRequest:
    return ScoreRequest(**request.model_dump(), crf=crf)


def _request(
    admission: Admission, plan: PlanSummary, number: int, analyses: Sequence[Analysed] = ()
) -> ChunkRequest:
    """A chunk; with analyses, in its second pass, aimed at its share of the bytes."""
    request = ChunkRequest(
        source=admission.source,
        plan_key=plan.plan_key,
        index_key=admission.index_key or "",
        engine=plan.engine,
        number=number,
    )
    if not analyses or plan.target_bytes is None:
        return request
    shares = share(plan.target_bytes, [found.bytes for found in analyses])
    return request.model_copy(
        update={"analysis_key": analyses[number].key, "target_bytes": shares[number]}
    )


def _given(plan: PlanSummary) -> list[tuple[int, ...]]:
    """The chunks in their order, the richest first. All at once, so that of many jobs the one that
    began first also ends first: what is given later stands behind the chunks of all others.

    Jobs that began when the server kept no order among such tasks had a second half, given later.
    """
    order = plan.order or tuple(range(plan.chunks))
    if len(order) < FEW or workflow.patched("chunks are given at once"):
        return [order]
    half = -(-len(order) // 2)
    return [order[:half], order[half:]]


def _chapters_in_words(found: ChaptersFound, admission: Admission) -> str:
    if found.count > 1:
        return f"{found.count} found, by the breaks between them"
    kept = "; the source's stay" if admission.facts.chapter_count else ""
    return f"none: no break was found{kept}"
