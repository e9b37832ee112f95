"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel
from rich.console import Console

from longtake.errors import InvalidJob, LongtakeError, UserError

# Paths and ids stay in one piece: people copy them, and scripts read them.
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def say(words: str) -> None:
    """A line on stderr."""
    err.print(words, markup=False)


def warn(words: str) -> None:
    """A warning on stderr."""
    err.print(f"warning: {words}", style="yellow", markup=False)


def complain(error: LongtakeError) -> None:
    """An error in one line, or for each of several mistakes; and the way on where there is one."""
    mistakes = error.message.split("\n") if isinstance(error, InvalidJob) else [error.message]
    words = "\n".join(" ".join(mistake.split()) for mistake in mistakes)
    between = "\n" if len(mistakes) > 1 else " "
    err.print(f"error: {type(error).__name__}:{between}{words}", style="red", markup=False)
    if error.job_id and not isinstance(error, UserError) and "longtake retry" not in words:
        say(f"`longtake retry {error.job_id}` runs only what is missing")


def print_json(document: BaseModel | dict[str, Any] | list[Any]) -> None:
    """The one JSON document on stdout."""
    if isinstance(document, BaseModel):
        document = document.model_dump(mode="json")
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
