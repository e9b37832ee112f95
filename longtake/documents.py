"""YAML and JSON as people write them: jobs, presets and pipelines in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"

DEEPEST = 100
"""Of a document: lists and objects within each other."""
MOST_VALUES = 200_000
"""Of a document; a pipeline has some hundreds."""

Place = tuple[int | str, ...]
"""Where a value lies in a document: `("steps", "film", "video", "crf")`."""


@dataclass(frozen=True)
class Document:
    """What a file says, and in which line each value begins, or the key before it."""

    content: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of a place; of what is not there, the line of what it would lie in."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def in_a_line(error: Exception) -> str:
    """What YAML says is wrong, and where, in one line."""
    return " ".join(str(error).split())


def read_document(path: Path) -> Any:
    """What a file says. Dates are text, as in JSON; a key that is written twice is an error, for
    one of the two would not count.

    Raises OSError, UnicodeDecodeError, and yaml.YAMLError with the line.
    """
    return read_with_lines(path).content


def read_with_lines(path: Path) -> Document:
    """What a file says, with its lines. Raises as `read_document` does."""
    import yaml  # late: most clients read no file

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
            for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            keys = (key for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            for key in keys:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value} is there twice", key.start_mark
                    )
                seen.add(key.value)
                if key.tag != _MERGE:  # names are text, as in JSON: `on` is no truth, 1 no number
                    key.tag = _TEXT
            return super().construct_mapping(node, deep=deep)

    with path.open(encoding="utf-8") as text:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(None, {})
            _check_extent(node)
            # In this order: constructing puts what `<<` merges in among a node's own keys.
            return Document(loader.construct_document(node), dict(_lines(node, ())))
        except RecursionError as error:
            raise yaml.YAMLError(f"it is more than {DEEPEST} deep") from error
        finally:
            loader.dispose()


def _check_extent(root: yaml.Node) -> None:
    """Raises yaml.YAMLError for a document that has no end, or none that is near: what anchors name
    counts at each place that names them."""
    import yaml

    left, open_nodes = MOST_VALUES, [(root, 0)]
    while open_nodes:
        node, depth = open_nodes.pop()
        left -= 1
        if depth > DEEPEST:
            words = f"it is more than {DEEPEST} deep here, or an anchor stands in what it names"
            raise yaml.constructor.ConstructorError(None, None, words, node.start_mark)
        if left < 0:
            words = f"it has more than {MOST_VALUES} values, with all that its anchors name"
            raise yaml.constructor.ConstructorError(None, None, words, root.start_mark)
        inner = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for each in inner for part in (each if isinstance(each, tuple) else (each,)))
        open_nodes += [(part, depth + 1) for part in parts]


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    import yaml

    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            inner = (*place, key.value)
            yield from _lines(value, inner)
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _lines(entry, (*place, number))
