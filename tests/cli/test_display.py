from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from longtake import Progress
from longtake.cli import console, display
from longtake.contracts.result import Stage


def at(fraction: float, stage: Stage = "encoding", waiting_for: str | None = None) -> Progress:
    return Progress(
        job_id="j",
        state="running",
        stage=stage,
        fraction=fraction,
        chunks_done=1,
        chunks_total=4,
        speed=1.96,
        fps=47.6,
        eta_s=75,
        waiting_for=waiting_for,
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(display, "monotonic", lambda: now[0])
    return now


def test_a_line_says_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    display.Lines().show(at(0.4249))
    line = capsys.readouterr().err
    assert line.split() == ["encoding", "42%", "1/4", "chunks", "48", "fps", "2x", "1:15", "left"]


def test_lines_come_seldom_unless_the_job_turns(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = display.Lines()
    for clock[0], progress in [
        (0.0, at(0.1)),
        (0.5, at(0.2)),
        (1.0, at(0.3, waiting_for="a gpu worker")),
        (1.2, at(0.31, waiting_for="a gpu worker")),
        (9.0, at(0.32, waiting_for="a gpu worker")),
        (9.5, at(0.9, "assembling")),
        (12.6, at(0.95, "assembling")),
    ]:
        lines.show(progress)
    shown = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["10%", "30%", "90%", "95%"]


def tries(count: int) -> Iterator[Progress]:
    """A step that fails again and again; now and then it is seen as it is tried."""
    for attempt in range(1, count):
        yield at(0, waiting_for=f"another try of find_model (attempt {attempt}), after: {REASON}")
        yield at(0)


REASON = "no speech model is called 'small' here. " + 30 * "How to get it. "


def test_what_is_tried_again_and_again_is_told_once(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = display.Lines()
    lines.show(at(0))
    for progress in tries(50):
        clock[0] += 5
        lines.show(progress)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_terminal_shows_in_full_what_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Console(file=StringIO(), force_terminal=True, soft_wrap=True, highlight=False)
    for module in (display, console):
        monkeypatch.setattr(module, "err", terminal)
    bar = display.Bar()
    for progress in tries(50):
        bar.show(progress)
    bar.close()
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count(REASON.strip()) == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59, "59 s"), (61, "1:01"), (3_723, "1:02:03")]
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert display.duration(seconds) == words


def test_a_bar_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    bar = display.Bar()
    bar.show(at(0.5))
    bar.close()
    assert capsys.readouterr().out == ""
