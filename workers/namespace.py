"""The embedded server's namespace as Longtake needs it. A real cluster's is its operator's."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client

from longtake.starting import SEARCH_ATTRIBUTES

RETENTION = timedelta(days=3650)
"""The dev server forgets a closed job, and that its id was used, after a day. Somebody who ran
a job in spring and asks for it in autumn wants an answer, and 20 kB a job is a price for that
which a laptop can pay for ten years."""


async def set_up(client: Client) -> None:
    """Set retention and add the search attributes that are missing.

    Not by the server's flags: `--search-attribute` does nothing on a database that exists.
    """
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace,
            config=NamespaceConfig(
                workflow_execution_retention_ttl=Duration(seconds=int(RETENTION.total_seconds()))
            ),
        )
    )
    present = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [name for name in SEARCH_ATTRIBUTES if name not in present.custom_attributes]
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace,
                search_attributes=dict.fromkeys(
                    missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
                ),
            )
        )
