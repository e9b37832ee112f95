"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, many: str) -> str:
    """`1 chunk`, `2 chunks`."""
    return f"{number} {many.removesuffix('s') if number == 1 else many}"
