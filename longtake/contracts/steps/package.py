"""Steps of `Package`."""

from __future__ import annotations

from fractions import Fraction

from longtake.contracts.base import Contract, Rational
from longtake.contracts.package import Package, PackagePart
from longtake.contracts.steps.common import EncodeDone, Piece, Source, Step
from longtake.contracts.steps.transcribe import SpeechAsked, Spoken


class Trials(Contract):
    """Test encodes, planned in the work store; with what they measured once they are done."""

    plan_key: str
    count: int
    keys: tuple[str, ...] = ()


class PackageRequest(Contract):
    """Asks for a plan. `whole`: one chunk from the first frame, after chunks did not fit."""

    job: Package
    whole: bool = False
    trials: Trials | None = None
    """Test encodes that are done, for an automatic ladder."""


class TrialRequest(Contract):
    """One sample of the source in all sizes and qualities of one codec."""

    source: Source
    plan_key: str
    index_key: str
    engine: str
    number: int


class PackageSummary(Contract):
    """The plans lie in the work store: of the package, and of its sound."""

    source: Source
    others: tuple[Source, ...] = ()
    """Caption files."""
    plan_key: str
    sound_key: str
    index_key: str | None
    words_keys: tuple[str, ...] = ()
    """WebVTT of each rendition of captions."""
    chunks: int
    order: tuple[int, ...] = ()
    """Numbers of the chunks in the order in which they are best begun."""
    frames: int
    renditions: int
    sounds: int
    parts: tuple[PackagePart, ...] = ()
    """Pictures that are wanted beside the film."""
    trials: Trials | None = None
    """Test encodes by which a better ladder than this plan's can be chosen."""
    record: tuple[Piece, ...] = ()
    """What an automatic ladder was chosen by, to lie beside the film."""
    speech: SpeechAsked | None = None
    """The sound whose words become captions."""
    frame_rate: Rational | None = None
    """Of a film whose frames they keep to."""
    first_frame_s: Rational = Fraction()
    """When its first frame is shown."""
    media_s: float
    engine: str
    decisions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class RungsRequest(Contract):
    """One chunk of every rendition of the picture."""

    source: Source
    plan_key: str
    index_key: str
    engine: str
    number: int


class PackRequest(Contract):
    """Join the renditions and package them."""

    job: Package
    plan: PackageSummary
    rungs_keys: tuple[str, ...]
    """Of each chunk, in their order: the list of its renditions' keys."""
    sound_keys: tuple[str, ...]
    pictures: tuple[Piece, ...] = ()
    """Pictures beside the film; their names are relative to the package."""
    spoken: Spoken | None = None
    """Captions of what is said."""


class Packed(Contract):
    """A package, in the work store as one archive under `done.key`."""

    done: EncodeDone
    warnings: tuple[str, ...] = ()


PLAN_PACKAGE = Step("plan_package", "io", PackageRequest, PackageSummary)
ENCODE_TRIALS = Step("encode_trials", "cpu", TrialRequest, EncodeDone)
ENCODE_RUNGS = Step("encode_rungs", "cpu", RungsRequest, EncodeDone)
PACK = Step("pack", "io", PackRequest, Packed)
