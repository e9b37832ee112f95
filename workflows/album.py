"""Files that a `Normalize` takes together: given one gain, or told of their loudness by tags."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from temporalio import workflow

from workflows.account import damage, read, total
from workflows.control import JobWorkflow
from workflows.tasks import side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.loudness import Aim, AlbumLoudness, Levelled
    from longtake.contracts.normalize import Normalize
    from longtake.contracts.result import JobResult, Output
    from longtake.contracts.steps.album import (
        ENCODE_STAGE,
        FINISH_FILE,
        JUDGE_ALBUM,
        PLAN_ALBUM,
        TAG_FILE,
        AlbumRound,
        AlbumStage,
        AlbumSummary,
        FileDone,
        FinishRequest,
        Judged,
        JudgeRequest,
        StageRequest,
        TagRequest,
    )
    from longtake.contracts.steps.common import (
        PUBLISH,
        AudioRequest,
        EncodeDone,
        Piece,
        Published,
        PublishRequest,
    )
    from longtake.contracts.steps.normalize import MEASURE_TRACK, MeasureDone
    from longtake.paths import name_of, shown

REPLAYGAIN_LUFS = -18.0

Result = TypeVar("Result")
Encoded = list[MeasureDone]


class Album:
    """The files of one job, one track each, and what is known of them so far."""

    def __init__(self, flow: JobWorkflow, job: Normalize, plan: AlbumSummary) -> None:
        self._flow, self._job, self._plan = flow, job, plan
        self._names = [name_of(uri) for uri in job.sources]
        self._tracks = [
            AudioRequest(source=file.source, plan_key=file.plan_key, engine=file.engine)
            for file in plan.files
        ]

    @classmethod
    async def planned(cls, flow: JobWorkflow, job: Normalize) -> Album:
        """The first step: look at all files, and plan each."""
        flow.enter("probing")
        read = ", ".join(shown(uri) for uri in job.sources[:3])
        plan = await flow.step(PLAN_ALBUM, job, f"look at {read}{' …' * (len(job.files) > 3)}")
        return cls(flow, job, plan)

    async def tag(self) -> JobResult:
        """Measure each file and write its tags; an album's gain is in all of them."""
        flow = self._flow
        flow.total = flow.frames_total = 2 * len(self._tracks)
        flow.enter("normalizing")
        measured = await self._measure()
        together = None
        if self._job.album:
            together = (await self._judge(JudgeRequest(measured=_keys(measured), aim=None))).before
        requests = [
            TagRequest(
                source=track.source,
                plan_key=track.plan_key,
                output=output,
                track=found.loudness,
                album=together,
                engine=track.engine,
            )
            for track, found, (_, output) in zip(
                self._tracks, measured, self._job.files, strict=True
            )
        ]
        files = await side_by_side(
            self._count(flow.step(TAG_FILE, request, f"tag {name}"))
            for request, name in zip(requests, self._names, strict=True)
        )
        album = None
        if together is not None:
            lufs = together.integrated_lufs
            gain = 0.0 if lufs is None else REPLAYGAIN_LUFS - lufs
            album = AlbumLoudness(gain_db=round(gain, 3), before=together, after=together)
        published = await self._publish(files)
        outputs = [
            output.model_copy(update={"media": file.media, "tagged": file.tagged})
            for output, file in zip(published.outputs, files, strict=True)
        ]
        return self._result(outputs, album, [*measured], files, published, ())

    async def level(self) -> JobResult:
        """Encode all files at one gain, as often as it takes, and finish the best round."""
        flow, plan = self._flow, self._plan
        flow.total = flow.frames_total = 3 * len(self._tracks)
        flow.enter("normalizing")
        measured = await self._measure()
        judged, tries, rounds = await self._rounds(measured)
        made, kept = tries[judged.best], rounds[judged.best]
        flow.enter("assembling")
        files = await side_by_side(
            self._count(flow.step(FINISH_FILE, request, f"finish {name}"))
            for request, name in zip(self._finishing(made), self._names, strict=True)
        )
        published = await self._publish(files)
        assert plan.aim is not None
        outputs = [
            output.model_copy(
                update={"media": file.media, "loudness": (levelled,)},
            )
            for output, file, levelled in zip(
                published.outputs,
                files,
                _levelled(plan.aim, kept.stage, len(rounds), measured, made),
                strict=True,
            )
        ]
        album = AlbumLoudness(
            gain_db=round(kept.stage.gain_db, 3), before=judged.before, after=kept.after
        )
        encodes = [done for each in tries for done in each]
        return self._result(
            outputs, album, [*measured, *encodes], files, published, judged.warnings
        )

    async def _rounds(self, measured: Encoded) -> tuple[Judged, list[Encoded], list[AlbumRound]]:
        request = JudgeRequest(measured=_keys(measured), aim=self._plan.aim, lossy=self._plan.lossy)
        judged = await self._judge(request)
        tries: list[Encoded] = []
        rounds: list[AlbumRound] = []
        silent = [track.loudness.sample_peak_dbfs is None for track in measured]
        while judged.next is not None:
            stage = judged.next
            tries.append(await self._encode(stage, silent, first=not tries))
            update = {"stage": stage, "levelled": _keys(tries[-1]), "rounds": tuple(rounds)}
            judged = await self._judge(request.model_copy(update=update))
            assert judged.round is not None
            rounds.append(judged.round)
        return judged, tries, rounds

    async def _judge(self, request: JudgeRequest) -> Judged:
        return await self._flow.step(JUDGE_ALBUM, request, "gate all files together")

    async def _measure(self) -> Encoded:
        return await side_by_side(
            self._count(self._flow.step(MEASURE_TRACK, track, f"measure {name}"))
            for track, name in zip(self._tracks, self._names, strict=True)
        )

    async def _encode(self, stage: AlbumStage, silent: Sequence[bool], *, first: bool) -> Encoded:
        """All files through one stage, but those without a sample above zero: dithered, they would
        be silent no more. Only the first round counts as progress: how many will follow, nobody
        knows."""
        steps = [
            self._flow.step(
                ENCODE_STAGE,
                StageRequest(track=track, gain_db=gain, ceiling_dbtp=ceiling),
                f"level {name} by {gain:+.2f} dB",
            )
            for track, gain, ceiling, name in zip(
                self._tracks,
                [0.0 if each else stage.gain_db for each in silent],
                stage.ceilings_dbtp,
                self._names,
                strict=True,
            )
        ]
        return await side_by_side(self._count(step) if first else step for step in steps)

    def _finishing(self, made: Encoded) -> list[FinishRequest]:
        return [
            FinishRequest(
                source=file.source,
                plan_key=file.plan_key,
                index_key=file.index_key,
                audio_key=track.done.key,
                engine=file.engine,
            )
            for file, track in zip(self._plan.files, made, strict=True)
        ]

    async def _publish(self, files: Sequence[FileDone]) -> Published:
        """All files at once."""
        flow, job = self._flow, self._job
        flow.enter("publishing")
        flow.staged = tuple(output for _, output in job.files)
        sources = [file.source for file in self._plan.files]
        request = PublishRequest(
            job_id=workflow.info().workflow_id,
            source=sources[0],
            others=tuple(sources[1:]),
            pieces=tuple(
                Piece(key=_done(file).key, uris=(output,), role="main")
                for file, (_, output) in zip(files, job.files, strict=True)
            ),
            overwrite=job.overwrite,
            lease=job.output,
            folder=job.output if job.album else None,
        )
        return await flow.step(PUBLISH, request, f"publish {job.output}", ends_the_job=True)

    async def _count(self, step: Awaitable[Result]) -> Result:
        done = await step
        self._flow.finished(1)
        return done

    def _result(
        self,
        outputs: Sequence[Output],
        album: AlbumLoudness | None,
        tracks: Sequence[MeasureDone],
        files: Sequence[FileDone],
        published: Published,
        told: Sequence[str],
    ) -> JobResult:
        plan, steps = self._plan, [each.done for each in tracks]
        media_s = sum(file.media_s for file in plan.files)
        bytes_read = sum(file.source.bytes for file in plan.files)
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=tuple(outputs),
            sources=read(*(file.source for file in plan.files)),
            stats=total(media_s, bytes_read, steps, [_done(file) for file in files], published),
            decisions=self._decisions(),
            warnings=(
                *self._named([file.warnings for file in plan.files]),
                *told,
                *self._named([file.warnings for file in files]),
                *damage(steps),
                *published.warnings,
            ),
            album=album,
        )

    def _decisions(self) -> dict[str, str]:
        """What was decided; where it was not the same for all files, by file."""
        decisions = [file.decisions for file in self._plan.files]
        if all(each == decisions[0] for each in decisions):
            return decisions[0]
        return {
            f"{name}: {what}": why
            for name, each in zip(self._names, decisions, strict=True)
            for what, why in each.items()
        }

    def _named(self, warnings: Sequence[Sequence[str]]) -> list[str]:
        """Each file's warnings under its name; one file's need none."""
        if len(warnings) == 1:
            return list(warnings[0])
        return [
            f"{name}: {words}"
            for name, each in zip(self._names, warnings, strict=True)
            for words in each
        ]


def _levelled(
    aim: Aim, stage: AlbumStage, rounds: int, measured: Encoded, made: Encoded
) -> list[Levelled]:
    return [
        Levelled(
            track=1,
            aim=aim,
            gain_db=round(stage.gain_db, 3),
            limiter_dbtp=ceiling and round(ceiling, 3),
            rounds=rounds,
            before=before.loudness,
            after=after.loudness,
        )
        for before, after, ceiling in zip(measured, made, stage.ceilings_dbtp, strict=True)
    ]


def _keys(tracks: Encoded) -> tuple[str, ...]:
    return tuple(track.windows_key for track in tracks)


def _done(file: FileDone) -> EncodeDone:
    if file.done is None:
        raise ValueError("a finished file has no part")
    return file.done
