"""The step that publishes a finished tree of files, such as a package for streaming."""

from __future__ import annotations

from longtake.contracts.base import Contract, Uri
from longtake.contracts.steps.common import Published, Source, Step


class PublishTreeRequest(Contract):
    """Publish a tree into a folder or under a prefix: what plays last, at once."""

    job_id: str
    sources: tuple[Source, ...]
    """They must not have changed."""
    tree_key: str
    """Work store key of the tree's tar: see storage/tree.py."""
    output: Uri
    overwrite: bool


PUBLISH_TREE = Step("publish_tree", "io", PublishTreeRequest, Published)
"""Its outputs are the entries alone: master.m3u8 (`hls`), manifest.mpd (`dash`), package.json
(`listing`)."""
