"""What a job cost, added up from its steps, and what they say of a damaged source."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.result import SourceRead, Stats
    from longtake.contracts.steps.common import EncodeDone, Published, Source
    from longtake.paths import shown
    from longtake.words import counted


def total(
    media_s: float,
    bytes_read: int,
    counted: Sequence[EncodeDone],
    others: Sequence[EncodeDone],
    published: Published,
) -> Stats:
    """The cost of all steps; `counted` are the job's chunks or parts."""
    made = [done.stats for done in (*counted, *others)]
    every = [*made, published.stats]
    elapsed = workflow.now() - workflow.info().start_time
    return Stats(
        media_s=media_s,
        wall_s=round(elapsed.total_seconds(), 3),
        encode_s=round(sum(s.encode_s for s in made), 3),
        cpu_s=round(sum(s.cpu_s for s in every), 3),
        bytes_read=bytes_read,
        bytes_written=sum(s.bytes_written for s in every),
        chunks=len(counted),
        chunks_reused=sum(done.reused for done in counted),
        retries=sum(s.retries for s in every),
        peak_memory_bytes=max(s.peak_memory_bytes for s in every),
    )


def damage(made: Sequence[EncodeDone]) -> list[str]:
    """A warning, if the source did not decode everywhere."""
    errors = sum(part.decode_errors for part in made)
    if not errors:
        return []
    words = f"{counted(errors, 'decode errors')}; what could be decoded was kept"
    return [f"the source is damaged: {words}"]


def read(*sources: Source | None) -> tuple[SourceRead, ...]:
    """What was read, for the result; None is what this job has not."""
    return tuple(
        SourceRead(
            uri=shown(source.uri),
            bytes=source.bytes,
            sha256=source.sha256,
            version=source.version,
        )
        for source in sources
        if source is not None
    )
