"""The workflow `Normalize`: plan, measure and level every track, put them beside the picture.

Several files with one gain, and tags: `workflows/album.py`.
"""

from __future__ import annotations

from temporalio import workflow

from workflows.account import damage, read, total
from workflows.album import Album
from workflows.control import JobWorkflow
from workflows.tasks import side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.normalize import Normalize
    from longtake.contracts.result import JobResult
    from longtake.contracts.steps.common import (
        ASSEMBLE,
        AssembleRequest,
        AudioRequest,
        EncodeDone,
        Published,
    )
    from longtake.contracts.steps.normalize import (
        LEVEL_TRACK,
        MEASURE_TRACK,
        PLAN_NORMALIZE,
        LevelDone,
        LevelRequest,
        MeasureDone,
        NormalizeSummary,
    )
    from longtake.paths import shown

Track = tuple[MeasureDone, LevelDone]


@workflow.defn(name="Normalize")
class NormalizeWorkflow(JobWorkflow):
    """Files in, the same at another loudness, or told of theirs, out."""

    @workflow.run
    async def run(self, job: Normalize) -> JobResult:
        """Run the job to its end."""
        return await self.run_job(job, "normalize", self._work(job))

    async def _work(self, job: Normalize) -> JobResult:
        if job.mode == "tags":
            return await (await Album.planned(self, job)).tag()
        if job.album:
            return await (await Album.planned(self, job)).level()
        return await self._normalize(job)

    async def _normalize(self, job: Normalize) -> JobResult:
        self.enter("probing")
        plan = await self.step(
            PLAN_NORMALIZE, job, f"look at {shown(job.sources[0])}, plan the sound"
        )
        self.total = self.frames_total = 2 * len(plan.aims)
        self.enter("normalizing")
        tracks = await self._level(plan)
        self.enter("assembling")
        levelled = [_made(track) for _, track in tracks]
        published = await self._assemble(job, plan, levelled)
        measured = [found.done for found, _ in tracks]
        loudness = tuple(track.levelled for _, track in tracks)
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=tuple(
                output.model_copy(update={"loudness": loudness}) for output in published.outputs
            ),
            sources=read(plan.source),
            stats=total(plan.media_s, plan.source.bytes, [*measured, *levelled], [], published),
            decisions=plan.decisions,
            warnings=(
                *plan.warnings,
                *_told([track for _, track in tracks]),
                *damage(levelled),
                *published.warnings,
            ),
        )

    async def _level(self, plan: NormalizeSummary) -> list[Track]:
        return await side_by_side(self._track(plan, n) for n in range(len(plan.aims)))

    async def _track(self, plan: NormalizeSummary, number: int) -> Track:
        name = "the sound" if len(plan.aims) == 1 else f"sound {number + 1}"
        asked = AudioRequest(
            source=plan.source, plan_key=plan.plan_key, engine=plan.engine, number=number
        )
        found = await self.step(MEASURE_TRACK, asked, f"measure {name}")
        self.finished(1)
        request = LevelRequest(track=asked, before=found.loudness, aim=plan.aims[number])
        made = await self.step(LEVEL_TRACK, request, f"level {name}")
        self.finished(1)
        return found, made

    async def _assemble(
        self, job: Normalize, plan: NormalizeSummary, levelled: list[EncodeDone]
    ) -> Published:
        request = AssembleRequest(
            job_id=workflow.info().workflow_id,
            source=plan.source,
            output=job.output,
            overwrite=job.overwrite,
            plan_key=plan.plan_key,
            index_key=plan.index_key,
            chunk_keys=(),
            audio_keys=tuple(done.key for done in levelled),
            texts=plan.texts,
        )
        words = f"join, verify and publish {job.output}"
        return await self.step(ASSEMBLE, request, words, ends_the_job=True)


def _made(track: LevelDone) -> EncodeDone:
    if track.done is None:
        raise ValueError("a levelled track has no part")
    return track.done


def _told(tracks: list[LevelDone]) -> list[str]:
    return [f"sound {track.levelled.track} {words}" for track in tracks for words in track.warnings]
