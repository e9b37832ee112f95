"""How far a pipeline is: what its steps have made, what they are told, and how they stand.

Pure, and so fit for a workflow: what must be looked up is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from longtake.contracts.batch import Batch
from longtake.contracts.job import Job
from longtake.contracts.pipeline import (
    Facts,
    From,
    Pipeline,
    PipelineDocument,
    Step,
    StepStatus,
)
from longtake.contracts.result import JobError, JobResult, Output, Stats
from longtake.contracts.steps.pipeline import Gate, PipelinePlan, StepAsked, StepTold
from longtake.kinds import to_json
from longtake.pipelines.check import GIVEN, played_input, published
from longtake.pipelines.conditions import why_not
from longtake.pipelines.graph import End, Graph, Moves, Standing
from longtake.pipelines.ports import STEPS
from longtake.pipelines.references import references, step_job

LAST = "on_cancel"
"""What the step is called that is done on cancel."""


class Course:
    """One run of a pipeline.

    `statuses`: by step, as the query `steps` tells them. `approved`: steps let through their gate.
    `without_picture`: what has no picture has a height of 0, as in runs of earlier versions.
    """

    def __init__(self, job: Pipeline, plan: PipelinePlan, *, without_picture: bool = False) -> None:
        self._job, self._plan = job, plan
        self._without_picture = without_picture
        self.document: PipelineDocument = plan.prepared.document
        self.graph = Graph(self.document)
        self.statuses = {
            name: StepStatus(name=name, kind=step.kind, label=step.label)
            for name, step in self.document.steps.items()
        }
        self._published = published(self.document)
        self._ended: dict[str, End] = {}
        self._results: dict[str, JobResult] = {}
        self._facts: dict[str, Facts] = dict(plan.facts)

    def moves(self, approved: set[str]) -> Moves:
        """What follows now. What is skipped by it counts as ended."""
        running = [name for name, status in self.statuses.items() if status.state == "running"]
        moves = self.graph.moves(
            Standing(self._ended, running, approved), there=self._is_there, holds=self._why_not
        )
        for name, skipped in moves.skipped.items():
            self._ended[name] = skipped.end
            self.set(name, state="skipped", why=skipped.why)
        return moves

    def set(self, name: str, **fields: Any) -> None:
        """Change what is told of a step."""
        self.statuses[name] = self.statuses[name].model_copy(update=fields)

    def done(self, name: str, result: JobResult, *, reused: bool, why: str) -> None:
        """A step has made something, now or in an earlier run."""
        self._ended[name], self._results[name] = "done", result
        told = {"outputs": result.outputs, "reused": reused, "why": why, "fraction": 1.0}
        self.set(name, state="done", **told)

    def failed(self, name: str, error: JobError, made: JobResult | None = None) -> None:
        """A step has failed. `made`: what it published all the same, as a batch its report."""
        self._ended[name] = "failed"
        self.set(name, state="failed", error=error)
        if made:
            self._results[name] = made
            self.set(name, outputs=made.outputs)

    def given(self, reference: From) -> tuple[str, ...]:
        """The URIs or words that a reference means."""
        source, _, name = reference.from_.partition(".")
        if source == "inputs":
            return _listed(self._job.inputs.get(name))
        if source == "texts":
            return _listed(self._job.texts.get(name, self.document.texts[name].default))
        port = self._plan.prepared.ports[source][name]
        if source not in self._results:
            return ()
        if port.type == "language":
            transcript = self._results[source].transcript
            return (transcript.language,) if transcript else ()
        return tuple(output.uri for output in self._outputs(reference.from_))

    def job(self, name: str, envelope: Mapping[str, Any]) -> Job:
        """The job of a step, or of the last one. Raises InvalidJob or ValidationError."""
        step = self.step(name)
        mine: dict[str, Any] = dict(envelope)
        fields = STEPS[step.kind].model_fields
        if "overwrite" in fields:  # what is kept is the pipeline's own
            mine["overwrite"] = self.may_replace(name)
        job = step_job(step, self.given, self.folder(name), mine)
        if isinstance(job, Batch) and self.may_replace(name):
            return job.model_copy(update={"job": {**job.job, "overwrite": True}})
        return job

    def step(self, name: str) -> Step:
        """A step as it is written, or the one on cancel."""
        if name == LAST and self.document.on_cancel:
            return self.document.on_cancel
        return self.document.steps[name]

    def folder(self, name: str) -> str:
        """Where the outputs of a step lie."""
        is_published = name in self._published or name == LAST
        return self._job.output if is_published else f"{self._plan.kept}/{name}"

    def may_replace(self, name: str) -> bool:
        """Whether a step may replace what lies in the places of its outputs."""
        return self._job.overwrite or self.folder(name) != self._job.output

    def asked(self, name: str, job: Job, *, approved: bool = False) -> StepAsked:
        """What must be known before a step runs: its job, what that reads, and whether a person
        has let it through."""
        step = self.step(name)
        made = {
            reference.from_: self._hash(reference)
            for reference in references(step)
            if reference.from_.partition(".")[0] not in GIVEN and self.given(reference)
        }
        if step.kind == "report":
            made |= {told.status.name: _digest(told) for told in self.told(name)}
        return StepAsked(
            name=name,
            job=to_json(job),
            made=made,
            kept=self._plan.kept,
            folder=self.folder(name),
            gate=Gate(before=self._before(name), approved=approved) if step.gate else None,
        )

    def _before(self, name: str) -> str:
        """Of all that a person may have looked at: the files given, and what was made of them."""
        given = [source.sha256 for source in self._plan.sources]
        made = [
            [other, [output.sha256 for output in self._results[other].outputs]]
            for other in self.graph.before(name)
            if other in self._results
        ]
        return hashlib.sha256(json.dumps([given, made]).encode()).hexdigest()

    def told(self, name: str) -> tuple[StepTold, ...]:
        """What a report tells of the steps that it needs."""
        return tuple(
            StepTold(
                status=self.statuses[other],
                stats=self._results[other].stats if other in self._results else Stats(),
            )
            for other in self.graph.needs[name]
        )

    def replaced(self, result: JobResult) -> str | None:
        """What a step read of another one and was not what that one made, for another job put
        something else there; None if all is well."""
        made = {o.uri: o.sha256 for each in self._results.values() for o in each.outputs}
        return next(
            (read.uri for read in result.sources if made.get(read.uri, read.sha256) != read.sha256),
            None,
        )

    def unknown(self, name: str) -> dict[str, str]:
        """What a step made of which conditions want facts: URIs by reference."""
        asked = (step.when.of for step in self.document.steps.values() if step.when)
        wanted = {of for of in asked if of and of.partition(".")[0] == name}
        found = {of: self.given(_reference(of)) for of in sorted(wanted)}
        return {of: uris[0] for of, uris in found.items() if uris}

    def know(self, reference: str, facts: Facts) -> None:
        """Take facts of what a step made."""
        self._facts[reference] = facts

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What is published, each by its own name."""
        return tuple(
            output.model_copy(update={"role": name})
            for name, reference in self.document.outputs.items()
            for output in self._outputs(reference.from_)
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without an end to it."""
        return tuple(
            f"{name}: {words}"
            for name, status in self.statuses.items()
            for words in (
                *([f"failed: {status.error.message}"] if status.error else ()),
                *(self._results[name].warnings if name in self._results else ()),
            )
        )

    @property
    def stats(self) -> Stats:
        """The cost of what ran now; steps count as the job's parts."""
        ran = [
            self._results[name].stats
            for name, status in self.statuses.items()
            if name in self._results and not status.reused
        ]
        return Stats(
            media_s=max((each.duration_s for each in self._facts.values()), default=0.0),
            encode_s=round(sum(each.encode_s for each in ran), 3),
            cpu_s=round(sum(each.cpu_s for each in ran), 3),
            bytes_read=sum(each.bytes_read for each in ran),
            bytes_written=sum(each.bytes_written for each in ran),
            chunks=sum(status.state == "done" for status in self.statuses.values()),
            chunks_reused=sum(status.reused for status in self.statuses.values()),
            retries=sum(each.retries for each in ran),
            peak_memory_bytes=max((each.peak_memory_bytes for each in ran), default=0),
        )

    def _outputs(self, reference: str) -> tuple[Output, ...]:
        source, _, name = reference.partition(".")
        if source not in self._results:
            return ()
        return self._plan.prepared.ports[source][name].pick(self._results[source].outputs)

    def _hash(self, reference: From) -> str:
        """Of the bytes of what a step made, or of words."""
        outputs = self._outputs(reference.from_)
        return " ".join(output.sha256 for output in outputs) or " ".join(self.given(reference))

    def _is_there(self, reference: str) -> bool:
        return bool(self.given(_reference(reference)))

    def _why_not(self, step: Step) -> str | None:
        assert step.when is not None
        of = step.when.of or f"inputs.{played_input(self.document)}"
        facts = self._facts.get(of)
        if facts is None:
            return f"there is no {of}"
        return why_not(step.when, facts, without_picture=self._without_picture)


def _reference(words: str) -> From:
    return From.model_validate({"from": words})


def _listed(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given or ()


def _digest(told: StepTold) -> str:
    """What must be the same for a report to be still true, but for times and costs."""
    status = told.status
    made = [[output.uri, output.sha256] for output in status.outputs]
    state = [status.state, made, status.error.model_dump() if status.error else None]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()
