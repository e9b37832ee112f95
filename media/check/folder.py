"""The package's folder: what URIs of its manifests lead to, and nothing outside it."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from longtake.contracts.check import RuleFinding
from media.check.rules import finding

MOST_TEXT_BYTES = 32 << 20
"""Of a manifest or a caption file."""


class Folder:
    """The root of a package. Finds files, and notes what is wrong with URIs."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.findings: list[RuleFinding] = []
        self._found: dict[tuple[str, str], str | None] = {}

    def find(self, uri: str, named_by: str, base: str = "") -> str | None:
        """The path, from the root, of a file that a manifest in folder `base` names; None, with a
        finding, if it leads outside or nothing is there. `named_by` is where the URI stands."""
        if (uri, base) not in self._found:
            self._found[uri, base] = self._look(uri, named_by, base)
        return self._found[uri, base]

    def _look(self, uri: str, named_by: str, base: str) -> str | None:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|/|\\", uri):
            self.note(
                "uri-outside", named_by, f"{uri[:200]!r} is not relative; it was not followed"
            )
            return None
        words = unquote(uri.partition("#")[0].partition("?")[0])
        path = posixpath.normpath(posixpath.join(base, words))
        if path.startswith(("/", "../")) or path == "..":
            self.note("uri-outside", named_by, f"{uri[:200]!r} leaves the package")
            return None
        whole = self.root / path
        if "\0" in words or not os.path.isfile(whole):  # noqa: PTH113 - has no names too long
            self.note("file-missing", named_by, f"{uri[:200]!r} is not there")
            return None
        if not whole.resolve().is_relative_to(self.root):
            self.note("uri-outside", named_by, f"{uri[:200]!r} is a link that leaves the package")
            return None
        return path

    def files(self) -> set[str]:
        """The paths of all files that lie in it; links out of it are noted."""
        found = set()
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if path.is_symlink() and not path.resolve().is_relative_to(self.root):
                self.note("uri-outside", name, "it is a link that leaves the package")
            elif path.is_file():
                found.add(name)
        return found

    def note(self, rule: str, where: str, message: str) -> None:
        """Keep a finding."""
        self.findings.append(finding(rule, where, message))

    def text(self, path: str) -> bytes:
        """The bytes of a manifest. Raises ValueError if they are too many."""
        with (self.root / path).open("rb") as file:
            data = file.read(MOST_TEXT_BYTES + 1)
        if len(data) > MOST_TEXT_BYTES:
            raise ValueError(f"it has more than {MOST_TEXT_BYTES >> 20} MiB")
        return data


def folder_of(path: str) -> str:
    """The folder of a file, from the root; empty for the root itself."""
    return "" if "/" not in path else path.rpartition("/")[0]
