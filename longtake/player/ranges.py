"""Byte ranges of HTTP: RFC 9110, section 14."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(Exception):
    """The range lies beyond the file: status 416."""


def asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and length of what a `Range` header asks for; None: the whole file.

    A header that is not understood, or that asks for several ranges, may be passed over, and is.
    Raises Unsatisfiable.
    """
    found = _ONE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:  # the last so many
        length = min(int(last), size)
        if not length:
            raise Unsatisfiable
        return size - length, length
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    end = min(int(last), size - 1) if last else size - 1
    return int(first), end + 1 - int(first)
