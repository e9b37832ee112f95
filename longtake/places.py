"""Places in a job: which of its fields name files, also where they lie in lists.

A path such as `timeline.source` means the field `source` of each entry of `timeline`; `inputs.*`
means every value of the object `inputs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def places(job: object, path: str) -> Iterator[str]:
    """The URIs at a path of a job, or of its JSON; what is left out is passed over."""
    if isinstance(job, list | tuple):
        for each in job:
            yield from places(each, path)
    elif path:
        name, _, rest = path.partition(".")
        yield from places(_at(job, name), rest)
    elif isinstance(job, str):
        yield job


def _at(job: object, name: str) -> object:
    if isinstance(job, Mapping):
        return list(job.values()) if name == "*" else job.get(name)
    return getattr(job, name, None)


def moved(document: Any, path: str, move: Callable[[str], str]) -> Any:
    """A job's JSON with each URI at a path replaced."""
    if isinstance(document, list | tuple):
        return [moved(each, path, move) for each in document]
    if not path:
        return move(document) if isinstance(document, str) else document
    name, _, rest = path.partition(".")
    if isinstance(document, Mapping) and name == "*":
        return {key: moved(value, rest, move) for key, value in document.items()}
    if not isinstance(document, Mapping) or name not in document:
        return document
    return {**document, name: moved(document[name], rest, move)}
