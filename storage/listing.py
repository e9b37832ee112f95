"""The listing of a package: which files it has, as its `package.json` tells."""

from __future__ import annotations

from pydantic import Field, ValidationError

from longtake.contracts.base import Report
from storage.tree import ENTRIES, is_safe

MOST_BYTES = 32 << 20


class ListedFile(Report):
    """A file of a package."""

    path: str
    content_type: str | None = Field(default=None, pattern=r"^[\w.+-]+/[\w.+-]+$")


class Listing(Report):
    """What is read of a `package.json` to publish, replace and undo a package."""

    files: tuple[ListedFile, ...] = ()


def read_listing(data: bytes | None) -> Listing | None:
    """The listing that stands in a `package.json`; None if there is none that can be read."""
    if data is None or len(data) > MOST_BYTES:
        return None
    try:
        return Listing.model_validate_json(data)
    except ValidationError:
        return None


def names_in(listing: Listing | None) -> frozenset[str]:
    """The names of a package's files, its entries among them. What would lead out of its folder
    is left out."""
    if listing is None:
        return frozenset()
    return frozenset(file.path for file in listing.files if is_safe(file.path)) | set(ENTRIES)
