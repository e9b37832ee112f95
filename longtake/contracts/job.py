"""The envelope that every job has, whatever its kind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from longtake.contracts.base import Contract

JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$")]
"""Letters, digits and `._:-`, at most 200 characters."""

Tenant = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

GpuUse = Literal["never", "prefer", "require"]


class Job(Contract):
    """The envelope: who wants the job, how urgent it is, and until when it is worth doing.

    A kind says which of its fields name places, and what its progress counts.
    """

    READS: ClassVar[tuple[str, ...]] = ("input",)
    """Fields that name what is read."""
    WRITES: ClassVar[tuple[str, ...]] = ("output",)
    """Fields that name what is written."""
    WRITES_FOLDER: ClassVar[bool] = False
    """Whether what is written is a folder of files, which is made if it is not there."""
    COUNTS: ClassVar[str] = "chunks"
    """What the steps are called that its progress counts."""

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
    deadline: AwareDatetime | None = Field(
        default=None, description="A job that is not done by then fails with DeadlineExceeded."
    )
    gpu: GpuUse = Field(
        default="never",
        description="never: CPU workers only. prefer: a GPU worker if one is alive when the job "
        "is planned, else CPU, and the result says which. require: wait for a GPU worker.",
    )

    @property
    def sources(self) -> tuple[str, ...]:
        """URIs of what is read."""
        return self._places(self.READS)

    @property
    def targets(self) -> tuple[str, ...]:
        """URIs of what is written."""
        return self._places(self.WRITES)

    @property
    def writes_folder(self) -> bool:
        """Whether this job writes a folder, where its kind may do either."""
        return self.WRITES_FOLDER

    def _places(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        """A field names one place, or a list of them."""
        named = [getattr(self, field) for field in fields]
        return tuple(uri for one in named for uri in ([one] if isinstance(one, str) else one))
