"""The envelope that every job has, whatever its kind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field, WithJsonSchema

from longtake.contracts.base import Contract, spelt
from longtake.contracts.result import Stage
from longtake.contracts.webhooks import Webhook
from longtake.places import places

_ID = "[A-Za-z0-9][A-Za-z0-9._:-]{0,199}"
JobId = Annotated[
    str,
    spelt(_ID, "use letters, digits and . _ : -, up to 200, a letter or digit first"),
    WithJsonSchema({"type": "string", "pattern": f"^{_ID}$"}),
]

_TENANT = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
Tenant = Annotated[
    str,
    spelt(_TENANT, "use letters, digits and . _ -, up to 64, a letter or digit first"),
    WithJsonSchema({"type": "string", "pattern": f"^{_TENANT}$"}),
]

_GROUP = "[a-z0-9][a-z0-9-]{0,39}"
Group = Annotated[
    str,
    spelt(_GROUP, "use small letters, digits and -, up to 40"),
    WithJsonSchema({"type": "string", "pattern": f"^{_GROUP}$"}),
]
"""Name of an extra group of workers: `large` polls `longtake-cpu-large`."""

GpuUse = Literal["never", "prefer", "require"]


class Job(Contract):
    """The envelope: who wants the job, how urgent it is, and until when it is worth doing.

    A kind says which of its fields name places, and what its progress counts.
    """

    READS: ClassVar[tuple[str, ...]] = ("input",)
    """Fields that name what is read; `parts.source` is one of each entry of a list."""
    WRITES: ClassVar[tuple[str, ...]] = ("output",)
    """Fields that name what is written."""
    WRITES_FOLDER: ClassVar[bool] = False
    """Whether what is written is a folder of files, which is made if it is not there."""
    COUNTS: ClassVar[str] = "chunks"
    """What the steps are called that its progress counts."""
    LOOKS_ANEW: ClassVar[bool] = False
    """Whether only a run of the job can tell what there is to do: it is never just done."""

    id: JobId | None = Field(
        default=None,
        description="Identity of the job. Left out, it is made from the job's content, so that "
        "starting the same job twice gives one job.",
    )
    tenant: Tenant = Field(
        default="default", description="Whose job it is; tenants share the workers fairly."
    )
    priority: int = Field(default=3, ge=1, le=5, description="1 runs first, 5 last.")
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="The caller's own words; never read, and told again with the job's state.",
    )
    stage_labels: dict[Stage, Annotated[str, Field(max_length=100)]] = Field(
        default={},
        description="The caller's own words for stages, such as "
        '{"stitching": "GENERATING_AUDIO"}: progress tells them as `label`.',
    )
    notify: tuple[Webhook, ...] = Field(
        default=(), max_length=10, description="Webhooks that are told of the job as it goes on."
    )
    deadline: AwareDatetime | None = Field(
        default=None, description="A job that is not done by then fails with DeadlineExceeded."
    )
    gpu: GpuUse = Field(
        default="never",
        description="never: CPU workers only. prefer: a GPU worker if one is alive when the job "
        "is planned, else CPU, and the result says which. require: wait for a GPU worker.",
    )
    group: Group | None = Field(
        default=None,
        description="Extra group of workers that computes this job, such as `large` for "
        "`longtake-cpu-large`. Left out: the workers of no group.",
    )

    @property
    def sources(self) -> tuple[str, ...]:
        """URIs of what is read."""
        return tuple(uri for path in self.READS for uri in places(self, path))

    @property
    def targets(self) -> tuple[str, ...]:
        """URIs of what is written."""
        return tuple(uri for path in self.WRITES for uri in places(self, path))

    @property
    def looks_anew(self) -> bool:
        """Whether only a run of this job can tell what there is to do."""
        return self.LOOKS_ANEW

    @property
    def writes_folder(self) -> bool:
        """Whether this job writes a folder, where its kind may do either."""
        return self.WRITES_FOLDER
