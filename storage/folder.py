"""What can be done with a folder of outputs, wherever it lies. Names have slashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from longtake.content_type import Served
from storage.tree import Member


class Folder(Protocol):
    """A folder, or what lies under a prefix of a bucket. Methods are called from threads."""

    @property
    def identity(self) -> str:
        """Its full name, one spelling for one place."""

    def at(self, name: str) -> str:
        """The URI of a file in it."""

    def is_there(self) -> bool:
        """Whether it exists; where there are no folders, always."""

    def make(self) -> None:
        """Make it, if it is not there. Raises OutputConflict."""

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of those of these files that are there. Raises StorageUnavailable."""

    def read(self, name: str) -> bytes | None:
        """The bytes of a small file; None if it is not there."""

    def put(
        self,
        member: Member,
        job_id: str,
        served: Served,
        *,
        overwrite: bool,
        check: Callable[[], None],
    ) -> None:
        """Make a file of a tree visible under its name, whole and at once.

        Nothing is written if it is there already; else `check` is asked. Raises OutputConflict
        if another file is there and `overwrite` does not allow to replace it.
        """

    def restore(self, name: str, data: bytes, job_id: str, served: Served) -> None:
        """Put back what lay under a name; in the making it is the job's, for `discard`."""

    def used(self, names: Iterable[str]) -> None:
        """Let the age of these files begin anew, where that makes no other version of them."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove these files, and the folders in it that are empty then."""

    def discard(self, sizes: Mapping[str, int], job_id: str) -> None:
        """Remove what a job has in the making of files of these names and bytes."""

    def remove_if_empty(self) -> None:
        """Remove the folder itself, if nothing lies in it."""
