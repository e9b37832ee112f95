"""Steps of `Command`."""

from __future__ import annotations

from longtake.contracts.base import Contract
from longtake.contracts.command import Command
from longtake.contracts.steps.common import EncodeDone, Source, Step


class CommandAdmission(Contract):
    """What is known of a command before it runs: its source, and its checked arguments."""

    source: Source
    demuxer: str
    muxer: str
    reading: tuple[str, ...]
    """FFmpeg's options of the input."""
    writing: tuple[str, ...]
    """FFmpeg's options of the output."""
    media_s: float
    engine: str
    warnings: tuple[str, ...] = ()


ADMIT_COMMAND = Step("admit_command", "io", Command, CommandAdmission)
RUN_COMMAND = Step("run_command", "cpu", CommandAdmission, EncodeDone)
