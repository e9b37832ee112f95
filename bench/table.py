"""Reports as Markdown, for the terminal and for a file, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report import Measurement, Row, Series

_HEAD = ("measured", "raw: median (min–max)", "result", "target", "met")
_DECIMALS = {
    "s": 3,
    "ms": 0,
    "×": 3,
    "MiB": 1,
    "kB": 0,
    "dB": 2,
    "VMAF": 2,
    "frames": 0,
    "files": 0,
}


def write(folder: Path, stem: str, facts: Mapping[str, Any], done: Sequence[Measurement]) -> None:
    """Write STEM.json and STEM.md; the one with raw figures, the other to be read."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"machine": dict(facts), "measurements": [each.as_json() for each in done]}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (folder / f"{stem}.json").write_text(text, encoding="utf-8")
    (folder / f"{stem}.md").write_text(markdown(facts, done), encoding="utf-8")


def markdown(facts: Mapping[str, Any], done: Sequence[Measurement]) -> str:
    """The whole report."""
    machine = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    return "\n\n".join(["# Bench", machine, *map(section, done)]) + "\n"


def section(measurement: Measurement) -> str:
    """One measurement."""
    parts = [f"## {measurement.name}: {measurement.title}"]
    if measurement.rows:
        parts.append(_grid(_HEAD, [_cells(row) for row in measurement.rows]))
    parts += [f"**{name}**\n\n{_details(rows)}" for name, rows in measurement.tables.items()]
    parts += ["\n".join(f"- {note}" for note in measurement.notes)] if measurement.notes else []
    parts.append(f"{measurement.how} Took {measurement.took_s:.0f} s.")
    return "\n\n".join(parts)


def _cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "NO"}[row.met]
    target = "" if row.at_most is None else f"≤ {row.at_most:g} {row.unit}"
    raw = "; ".join(_raw(each) for each in row.series)
    return row.what, raw, f"{_number(row.value, row.unit)} {row.unit}", target, met


def _raw(measured: Series) -> str:
    low, middle, high = (
        _number(value, measured.unit)
        for value in (min(measured.values), measured.median, max(measured.values))
    )
    spread = f" ({low}–{high})" if len(measured.values) > 1 else ""
    return f"{measured.name} {middle} {measured.unit}{spread}"


def _number(value: float, unit: str) -> str:
    decimals = _DECIMALS.get(unit, 2)
    return f"{value:.{min(decimals, 1) if abs(value) >= 100 else decimals}f}"


def _details(rows: Sequence[Mapping[str, str]]) -> str:
    return _grid(tuple(rows[0]), [tuple(row.values()) for row in rows]) if rows else "nothing"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    widths = [max(len(cells[n]) for cells in (head, *rows)) for n in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(head), rule, *map(line, rows)])
