"""`ladder.svg`: what was tested for an automatic ladder, and what was chosen, as a plot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from longtake.contracts.ladder import ChosenRung, LadderChoice, LadderRecord, Trial

WIDTH, HEIGHT = 760, 460
"""Of one codec's plot, in px; they lie below each other."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 40, 50, 50
_COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8e5ea2", "#b8860b", "#008b8b")
_RATES_BPS = tuple(digit * 10**power for power in range(3, 9) for digit in (1, 2, 3, 5))


def plot(record: LadderRecord) -> str:
    """An SVG document: VMAF over bit rate, by size, with the hull and the chosen rungs."""
    parts = "\n".join(
        f'<g transform="translate(0 {number * HEIGHT})">\n{_panel(choice)}\n</g>'
        for number, choice in enumerate(record.choices)
    )
    high = HEIGHT * len(record.choices)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" width="{WIDTH}" '
        f'height="{high}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{high}" fill="white"/>\n{parts}\n</svg>\n'
    )


def _panel(choice: LadderChoice) -> str:
    axes = _Axes([*choice.trials, *choice.hull])
    lines = [
        _text(_LEFT, 24, f"{choice.codec}: VMAF over bit rate", size=16),
        *axes.drawn(),
        _polyline(axes, choice.hull, "#999999", 7, "hull"),
    ]
    sizes = groupby(choice.trials, key=lambda trial: f"{trial.width}x{trial.height}")
    for number, ((name, trials), colour) in enumerate(zip(sizes, _COLOURS, strict=False)):
        lines += _size(axes, list(trials), colour)
        at = (WIDTH - _RIGHT - 8, HEIGHT - _BOTTOM - 120 + 18 * number)
        lines.append(_text(*at, name, anchor="end", colour=colour))
    for rung in choice.rungs:
        lines += _rung(axes, rung)
    return "\n".join(lines)


class _Axes:
    """Bit rate to the right, each doubling as wide; VMAF upwards."""

    def __init__(self, points: Sequence[Trial]) -> None:
        rates = [max(point.bps, 1) for point in points]
        self._low, self._high = math.log(min(rates) / 1.2), math.log(max(rates) * 1.2)
        self._least = math.floor(min(point.vmaf for point in points) / 10) * 10
        self._least = min(self._least, 90)

    def at(self, point: Trial) -> tuple[float, float]:
        return self.x(point.bps), self.y(point.vmaf)

    def x(self, bps: float) -> float:
        part = (math.log(max(bps, 1)) - self._low) / (self._high - self._low)
        return round(_LEFT + part * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, vmaf: float) -> float:
        part = (vmaf - self._least) / (100 - self._least)
        return round(HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM), 1)

    def drawn(self) -> Iterator[str]:
        """Grid lines with their values."""
        right, foot = WIDTH - _RIGHT, HEIGHT - _BOTTOM
        for vmaf in range(self._least, 101, 10):
            y = self.y(vmaf)
            yield f'<path d="M{_LEFT} {y}H{right}" stroke="#dddddd"/>'
            yield _text(_LEFT - 8, y + 4, str(vmaf), anchor="end")
        for bps in _RATES_BPS:
            if self._low <= math.log(bps) <= self._high:
                x = self.x(bps)
                yield f'<path d="M{x} {_TOP}V{foot}" stroke="#dddddd"/>'
                yield _text(x, foot + 18, f"{bps / 1000:g}", anchor="middle")
        yield _text(right, foot + 38, "kbit/s", anchor="end")


def _size(axes: _Axes, trials: Sequence[Trial], colour: str) -> Iterator[str]:
    yield _polyline(axes, trials, colour, 1.5, "size")
    for trial in trials:
        x, y = axes.at(trial)
        told = f"{trial.bps / 1000:.0f} kbit/s, VMAF {trial.vmaf:.1f}, crf {trial.crf:g}"
        yield f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"><title>{told}</title></circle>'


def _rung(axes: _Axes, rung: ChosenRung) -> Iterator[str]:
    x, y = axes.at(rung)
    yield f'<circle class="rung" cx="{x}" cy="{y}" r="7" fill="none" stroke="black"/>'
    words = f"{min(rung.width, rung.height)}p, crf {rung.crf:g}"
    if x < WIDTH * 0.8:
        yield _text(x + 10, y + 18, words)
    else:
        yield _text(x - 10, y + 18, words, anchor="end")


def _polyline(axes: _Axes, points: Sequence[Trial], colour: str, wide: float, kind: str) -> str:
    path = " ".join("{},{}".format(*axes.at(point)) for point in points)
    return (
        f'<polyline class="{kind}" points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="{wide}" stroke-linejoin="round" stroke-opacity="0.8"/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = "#222222",
    size: int = 12,
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}">{words}</text>'
    )
