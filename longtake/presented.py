"""How a job stands in Temporal: its memo, its search attributes, and its words for people.

The same for a job that a client starts, and for one that another job runs as a child.
"""

from __future__ import annotations

from typing import Any, TypedDict

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from longtake import identity
from longtake.kinds import AnyJob, to_json


class Presented(TypedDict):
    """Arguments of Temporal's `start_workflow` and `start_child_workflow` alike."""

    memo: dict[str, Any]
    search_attributes: TypedSearchAttributes
    static_summary: str
    static_details: str


def presented(job: AnyJob) -> Presented:
    """The words of a job. A pure function: workflows use it, too."""
    return Presented(
        memo={"content": identity.content_hash(job), **_remembered(job)},
        search_attributes=_search_attributes(job),
        static_summary=_shortened(identity.summary(job), 200),
        static_details=_shortened(identity.details(job), 10_000),
    )


def _remembered(job: AnyJob) -> dict[str, Any]:
    """The job, for lists and for who starts it again; where it holds a whole document, only what
    lists need: the rest is in the first event of its history, and a batch has many of them."""
    whole = to_json(job)
    brief = identity.without_documents(whole)
    return {"job": whole} if brief == whole else {"brief": brief}


def _search_attributes(job: AnyJob) -> TypedSearchAttributes:
    values = {
        "LongtakeKind": job.kind,
        "LongtakeTenant": job.tenant,
        "LongtakePreset": identity.preset_name(job),
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
            for name, value in values.items()
            if value
        ]
    )


def _shortened(text: str, length: int) -> str:
    # Temporal refuses summaries over 400 bytes and details over 20 kB.
    return text if len(text) <= length else f"{text[: length - 1]}…"
