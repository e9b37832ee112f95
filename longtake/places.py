"""Places in a job: which of its fields name files, also where they lie in lists.

A path such as `timeline.source` means the field `source` of each entry of `timeline`; where a path
ends at an object, as `inputs` of a pipeline, its values are the places.
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
        value = job.get(name) if isinstance(job, Mapping) else getattr(job, name, None)
        yield from places(value, rest)
    elif isinstance(job, str):
        yield job
    elif isinstance(job, Mapping):
        yield from places(list(job.values()), path)


def moved(document: Any, path: str, move: Callable[[str], str]) -> Any:
    """A job's JSON with each URI at a path replaced."""
    if isinstance(document, list | tuple):
        return [moved(each, path, move) for each in document]
    if not path and isinstance(document, Mapping):
        return {name: moved(each, path, move) for name, each in document.items()}
    if not path:
        return move(document) if isinstance(document, str) else document
    name, _, rest = path.partition(".")
    if not isinstance(document, Mapping) or name not in document:
        return document
    return {**document, name: moved(document[name], rest, move)}
