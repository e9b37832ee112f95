"""What every storage can do, so that activities need not know which one it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from longtake.contracts.steps.common import Source
from storage.folder import Folder
from storage.portions import Portions


class Storage(Protocol):
    """A place where sources and outputs live, such as local files or a bucket."""

    async def fingerprint(self, uri: str) -> Source:
        """Pin a source by its content. Raises InputNotFound, InputForbidden, InputUnsupported."""

    async def is_unchanged(self, uri: str, version: str) -> bool:
        """Whether what lies at an address is still of this version, by a look that reads nothing.
        Raises InputNotFound, InputForbidden."""

    async def holds(self, uri: str, sha256: str, size: int) -> bool:
        """Whether an output is there as it was published, by a look that reads nothing. What may
        not be looked at is believed."""

    async def localize(self, source: Source) -> Path:
        """A local path to read the pinned bytes from, there until the calling task ends.

        Also the way to ask, at the end of a step, whether the source is still the same one.
        Raises InputCorrupt if it changed.
        """

    async def borrow(self, source: Source) -> Path | Portions:
        """The pinned bytes for a child that may read but some of them: a local path as
        `localize` gives it, or a file to which they come when they are read.

        There until the calling task ends. Raises InputCorrupt if the source changed.
        """

    async def read_small(self, uri: str, most_bytes: int) -> bytes:
        """All bytes of a small file, such as a key: they pass no cache, and lie on no disk.

        Raises InputNotFound, InputForbidden, InputUnsupported, StorageUnavailable, and
        InputTooLarge for a file of more than `most_bytes`.
        """

    def check_output(self, uri: str, source: str, *, overwrite: bool) -> None:
        """Fail early if the output cannot be published. Raises OutputConflict, InvalidJob."""

    def check_folder(self, uri: str, source: str, names: Sequence[str], *, overwrite: bool) -> None:
        """Fail early if these files cannot be published in a folder, which need not be there.
        Raises OutputConflict, InvalidJob."""

    def make_folder(self, uri: str) -> None:
        """Make a folder for outputs, if there is none; nothing to do where there are no folders.
        Raises OutputConflict."""

    def folder(self, uri: str) -> Folder:
        """A folder of outputs, which need not be there."""

    def staging(self, uri: str, job_id: str) -> AbstractContextManager[Path]:
        """A private local path to write the output to; gone at the end, whatever happened."""

    def discard_staged(self, uri: str, job_id: str) -> None:
        """Remove what killed attempts of a job left."""

    async def upload(self, staged: Path, uri: str, sha256: str, job_id: str) -> None:
        """Bring the staged bytes near their place, where nobody sees them yet.

        Goes on with what an earlier attempt brought. What takes long belongs here: `publish`
        runs under the output's lease. Raises StorageUnavailable, OutputConflict.
        """

    def publish(
        self, staged: Path, uri: str, sha256: str, *, overwrite: bool, check: Callable[[], None]
    ) -> None:
        """Make the staged file visible, whole and at once. Raises OutputConflict.

        `check` raises if this attempt may no longer publish; it is asked as late as can be,
        before something that lies there is replaced.
        """
