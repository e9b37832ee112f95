"""The job `Batch`: the same job for many files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from longtake.contracts.base import Contract, Report, Uri
from longtake.contracts.job import Job
from longtake.contracts.pipeline import Name
from longtake.contracts.result import JobError, Stats

MOST_ITEMS = 100_000
MOST_SIDE_BY_SIDE = 200


class Batch(Job):
    """Run one job for each of many files, each a job of its own.

    `{"input": "/in/**/*.mp4", "output": "/out", "job": {"preset": "web-720p"}}`.
    One that fails does not stop the others.
    """

    COUNTS: ClassVar[str] = "items"
    WRITES_FOLDER: ClassVar[bool] = True
    LOOKS_ANEW: ClassVar[bool] = True

    kind: Literal["batch"] = "batch"
    input: Uri = Field(
        description="A pattern such as `/in/**/*.mp4` or `s3://bucket/in/*.mov`; a folder, or a "
        "prefix that ends in `/`; or a list of files: `.csv`, `.jsonl` or `.txt`."
    )
    output: Uri = Field(description="Folder or prefix of all outputs; made if it is not there.")
    job: dict[str, object] = Field(
        default={"kind": "transcode"},
        description="What is done with each file: a job of any kind with one input and one output, "
        "or a pipeline, without these two, an id and whose it is.",
    )
    pipeline_input: Name | None = Field(
        default=None, description="Of a pipeline: the name of the input that each file is."
    )
    suffix: str | None = Field(
        default=None,
        pattern=r"^\.[A-Za-z0-9]{1,10}$",
        description="Of the outputs. Left out: .mp4 for transcode, else the input's own.",
    )
    max_parallel: int = Field(
        default=8, ge=1, le=MOST_SIDE_BY_SIDE, description="Items under way at once."
    )
    retry_failed: bool = Field(
        default=False, description="Run only the items that failed when they ran last."
    )


class BatchItem(Contract):
    """One file of a batch, and what comes of it."""

    number: int
    input: Uri
    output: Uri
    options: dict[str, object] = {}
    """The item's own, over those of the batch's job."""
    problem: str | None = None
    """Why no job can be made of it."""


class ItemResult(Report):
    """A line of a batch's report."""

    number: int
    job_id: str
    input: str
    output: str
    state: Literal["succeeded", "failed", "canceled", "left"]
    """left: an item that a batch did not come to before it was cancelled; or with `retry_failed`,
    one that has never run."""
    ran: bool
    """Whether it ran in this run of the batch; one that was done before does not run again."""
    sha256: str | None = None
    """Of the output, where it is one file."""
    bytes: int | None = None
    """Of all its outputs that the job names."""
    wall_s: float | None = None
    error: JobError | None = None


class Tally(Report):
    """The items of a batch that are over, counted."""

    succeeded: int = 0
    failed: int = 0
    """Or cancelled alone."""
    left: int = 0
    done_before: int = 0
    """Of those that succeeded: in an earlier run."""
    stats: Stats = Stats()
    """Of the items that ran, all together."""

    @property
    def items(self) -> int:
        """All that are over."""
        return self.succeeded + self.failed + self.left
