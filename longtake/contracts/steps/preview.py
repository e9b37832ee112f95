"""Steps of `Preview`."""

from __future__ import annotations

from longtake.contracts.base import Contract
from longtake.contracts.preview import Preview
from longtake.contracts.steps.common import EncodeDone, Piece, Source, Step


class PreviewSummary(Contract):
    """What the workflow must know of a preview; the plan itself lies under `plan_key`."""

    source: Source
    plan_key: str
    index_key: str | None
    parts: tuple[Piece, ...]
    """What each part becomes; keys follow when the parts are made."""
    captions: Piece | None
    """The storyboard's WebVTT, which is made with the plan."""
    media_s: float
    engine: str
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class PartRequest(Contract):
    """One part of a preview."""

    source: Source
    plan_key: str
    index_key: str | None
    engine: str
    number: int


PLAN_PREVIEW = Step("plan_preview", "io", Preview, PreviewSummary)
MAKE_PART = Step("make_part", "cpu", PartRequest, EncodeDone)
