"""Parts of a programme that are alike already: their pictures are copied, not encoded.

A film has one header, so all of them are copied, or none is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.media import MediaFacts, VideoFacts
from longtake.contracts.stitch import FilmCodec, FilmOptions, Join, Part, Stitch
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.probing.index import Index
from media.programme.film import FilmPlan, Piece, Shot
from media.transcode.chunks import Chunk
from media.transcode.video import CARRIERS, ChunkMismatch, in_ticks

_ALIKE = {
    "codec": "has another codec",
    "width": "is of another size",
    "height": "is of another size",
    "pixel_format": "has another pixel format",
    "frame_rate": "has another frame rate",
    "sample_aspect": "has pixels of another shape",
    "rotation": "is turned otherwise",
    "header_sha256": "was made by another encoder, or with other settings",
}


def film_codec(asked: FilmOptions, lead: VideoFacts) -> FilmCodec:
    """The codec that is asked for, or the first part's, if a film can have it."""
    return asked.codec or ("hevc" if lead.codec == "hevc" else "h264")


def why_encoded(
    job: Stitch,
    names: Sequence[str],
    facts: Sequence[MediaFacts],
    indexes: Mapping[int, Index],
    rate: Fraction,
) -> str | None:
    """Why the pictures cannot be copied, in words; None if they can."""
    lead = facts[job.line[0]].video[0]
    asked = job.picture or FilmOptions()
    if _changes(asked, lead):
        return "as its settings ask for"
    codec = film_codec(asked, lead)
    if lead.codec != codec or lead.header_sha256 is None:
        return f"{names[job.line[0]]} is no {codec} that could be copied"
    if lead.rotation or lead.interlaced:
        return f"{names[job.line[0]]} is turned or interlaced"
    for at, number in enumerate(job.line):
        part, index, own = job.timeline[number], indexes[number], facts[number].video[0]
        join = part.join or job.join or Join()
        why = (
            ("it is faded in" if at and join.crossfade_s else None)
            or _unlike(lead, own)
            or _off_grid(part, index, rate)
        )
        if why:
            return f"{names[number]}: {why}"
    return None


def in_one_piece(shot: Shot) -> Shot:
    """A shot that is copied."""
    video = shot.plan.picture
    first = video.first_pts
    chunk = Chunk(start_pts=first, end_pts=video.chunks[-1].end_pts, seek_pts=first)
    own = video.model_copy(update={"chunks": (chunk,), "copied": True})
    return shot.model_copy(update={"plan": shot.plan.model_copy(update={"video": own})})


def copy_command(source: Path, film: FilmPlan, piece: Piece, target: Path) -> Ffmpeg:
    """The command that copies a shot's packets to CMAF fragments, on the film's clock."""
    shot = film.shots[piece.shot]
    video = shot.plan.picture
    chunk = video.chunks[piece.chunk]
    begin = Ffmpeg.from_keyframe(chunk.seek_pts, video.time_base)
    outside = [f"lt(pts\\,{video.first_pts})"]
    if chunk.end_pts is not None:
        outside.append(f"gte(pts\\,{chunk.end_pts})")
    # Not setts=ts=…, which makes one time of both.
    clock = ":".join(f"{ts}={ts.upper()}-({video.first_pts})" for ts in ("pts", "dts"))
    return (
        Ffmpeg.quiet()
        .read(source, shot.plan.demuxer, "-copyts", *begin)
        .then("-map", f"0:{video.stream}", "-an", "-sn", "-dn", "-c", "copy")
        .then("-bsf:v", f"noise=drop={'+'.join(outside)},setts={clock}")
        .then("-video_track_timescale", str(_track_clock(film.rate)))
        .then(*(("-tag:v", "hvc1") if video.codec == "hevc" else ()))  # as encoded ones
        .write(target, *CARRIERS["cmaf"])
    )


def copy_recipe(film: FilmPlan, piece: Piece) -> list[object]:
    """Everything, beside the source, that shapes the bytes of a copied shot."""
    shot = film.shots[piece.shot]
    video = shot.plan.picture
    edges = [video.first_pts, video.chunks[0].end_pts]
    return [shot.plan.demuxer, video.stream, *edges, str(film.rate)]


async def copy_shot(
    source: Path, film: FilmPlan, piece: Piece, target: Path, on_tick: OnTick
) -> Finished:
    """Copy a shot to `target`, and prove that all its frames are there at their times.

    Raises ChunkMismatch, InputCorrupt, and what `run_ffmpeg` raises.
    """
    command = copy_command(source, film, piece, target)
    try:
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"{source.name} could not be copied (exit code {error.code}): {error.stderr}"
        ) from error
    check_frames(target, film, piece, finished.stderr)
    return finished


def check_frames(target: Path, film: FilmPlan, piece: Piece, stderr: str) -> None:
    """Raises ChunkMismatch if a piece does not hold its frames at their times."""
    found = list(in_ticks(target, 1 / film.rate)) if target.stat().st_size else []
    if found != list(range(piece.own, piece.own + piece.frames)):
        raise ChunkMismatch(
            f"a piece of the picture came out with {len(found)} of {piece.frames} frames, or not "
            f"at their times. {stderr}".strip()
        )


def _changes(asked: FilmOptions, lead: VideoFacts) -> bool:
    """Whether more is asked for than the first part is already."""
    own_size = f"{lead.width}x{lead.height}"
    return (
        asked.crf is not None
        or asked.speed is not None
        or asked.size not in (None, own_size)
        or asked.frame_rate not in (None, lead.frame_rate)
    )


def _unlike(lead: VideoFacts, own: VideoFacts) -> str | None:
    for name, words in _ALIKE.items():
        if getattr(lead, name) != getattr(own, name):
            return f"it {words} than the first part" if "another" in words else f"it {words}"
    return None


def _off_grid(part: Part, index: Index, rate: Fraction) -> str | None:
    """Why a part cannot be cut out as it is, or does not run at exactly that rate."""
    if index.unreliable:
        return index.unreliable
    first, last = (
        None if at is None else _first_from(index, index.origin_s + at)
        for at in (part.start, part.end)
    )
    shown = index.slice(first, last)
    if not shown or shown[0] not in index.closed or (last and last not in index.closed):
        return "it is not cut at keyframes that nothing before them is needed for"
    even = all((pts - shown[0]) * index.time_base == n / rate for n, pts in enumerate(shown))
    return None if even else f"its frames do not come at exactly {float(rate):.6g} a second"


def _track_clock(rate: Fraction) -> int:
    """Ticks a second of every copied track, whatever its source has: whole frames of them."""
    clock = rate.numerator
    while clock < 10_000:
        clock *= 2
    return clock


def _first_from(index: Index, seconds: Fraction) -> int | None:
    """The first frame shown from then on; None if there is none."""
    at = bisect_left(index.pts, seconds / index.time_base)
    return index.pts[at] if at < len(index.pts) else None
