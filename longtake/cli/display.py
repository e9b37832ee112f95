"""Progress for people: a live bar in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic
from typing import Protocol

from rich.live import Live
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from longtake.cli.console import err, say
from longtake.contracts.pipeline import PipelineDocument, StepStatus
from longtake.contracts.result import Progress
from longtake.pipelines.draw import state, tree

LINE_EVERY_S = 3.0
_TRIES = re.compile(r" \(attempt \d+\)")
"""What alone differs when a step has failed again in the same way."""


class Display(Protocol):
    """Something that shows progress."""

    def show(self, progress: Progress) -> None:
        """Show how far a job is."""

    def close(self) -> None:
        """Leave the screen as it should stay."""


def display() -> Display:
    """The display that fits stderr."""
    return Bar() if err.is_terminal else Lines()


class Waits:
    """What a job waits for, told once: that may take days, and a thousand tries."""

    def __init__(self) -> None:
        self._told = ""

    def is_new(self, progress: Progress) -> bool:
        """Whether the job waits for something that was not told last."""
        words = _TRIES.sub("", progress.waiting_for or self._told)
        is_new, self._told = words != self._told, words
        return is_new


class Bar:
    """A bar that is drawn over itself; what a job waits for stands above it, in full."""

    def __init__(self) -> None:
        self._waits = Waits()
        self._bar = RichProgress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=err,
            transient=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task("starting", total=1.0, note="")
        self._bar.start()

    def show(self, progress: Progress) -> None:
        """Draw the bar anew."""
        if self._waits.is_new(progress):
            say(_note(progress))
        self._bar.update(
            self._task,
            completed=progress.fraction,
            description=_doing(progress),
            note="waits" if progress.waiting_for else _note(progress),
        )

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class Lines:
    """A line every few seconds while something moves, and one whenever the job turns to something
    else."""

    def __init__(self) -> None:
        self._waits = Waits()
        self._turn, self._line = "", ""
        self._said_at = float("-inf")

    def show(self, progress: Progress) -> None:
        """Write a line, if it is time for one."""
        line = f"{_doing(progress):<12} {progress.fraction:4.0%}  {_note(progress)}".rstrip()
        if progress.waiting_for:
            if self._waits.is_new(progress):
                say(line)
            return
        soon = monotonic() - self._said_at < LINE_EVERY_S
        if _doing(progress) == self._turn and (soon or line == self._line):
            return
        self._turn, self._line, self._said_at = _doing(progress), line, monotonic()
        say(line)

    def close(self) -> None:
        """Nothing is to be tidied."""


class StepsDisplay(Display, Protocol):
    """Something that shows a pipeline's steps, too."""

    def stand(self, statuses: Sequence[StepStatus]) -> None:
        """Take how the steps stand; `show` shows it."""


def steps_display(document: PipelineDocument) -> StepsDisplay:
    """The display of a pipeline that fits stderr."""
    return Tree(document) if err.is_terminal else StepLines()


class Tree:
    """The steps as a tree that is drawn over itself."""

    def __init__(self, document: PipelineDocument) -> None:
        self._document = document
        self._statuses: dict[str, StepStatus] = {}
        self._live = Live(Text(), console=err, transient=True, refresh_per_second=5)
        self._live.start()

    def stand(self, statuses: Sequence[StepStatus]) -> None:
        """Remember how the steps stand."""
        self._statuses = {status.name: status for status in statuses}

    def show(self, progress: Progress) -> None:
        """Draw the tree anew."""
        drawn = tree(self._document, statuses=self._statuses)
        self._live.update(Text(f"{drawn}\n{progress.state} {_note(progress)}"))

    def close(self) -> None:
        """Remove the tree."""
        self._live.stop()


class StepLines(Lines):
    """A line whenever a step turns to something else, beside those of the job."""

    def __init__(self) -> None:
        super().__init__()
        self._states: dict[str, str] = {}

    def stand(self, statuses: Sequence[StepStatus]) -> None:
        """Write a line for each step that stands otherwise than before."""
        for status in statuses:
            if self._states.get(status.name, "waiting") != status.state:
                say(f"{status.name:<12} {state(status)}")
            self._states[status.name] = status.state


def duration(seconds: float) -> str:
    """`45 s`, `3:05` or `1:02:03`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _doing(progress: Progress) -> str:
    doing = progress.label or progress.stage or "running"
    return doing if progress.state == "running" else progress.state


def _note(progress: Progress) -> str:
    if progress.waiting_for:
        return f"waits for {progress.waiting_for}"
    notes = []
    if progress.chunks_total:
        notes.append(f"{progress.chunks_done}/{progress.chunks_total} {progress.counts}")
    if progress.failed:
        notes.append(f"{progress.failed} failed")
    if progress.fps:
        notes.append(f"{progress.fps:.0f} fps")
    if progress.speed:
        notes.append(f"{progress.speed:.2g}x")
    if progress.eta_s is not None:
        notes.append(f"{duration(progress.eta_s)} left")
    return "  ".join(notes)
