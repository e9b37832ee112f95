"""Which job is started when an object appears."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from longtake.contracts.base import Contract, Report, Uri, spelt

_NAME = "[a-z][a-z0-9_-]{0,39}"
RuleName = Annotated[str, spelt(_NAME, "use small letters, digits, _ and -, a letter first")]
Suffix = Annotated[str, spelt(r"\.[A-Za-z0-9.]{1,20}", "a suffix begins with a dot: .mp4")]


class Bytes(Contract):
    """Sizes in bytes, both included."""

    at_least: Annotated[int, Field(ge=0)] | None = None
    at_most: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _leaves_something(self) -> Bytes:
        least, most = self.at_least, self.at_most
        if least is not None and most is not None and least > most:
            raise ValueError(f"nothing has at least {least} and at most {most} bytes")
        return self


class IngestRule(Contract):
    """What is done with an object under a prefix, or a file in a folder."""

    name: RuleName
    under: Uri = Field(
        description="Where they appear: a prefix such as s3://bucket/in/, or a folder."
    )
    suffixes: tuple[Suffix, ...] = Field(
        default=(), description="Of their names, such as .mp4; left out: all."
    )
    bytes: Bytes | None = Field(default=None, description="Their size; left out: any.")
    job: dict[str, Any] = Field(
        description="A job of any kind or a pipeline, without input and output; its `group`, "
        "`priority`, `tenant` and all else are as in any job."
    )
    input: RuleName | None = Field(
        default=None, description="Of a pipeline: the name of the input that the object is."
    )
    output: Uri = Field(
        description="Folder or prefix. Each object gets a file or a folder there, called as it is "
        "below `under`."
    )
    suffix: Suffix | None = Field(
        default=None, description="Of the outputs. Left out: .mp4 for transcode, else the object's."
    )


class Ingest(Contract):
    """What stands in `RULES.yaml`. The first rule that fits an object takes it."""

    rules: Annotated[tuple[IngestRule, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _has_one_rule_of_a_name(self) -> Ingest:
        names = [rule.name for rule in self.rules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two rules are called {min(twice)}: a name is for one of them")
        return self


class Ingested(Report):
    """What came of an object that appeared."""

    uri: str
    found: Literal["started", "running", "done", "later", "no rule", "failed"]
    """started: its job is new. running, done: there is one already. later: it was replaced while
    its job runs; it is looked at again then."""
    rule: str | None = None
    job_id: str | None = None
    error: str | None = None
