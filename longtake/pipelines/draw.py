"""A pipeline drawn: as a tree for terminals, as Mermaid, and as Markdown for the Temporal UI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from longtake.contracts.pipeline import Bounds, PipelineDocument, Step, StepState, StepStatus, When
from longtake.pipelines.graph import Graph
from longtake.pipelines.references import references

Costs = Mapping[str, float | None]
"""CPU seconds by step; None where they are not known."""
Statuses = Mapping[str, StepStatus]

_MARKS: Mapping[StepState, str] = {
    "waiting": "○",
    "gated": "◇",
    "running": "●",
    "done": "✓",
    "skipped": "–",
    "failed": "✗",
    "canceled": "■",
}
_STATES: Mapping[StepState, str] = {"gated": "waiting for approval", "canceled": "cancelled"}
_COLOURS: Mapping[StepState, str] = {
    "gated": "fill:#fff3bf",
    "running": "fill:#d0ebff",
    "done": "fill:#d3f9d8",
    "skipped": "fill:#f1f3f5,stroke-dasharray:4",
    "failed": "fill:#ffe3e3",
    "canceled": "fill:#ffe8cc",
}


def tree(
    document: PipelineDocument, *, costs: Costs | None = None, statuses: Statuses | None = None
) -> str:
    """The steps in lines, each below the last step that it needs."""
    graph = Graph(document)
    parents = {name: _parent(graph, name) for name in graph.order}
    lines: list[str] = []

    def draw(parent: str | None, indent: str) -> None:
        names = [name for name in graph.order if parents[name] == parent]
        for name in names:
            last = name == names[-1]
            words = _line(document, graph, name, costs or {}, (statuses or {}).get(name))
            lines.append(f"{indent}{'└─ ' if last else '├─ '}{words}")
            draw(name, f"{indent}{'   ' if last else '│  '}")

    draw(None, "")
    return "\n".join([document.title or "pipeline", *lines, *_total(costs)])


def _parent(graph: Graph, name: str) -> str | None:
    return max(graph.needs[name], key=graph.order.index, default=None)


def _line(
    document: PipelineDocument,
    graph: Graph,
    name: str,
    costs: Costs,
    status: StepStatus | None,
) -> str:
    step = document.steps[name]
    others = [other for other in graph.needs[name] if other != _parent(graph, name)]
    words = [
        f"{_MARKS[status.state]} {name}" if status else name,
        step.kind,
        *([f"also needs {', '.join(others)}"] if others else []),
        *_conditions(step),
        *([f"≈ {cpu_time(costs[name])}"] if name in costs else []),
        *([state(status)] if status else []),
    ]
    return "  ".join(words)


def _conditions(step: Step) -> Iterator[str]:
    if step.when:
        yield f"when {_asked(step.when)}"
    if step.on_error != "fail":
        yield f"on error: {step.on_error}"
    if step.gate:
        yield f"gate: {step.gate}"


def _asked(when: When) -> str:
    """A condition in a few words: `has_video, height ≥ 720`."""
    words = []
    for name, value in when.model_dump(exclude_none=True).items():
        asked = getattr(when, name)
        if isinstance(asked, Bounds):
            least = "" if asked.at_least is None else f" ≥ {asked.at_least:.15g}"
            most = "" if asked.at_most is None else f" ≤ {asked.at_most:.15g}"
            words.append(f"{name}{least}{most}")
        elif isinstance(asked, bool):
            words.append(name if asked else f"not {name}")
        elif name != "of":
            words.append(f"{name} {asked if isinstance(asked, str) else ' or '.join(value)}")
    return f"{', '.join(words)}{f' of {when.of}' if when.of else ''}"


def _total(costs: Costs | None) -> list[str]:
    if costs is None:
        return []
    known = [cost for cost in costs.values() if cost is not None]
    if not known:
        return ["what it will cost is not known: its inputs cannot be seen from here"]
    unknown = "" if len(known) == len(costs) else ", and what is not known yet"
    return [f"≈ {cpu_time(sum(known))} altogether{unknown}: an estimate"]


def cpu_time(seconds: float | None) -> str:
    """CPU time in words, as rough as an estimate is: `3 CPU min`."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{max(0.1, seconds):.1f} CPU s"
    if seconds < 90:
        return f"{seconds:.0f} CPU s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} CPU min"
    return f"{seconds / 3600:.0f} CPU h"


def state(status: StepStatus) -> str:
    """A step's state in words, with how far it is, or why it ended so."""
    words = _STATES.get(status.state, status.state)
    if status.state == "running" and status.fraction:
        words = f"running {status.fraction:.0%}"
    if status.reused:
        words = "done before"
    why = status.error.message if status.error else status.why
    return f"{words}: {why}" if why else words


def mermaid(
    document: PipelineDocument, *, costs: Costs | None = None, statuses: Statuses | None = None
) -> str:
    """The graph in Mermaid's language. A dotted line is a need that may give nothing."""
    graph = Graph(document)
    ids = {name: f"s{number}" for number, name in enumerate(document.steps)}
    lines = ["flowchart LR"]
    for name, step in document.steps.items():
        text = [name, step.kind, *([step.label] if step.label else [])]
        if costs and name in costs:
            text.append(f"≈ {cpu_time(costs[name])}")
        words = "<br/>".join(map(_escaped, text))
        lines.append(
            f'  {ids[name]}{{{{"{words}"}}}}' if step.gate else f'  {ids[name]}["{words}"]'
        )
    for name in document.steps:
        sure = _sure(document.steps[name])
        lines += [
            f"  {ids[other]} {'-->' if other in sure else '-.->'} {ids[name]}"
            for other in graph.needs[name]
        ]
    for name, status in (statuses or {}).items():
        if name in ids and status.state in _COLOURS:
            lines.append(f"  style {ids[name]} {_COLOURS[status.state]}")
    return "\n".join(lines)


def _sure(step: Step) -> set[str]:
    """What a step cannot do without."""
    referred = [each.from_ for each in references(step) if not each.optional]
    if step.when and step.when.of:
        referred.append(step.when.of)
    return {*step.needs, *(each.partition(".")[0] for each in referred)}


def _escaped(text: str) -> str:
    for char, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(char, code)
    return text


def markdown(document: PipelineDocument, statuses: Statuses) -> str:
    """The steps and their states as a table, in an order in which they can be done."""
    rows = ["| step | kind | state |", "| --- | --- | --- |"]
    for name in Graph(document).order:
        status = statuses.get(name) or StepStatus(name=name, kind=document.steps[name].kind)
        words = state(status).replace("|", "\\|").replace("\n", " ")
        label = f" ({status.label})" if status.label else ""
        rows.append(f"| {_MARKS[status.state]} {name}{label} | {status.kind} | {words} |")
    return "\n".join(rows)
