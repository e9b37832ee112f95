"""A remote object: its address, the version that was pinned, and ranges of its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from longtake.errors import InputCorrupt, InputTooLarge, StorageUnavailable


class Remote(Protocol):
    """One version of one object, wherever it lies. Methods are called from several threads."""

    @property
    def identity(self) -> str:
        """Names the bytes among all of the host: place, key and version."""

    @property
    def shown(self) -> str:
        """The address without what is secret in it, for messages."""

    @property
    def size(self) -> int | None:
        """Bytes; None where the server does not say."""

    @property
    def ranged(self) -> bool:
        """Whether `read` can begin anywhere. Else it is asked for the whole alone."""

    def read(self, start: int, end: int | None) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes from `start` up to `end`, or to the last, in pieces as they come.

        May give fewer where the connection ends early: the reader counts. Raises
        StorageUnavailable where trying again helps, AnsweredOtherwise where it may help a few
        times, InputCorrupt if the version is gone.
        """


class AnsweredOtherwise(StorageUnavailable):
    """A server answered in another way than it was asked, and than it had said.

    One of several behind a name may do so for a while. One that always does is not waited for.
    """


def changed(shown: str) -> InputCorrupt:
    """What to say when an object is no longer the one that was pinned."""
    return InputCorrupt(
        f"{shown} changed while the job ran; start the job again for the new object"
    )


def too_large(shown: str, most_bytes: int) -> InputTooLarge:
    """What to say of a file that is read at once, and has more bytes than its kind can have."""
    return InputTooLarge(f"{shown} has more than {most_bytes} bytes; is it the right file?")
