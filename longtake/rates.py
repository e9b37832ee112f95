"""How a whole's bytes are shared among its chunks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def share(total: int, needs: Sequence[int]) -> tuple[int, ...]:
    """Divide `total` bytes in proportion to what each chunk needs at constant quality.

    Constant quality is how one pass over the whole would share them, so no chunk looks worse
    than its neighbour. The shares add up to `total` exactly; each is at least one byte.
    """
    whole = max(1, sum(needs))
    edges = [total * sum(needs[:number]) // whole for number in range(len(needs) + 1)]
    return tuple(max(1, b - a) for a, b in itertools.pairwise(edges))
