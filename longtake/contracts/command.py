"""The job `Command`: one file in, one file out, by FFmpeg arguments of the user's own."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from longtake.arguments import muxer
from longtake.contracts.base import Uri
from longtake.contracts.job import Job


class Command(Job):
    """Run FFmpeg with one's own arguments, as far as they reach nothing but input and output.

    `{"input": URI, "output": URI, "arguments": ["-vf", "hflip", "-c:a", "copy"]}`.
    """

    COUNTS: ClassVar[str] = "commands"

    kind: Literal["command"] = "command"
    input: Uri
    output: Uri = Field(description="Its suffix decides the format, such as .mp4, .mkv or .mp3.")
    arguments: tuple[str, ...] = Field(
        max_length=500,
        description="FFmpeg's options of the output, one a string; or options of the input, then "
        "`-i`, `{input}`, and options of the output. What could reach another file, a device or "
        "the network is refused.",
    )
    overwrite: bool = Field(default=False, description="Replace the output if it exists.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Command:
        if self.input == self.output:
            raise ValueError("output must be another file than input")
        if self.gpu != "never":
            raise ValueError("a command is run by CPU workers: leave gpu out")
        muxer(self.output)  # raises for a suffix that is no format
        return self
