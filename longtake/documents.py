"""YAML and JSON as people write them: jobs and presets in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read_document(path: Path) -> Any:
    """What a file says. Dates are text, as in JSON; a key that is written twice is an error, for
    one of the two would not count.

    Raises OSError, UnicodeDecodeError, and yaml.YAMLError with the line.
    """
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
            return super().construct_mapping(node, deep=deep)

    with path.open(encoding="utf-8") as text:
        return yaml.load(text, Loader)
