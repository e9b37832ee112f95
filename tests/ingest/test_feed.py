"""What becomes of an object whose job cannot be started."""

from __future__ import annotations

import pytest

from longtake import CapabilityMissing, Longtake
from longtake.contracts.ingest import Ingest
from longtake.ingest.events import Arrived
from longtake.ingest.feed import Feed
from tests.dev_server import dev_server

RULE = {"name": "films", "under": "s3://in/", "job": {"preset": "web-480p"}, "output": "s3://out/"}
RULES = Ingest.model_validate({"rules": [RULE]})


async def test_what_an_operator_must_mend_loses_no_object() -> None:
    async with dev_server(attributes=()) as client:
        feed = Feed(Longtake(client), RULES)
        with pytest.raises(CapabilityMissing, match="search attributes"):
            await feed.offer(Arrived("s3://in/a.mov", 1))
    async with dev_server() as client:
        feed = Feed(Longtake(client), RULES)
        assert (await feed.offer(Arrived("s3://in/a.mov", 1))).found == "started"
        assert (await feed.offer(Arrived("s3://in/../a.mov", 1))).found == "failed"
