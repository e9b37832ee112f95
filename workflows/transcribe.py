"""The workflow `Transcribe`: prepare the sound, hear its windows side by side, write the texts."""

from __future__ import annotations

from temporalio import workflow

from workflows.account import damage, read, total
from workflows.control import JobWorkflow
from workflows.gpu import choose_gpu
from workflows.speech import Listened, Listening, doubt, language_in_words

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.captions import CaptionFile
    from longtake.contracts.encode import VideoOptions
    from longtake.contracts.picture import Captions
    from longtake.contracts.result import JobResult, Output, Transcribed
    from longtake.contracts.steps.common import PUBLISH, Piece, Published, PublishRequest
    from longtake.contracts.steps.transcribe import (
        PLAN_TRANSCRIBE,
        WRITE_TRANSCRIPT,
        TranscribeSummary,
        WriteRequest,
        Written,
    )
    from longtake.contracts.transcode import Transcode
    from longtake.contracts.transcribe import Transcribe
    from longtake.paths import shown


@workflow.defn(name="Transcribe")
class TranscribeWorkflow(JobWorkflow):
    """A recording in, what is said in it out."""

    @workflow.run
    async def run(self, job: Transcribe) -> JobResult:
        """Run the job to its end."""
        return await self.run_job(job, "transcribe", self._transcribe(job))

    async def _transcribe(self, job: Transcribe) -> JobResult:
        self.enter("probing")
        plan = await self.step(PLAN_TRANSCRIBE, job, f"look at {shown(job.input)}")
        gpu, decision = await choose_gpu(self, job, "heard")
        self.enter("transcribing")
        listening = Listening(self, plan.asked, gpu=gpu)
        listened = await listening.listen(self._found, lambda: self.finished(1))
        written = await self._write(job, plan, listened)
        self.enter("publishing")
        published = await self._publish(job, plan, written)
        film, warnings = await self._film(job, listened, written)
        return JobResult(
            job_id=workflow.info().workflow_id,
            state="succeeded",
            outputs=(*published.outputs, *film),
            sources=read(plan.asked.source),
            stats=total(
                plan.media_s,
                plan.asked.source.bytes,
                listened.windows,
                listened.others,
                published,
            ),
            decisions=plan.decisions | decision | {"language": language_in_words(listened.heard)},
            warnings=(
                *(*plan.warnings, *damage(listened.others), *doubt(listened.heard, "--language")),
                *(*written.warnings, *published.warnings, *warnings),
            ),
            transcript=_in_short(listened, written),
        )

    def _found(self, windows: int) -> None:
        self.total = self.frames_total = windows

    async def _write(self, job: Transcribe, plan: TranscribeSummary, listened: Listened) -> Written:
        request = WriteRequest(
            asked=plan.asked,
            heard=listened.heard,
            formats=tuple(name for name, _ in job.texts),
            frame_rate=plan.frame_rate,
            first_frame_s=plan.first_frame_s,
        )
        return await self.step(WRITE_TRANSCRIPT, request, "write the texts")

    async def _publish(
        self, job: Transcribe, plan: TranscribeSummary, written: Written
    ) -> Published:
        pieces = tuple(
            Piece(key=key, uris=(uri,), role=name)
            for (name, uri), key in zip(job.texts, written.keys, strict=True)
        )
        self.staged = tuple(uri for piece in pieces for uri in piece.uris)
        request = PublishRequest(
            job_id=workflow.info().workflow_id,
            source=plan.asked.source,
            pieces=pieces,
            overwrite=job.overwrite,
            lease=job.output,
            folder=job.output if job.writes_folder else None,
        )
        words = f"publish {job.output}"
        return await self.step(PUBLISH, request, words, ends_the_job=job.film is None)

    async def _film(
        self, job: Transcribe, listened: Listened, written: Written
    ) -> tuple[tuple[Output, ...], tuple[str, ...]]:
        """The film with the captions that were published, made by a job of its own."""
        if job.film_uri is None:
            return (), ()
        if not written.segments:
            return (), ("nobody speaks: no film with captions is made",)
        self.enter("encoding")
        film = _captioned(job, job.film_uri, listened.heard.language.code)
        made = await self.child(film, f"{workflow.info().workflow_id}-film")
        outputs = tuple(each.model_copy(update={"role": "film"}) for each in made.outputs)
        return outputs, made.warnings


def _captioned(job: Transcribe, output: str, language: str) -> Transcode:
    """The job that makes the film, with the captions that were published."""
    captions = dict(job.texts)["vtt"]
    film = Transcode(input=job.input, output=output, overwrite=job.overwrite, group=job.group)
    if job.film == "mux":
        track = CaptionFile(source=captions, language=language, default=True)
        return film.model_copy(update={"preset": "remux", "captions": (track,)})
    video = VideoOptions(captions=Captions(file=captions))
    return film.model_copy(update={"video": video, "gpu": job.gpu})


def _in_short(listened: Listened, written: Written) -> Transcribed:
    heard = listened.heard
    return Transcribed(
        model=heard.model,
        language=heard.language.code,
        probability=heard.language.probability,
        words=written.words,
        segments=written.segments,
        speakers=written.speakers,
        speech_s=heard.speech_s,
    )
