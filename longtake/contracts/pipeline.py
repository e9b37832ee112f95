"""The job `Pipeline`: what happens to an upload, step by step, written down once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema, model_validator

from longtake.contracts.base import Contract, Report, Seconds, Uri, spelt
from longtake.contracts.captions import Language
from longtake.contracts.job import Group, Job
from longtake.contracts.result import JobError, Output

MOST_STEPS = 100

FileType = Literal[
    "video", "audio", "media", "image", "captions", "transcript", "document", "package", "data",
    "key", "files",
]  # fmt: skip
"""What a file is. `media` is video or audio; `data` is a file that no step reads as media;
`files` are what a batch takes: a pattern, a folder, or a list."""
ValueType = Literal["text", "language"]
"""What is no file: words, such as a title; and a language tag (BCP 47)."""

_NAME = "[a-z][a-z0-9_-]{0,39}"
Name = Annotated[
    str,
    spelt(_NAME, "use small letters, digits, _ and -, up to 40, a letter first"),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]

_REFERENCE = rf"{_NAME}\.{_NAME}"
Reference = Annotated[
    str,
    spelt(_REFERENCE, "write inputs.NAME, texts.NAME or STEP.OUTPUT"),
    WithJsonSchema({"type": "string", "pattern": f"^{_REFERENCE}$"}),
]
"""`inputs.video`, `texts.title`, or an output of a step: `normalize.audio`."""

Text = Annotated[str, Field(max_length=4000)]


class Input(Contract):
    """A file, or several, that is given to a pipeline."""

    type: Literal["video", "audio", "media", "image", "captions", "transcript", "key", "files"] = (
        Field(
            default="media",
            description="What the file is; media is video or audio. files: what a batch takes, a "
            "pattern, a folder or prefix, or a list of files.",
        )
    )
    optional: bool = Field(default=False, description="Whether a job may leave it out.")
    many: bool = Field(default=False, description="Whether it is one or more files, in order.")
    description: str | None = None


class TextInput(Contract):
    """Words that are given to a pipeline, such as a title."""

    type: ValueType = "text"
    optional: bool = Field(default=False, description="Whether a job may leave it out.")
    many: bool = Field(
        default=False, description="Whether it is one or more, such as a title for each part."
    )
    default: Text | None = Field(default=None, description="Taken where a job leaves it out.")
    description: str | None = None


class From(Contract):
    """Stands in a step where a file or words would: what an input or another step gives.

    In a list, an entry that refers to several files or words stands there once for each of them.
    """

    model_config = ConfigDict(
        serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    from_: Reference = Field(alias="from")
    optional: bool = Field(
        default=False,
        description="Where there is nothing, for the input was left out or the step was skipped "
        "or failed under `on_error: continue`: true leaves this place out, too; else the step "
        "that refers to it is skipped.",
    )


class Bounds(Contract):
    """A number's bounds, both included."""

    at_least: Annotated[float, Field(allow_inf_nan=False)] | None = None
    at_most: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _leaves_something(self) -> Bounds:
        least, most = self.at_least, self.at_most
        if least is None and most is None:
            raise ValueError("say at_least, at_most or both")
        if least is not None and most is not None and least > most:
            raise ValueError(f"nothing is at least {least:g} and at most {most:g}")
        return self


class Facts(Report):
    """What conditions and estimates ask of a media file."""

    has_video: bool = False
    """Whether it has pictures that move; a cover is none."""
    has_audio: bool = False
    width: int = 0
    """Of the picture in pixels; 0 without one."""
    height: int = 0
    frame_rate: float = 0.0
    duration_s: float = 0.0
    bytes: int = 0
    languages: tuple[str, ...] = ()
    """Of the sound tracks, as they are tagged (BCP 47)."""


class When(Contract):
    """Facts of a media file that must all hold, else a step is skipped."""

    of: Reference | None = Field(
        default=None,
        description="The file: inputs.NAME, or a step's output. Left out: the pipeline's one "
        "input of video, audio or media.",
    )
    has_video: bool | None = Field(default=None, description="Pictures that move; a cover is none.")
    has_audio: bool | None = None
    height: Bounds | None = Field(
        default=None,
        description="Of the shorter side in pixels, as in '720p'. None has no picture.",
    )
    duration_s: Bounds | None = Field(default=None, description="Length in seconds.")
    bytes: Bounds | None = None
    language: Language | tuple[Language, ...] | None = Field(
        default=None,
        description="A sound track is tagged with it, or with one of them: en also finds en-GB.",
    )

    @model_validator(mode="after")
    def _asks_something(self) -> When:
        asked = set(type(self).model_fields) - {"of"}
        if all(getattr(self, name) is None for name in asked):
            raise ValueError(f"names no fact; use one or more of: {', '.join(sorted(asked))}")
        return self


class Step(Contract):
    """A job in a pipeline: the fields of its kind, and when and how it is done.

    A field that names a file may be a reference instead: `input: {from: normalize.audio}`.
    `output` is a path in the pipeline's folder. The envelope's `id`, `tenant` and `deadline`, and
    `overwrite`, are the pipeline's own.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    kind: str = Field(description="A kind of job, or probe, checksums, report.")
    needs: tuple[Name, ...] = Field(
        default=(), description="Steps that end before, beside those that are referred to."
    )
    when: When | None = None
    on_error: Literal["fail", "skip", "continue"] = Field(
        default="fail",
        description="What a failure means. fail: the pipeline fails. skip: all steps that need "
        "this one are skipped, and theirs. continue: it made nothing, and what can do without it "
        "goes on.",
    )
    gate: Literal["approval"] | None = Field(
        default=None, description="approval: it waits until a person approves it."
    )
    label: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="The author's own word for this stage, told with the progress."
    )
    priority: Annotated[int, Field(ge=1, le=5)] | None = Field(
        default=None, description="1 runs first, 5 last; left out, the pipeline's."
    )
    deadline_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        default=None,
        description="Seconds from its start until it fails with DeadlineExceeded. Waiting for "
        "approval does not count.",
    )
    group: Group | None = Field(
        default=None, description="Extra group of workers; left out, the pipeline's."
    )

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the job's kind, with references as they are written."""
        return dict(self.model_extra or {})


class PipelineDocument(Contract):
    """What stands in `PIPELINE.yaml`: named inputs, steps and outputs."""

    title: str | None = Field(default=None, description="What it is, in a few words.")
    audience: str | None = Field(default=None, description="For whom it is.")
    inputs: Annotated[dict[Name, Input], Field(min_length=1)] = Field(
        description="Files that a job gives."
    )
    texts: dict[Name, TextInput] = Field(default={}, description="Words that a job gives.")
    steps: Annotated[dict[Name, Step], Field(min_length=1, max_length=MOST_STEPS)]
    outputs: Annotated[dict[Name, From], Field(min_length=1)] = Field(
        description="What is published, by a name of its own. A step that gives one of them "
        "writes to the pipeline's folder; what other steps write is kept for them alone."
    )
    on_cancel: Step | None = Field(
        default=None,
        description="A step that is done when the pipeline is cancelled. Its references to other "
        "steps are optional.",
    )


class Pipeline(Job):
    """Do the steps of a document for files: `{"kind": "pipeline", "pipeline": "video-upload",
    "inputs": {"video": URI}, "output": FOLDER}`.
    """

    READS: ClassVar[tuple[str, ...]] = ("inputs.*",)
    WRITES_FOLDER: ClassVar[bool] = True
    COUNTS: ClassVar[str] = "steps"

    kind: Literal["pipeline"] = "pipeline"
    pipeline: str | PipelineDocument = Field(
        description="Name of a preset, or a whole document of inputs, steps and outputs."
    )
    inputs: dict[Name, Uri | Annotated[tuple[Uri, ...], Field(min_length=1)]] = Field(
        default={}, description="Files by the names that the document gives them."
    )
    texts: dict[Name, Text | Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(
        default={}, description="Words by the document's names."
    )
    output: Uri = Field(description="A folder or s3:// prefix; made if it is not there.")
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Pipeline:
        if self.output in self.sources:
            raise ValueError("output must be a folder, not an input")
        return self

    @property
    def looks_anew(self) -> bool:
        """Whether a batch is among its steps, however deep, which finds what is new each time."""
        document = self.pipeline
        return isinstance(document, PipelineDocument) and any(
            _looks_anew({"kind": step.kind, **step.fields}) for step in document.steps.values()
        )

    @property
    def preset_name(self) -> str:
        """What the document is called."""
        return self.pipeline if isinstance(self.pipeline, str) else "inline"


def _looks_anew(step: Mapping[str, Any]) -> bool:
    document = step.get("pipeline")
    inner = document.get("steps", {}).values() if isinstance(document, Mapping) else ()
    return step.get("kind") == "batch" or any(map(_looks_anew, inner))


class ProbeStep(Job):
    """A step of a pipeline alone: the facts of a file, as JSON."""

    kind: Literal["probe"] = "probe"
    input: Uri
    output: Uri = Field(description="A .json file, as `longtake probe --json` shows.")


class Checksums(Job):
    """A step of a pipeline alone: a list of SHA-256, as sha256sum writes and checks it."""

    READS: ClassVar[tuple[str, ...]] = ("files",)

    kind: Literal["checksums"] = "checksums"
    files: Annotated[tuple[Uri, ...], Field(min_length=1, max_length=1000)]
    output: Uri = Field(description="The list, such as SHA256SUMS.")


class PipelineReport(Job):
    """A step of a pipeline alone: what became of the steps that it needs, as JSON."""

    READS: ClassVar[tuple[str, ...]] = ()

    kind: Literal["report"] = "report"
    output: Uri = Field(description="A .json file: state, reason, outputs and cost of each step.")


StepState = Literal["waiting", "gated", "running", "done", "skipped", "failed", "canceled"]
"""`gated`: its turn has come, and it waits for approval."""


class StepStatus(Report):
    """A step of a running or finished pipeline; a list of them is the answer of query `steps`."""

    name: str
    kind: str
    state: StepState = "waiting"
    label: str | None = None
    job_id: str | None = None
    """The child's; None before it starts, and of probe, checksums and report."""
    fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    why: str | None = None
    """Why it ran again, or did not run: `longtake run --explain` shows it."""
    reused: bool = False
    """Done by an earlier run, and still in place."""
    outputs: tuple[Output, ...] = ()
    error: JobError | None = None
