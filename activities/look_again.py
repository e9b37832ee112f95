"""Look whether sources and outputs are still what a finished job read and made."""

from __future__ import annotations

from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps.common import LOOK_AGAIN, PlacesAsked, PlacesChanged, SourceKnown


@implements(LOOK_AGAIN, stage="probing")
async def look_again(asked: PlacesAsked, beat: Beat) -> PlacesChanged:
    """Which sources are of none of the versions that are known of them, which outputs are not
    there as the job left them."""
    changed = [source.uri for source in asked.sources if not await is_known(source)]
    for output in asked.outputs:
        storage = place().storage(output.uri)
        if not await storage.holds(output.uri, output.sha256, output.bytes):
            changed.append(output.uri)
    return PlacesChanged(uris=tuple(changed))


async def is_known(source: SourceKnown) -> bool:
    """Whether what lies at an address is of one of the versions that are known of it."""
    storage = place().storage(source.uri)
    for version in source.versions:
        if await storage.is_unchanged(source.uri, version):
            return True
    return False
