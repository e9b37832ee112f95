"""Two packages, and where a test publishes them, seen past the code under test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.tree import tree_sha256
from tests.storage.bucket import Bucket
from tests.storage.trees import (
    Attempts,
    Files,
    killed,
    killed_as_it_puts_back,
    package,
    sha256,
)

RED, BLUE = package("red"), package("blue")
CHANGES = len(RED)
"""That an undisturbed attempt makes: a file each."""
LAST = CHANGES - 1
"""Changes after which all is there but master.m3u8."""


@dataclass(frozen=True)
class Place:
    """Where a test publishes, seen past the code under test."""

    attempts: Attempts
    scratch: Path
    box: Bucket | None

    def names(self) -> set[str]:
        """Of all that lies there, hidden files too."""
        if self.box is not None:
            prefix = "films/out/"
            names = [name for name in self.box.names() if name.startswith(prefix)]
            return {name.removeprefix(prefix) for name in names}
        out = self.scratch / "out"
        return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}

    def shown(self) -> set[str]:
        """Names of what lies there for all to see."""
        return {name for name in self.names() if not name.startswith(".longtake-")}

    def files(self) -> Files:
        """All that lies there, with its bytes."""
        if self.box is not None:
            return {name: self.box.get(f"films/out/{name}") for name in self.names()}
        return {name: (self.scratch / "out" / name).read_bytes() for name in self.names()}

    def writings(self) -> dict[str, Any]:
        """When each file was written."""
        if self.box is None:
            out = self.scratch / "out"
            return {name: (out / name).stat().st_mtime_ns for name in self.shown()}
        found = self.box.s3.list_object_versions(Bucket=self.box.name, Prefix="films/out/")
        return {each["Key"]: each["LastModified"] for each in found["Versions"]}

    def put(self, name: str, data: bytes) -> None:
        """Somebody else writes."""
        if self.box is not None:
            self.box.put(f"films/out/{name}", data)
        else:
            (self.scratch / "out" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.scratch / "out" / name).write_bytes(data)

    def remove(self, name: str) -> None:
        if self.box is not None:
            self.box.s3.delete_object(Bucket=self.box.name, Key=f"films/out/{name}")
        else:
            (self.scratch / "out" / name).unlink()

    def kill(self, colour: str, before: int, *, overwrite: bool = False) -> None:
        """An attempt is killed as it writes its n-th file."""
        killed(self.scratch, self.box.name if self.box else None, colour, before, overwrite)

    def kill_as_it_puts_back(self) -> None:
        """What undoes a job is killed as it restores the first file."""
        killed_as_it_puts_back(self.scratch, self.box.name if self.box else None)

    def is_settled(self) -> bool:
        """Nothing of any job is noted as begun, and no upload is open."""
        if self.box is not None:
            begun = [name for name in self.box.names() if name.startswith("store/claims/")]
            return not begun and not self.box.open_uploads()
        return not list((self.scratch / "work" / "claims").glob("*.json"))


def digest(files: Files) -> str:
    return tree_sha256((name, sha256(data)) for name, data in files.items())
