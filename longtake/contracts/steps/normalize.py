"""Steps of `Normalize` for one file."""

from __future__ import annotations

from longtake.contracts.base import Contract
from longtake.contracts.loudness import Aim, Levelled, Loudness
from longtake.contracts.normalize import Normalize
from longtake.contracts.steps.common import AudioRequest, EncodeDone, Source, Step, TextTrack


class NormalizeSummary(Contract):
    """What the workflow must know of a levelling; the plan itself lies under `plan_key`."""

    source: Source
    plan_key: str
    index_key: str | None
    aims: tuple[Aim, ...]
    """Where each sound track shall land."""
    media_s: float
    engine: str
    texts: tuple[TextTrack, ...] = ()
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class MeasureDone(Contract):
    """How loud a track is. Its windows lie in the work store under `windows_key`; what `done`
    names is the same, or the encoded track that was measured."""

    done: EncodeDone
    loudness: Loudness
    windows_key: str = ""


class LevelRequest(Contract):
    """A track to encode at its level, which `before` measures."""

    track: AudioRequest
    before: Loudness
    aim: Aim


class LevelDone(Contract):
    """A track at its level, in the work store under `done.key`."""

    levelled: Levelled
    done: EncodeDone | None = None
    warnings: tuple[str, ...] = ()


PLAN_NORMALIZE = Step("plan_normalize", "io", Normalize, NormalizeSummary)
MEASURE_TRACK = Step("measure_track", "cpu", AudioRequest, MeasureDone)
LEVEL_TRACK = Step("level_track", "cpu", LevelRequest, LevelDone)
