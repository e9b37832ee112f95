"""Look whether sources are still what a finished job read."""

from __future__ import annotations

from activities.place import place
from activities.running import Beat, implements
from longtake.contracts.steps.common import LOOK_AGAIN, SourceKnown, SourcesAsked, SourcesChanged


@implements(LOOK_AGAIN, stage="probing")
async def look_again(asked: SourcesAsked, beat: Beat) -> SourcesChanged:
    """Which of the sources are of none of the versions that are known of them."""
    changed = [source.uri for source in asked.sources if not await _is_known(source)]
    return SourcesChanged(uris=tuple(changed))


async def _is_known(source: SourceKnown) -> bool:
    storage = place().storage(source.uri)
    for version in source.versions:
        if await storage.is_unchanged(source.uri, version):
            return True
    return False
