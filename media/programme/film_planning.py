"""Plan the pictures of a programme: every part's in one form, on one grid of frames."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from pydantic import ValidationError

from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.media import MediaFacts, VideoFacts
from longtake.contracts.stitch import FilmOptions, Join, Stitch
from longtake.errors import InputUnsupported, InvalidJob
from longtake.presets import describe
from media.picture.geometry import geometry
from media.probing.index import Index
from media.programme.film import FilmPlan, Shot
from media.programme.film_copy import film_codec, in_one_piece, why_encoded
from media.transcode.chunks import SHORTEST_S, Chunk, chunk_length, cut, seek_point, with_run_in
from media.transcode.plan import Clip, Plan
from media.transcode.planning import make_plan

KEYFRAMES_S = 2
"""Longest distance of keyframes, in seconds."""
UNLIKE_INDEX = "frames of a part did not come where its index has them; each part in one piece"
SLOWEST, FASTEST = Fraction(24), Fraction(60)
"""Frames a second that a programme takes from its first part; more are asked for by name."""


def plan_film(
    job: Stitch,
    names: Sequence[str],
    facts: Sequence[MediaFacts],
    indexes: Mapping[int, Index],
    *,
    whole: bool = False,
) -> FilmPlan:
    """Plan the picture of a programme. `indexes`: of the parts that have a picture, by number;
    `whole`: every part is decoded from its first frame, and none is copied.

    Raises InvalidJob and InputUnsupported that name the part.
    """
    for number in job.line:
        _check_part(job, number, names[number], facts[number])
    asked = job.picture or FilmOptions()
    lead = facts[job.line[0]].video[0]
    rate = asked.frame_rate or _rate_of(lead)
    settings = _settings(asked, rate, lead)
    plans = []
    for number in job.line:
        part = job.timeline[number]
        clip = Clip(start=part.start, end=part.end)
        try:
            plans.append(make_plan(facts[number], indexes[number], settings, clip=clip))
        except InvalidJob as error:
            raise InvalidJob(f"{names[number]}: {error.message}") from error
    shots = _placed(job, rate, plans, [indexes[number] for number in job.line])
    behind = (*(shot.overlap for shot in shots[1:]), 0)
    why = UNLIKE_INDEX if whole else why_encoded(job, names, facts, indexes, rate)
    made = (
        in_one_piece(shot)
        if why is None
        else _with_chunks(shot, indexes[shot.number], overlap, whole=whole)
        for shot, overlap in zip(shots, behind, strict=True)
    )
    return FilmPlan(rate=rate, shots=tuple(made), encoded=why)


def joined_sound(job: Stitch, film: FilmPlan) -> Stitch:
    """The job with joins that last as long for the sound as for the picture."""
    timeline = list(job.timeline)
    for shot in film.shots:
        part = timeline[shot.number]
        join = (part.join or job.join or Join()).model_copy(
            update={"gap_s": Fraction(), "crossfade_s": shot.overlap / film.rate}
        )
        timeline[shot.number] = part.model_copy(update={"join": join})
    return job.model_copy(update={"timeline": tuple(timeline)})


def sound_clip(shot: Shot, index: Index) -> Clip:
    """The seconds of its source that are heard while a shot is seen."""
    start = shot.plan.picture.first_pts * index.time_base - index.origin_s
    return Clip(start=start, end=start + shot.frames / shot.grid.rate)


def _check_part(job: Stitch, number: int, name: str, facts: MediaFacts) -> None:
    part, at = job.timeline[number], job.line.index(number)
    join = part.join or job.join or Join()
    if not facts.video:
        raise InputUnsupported(
            f"{name} has no picture, and {job.outputs[job.film or 0].uri} shall have one: give it "
            "one, lay it under the others as a music-bed, or make sound only"
        )
    if facts.video[0].frame_rate is None:
        raise InputUnsupported(f"{name} is a still picture: make a film of it first")
    if part.trim:
        raise InvalidJob(
            f"{name}: silence is not trimmed where there is a picture: use start and end, and "
            "trim: false where the preset trims"
        )
    if at and join.gap_s:
        raise InvalidJob(f"{name}: a gap has no picture: leave gap_s out, or crossfade")


def _rate_of(lead: VideoFacts) -> Fraction:
    """Of a picture whose rate varies: a whole one that shows about as many, 24 at least."""
    rate = lead.frame_rate or SLOWEST
    if lead.variable_frame_rate:
        rate = max(Fraction(round(rate)), SLOWEST)
    return min(rate, FASTEST)


def _settings(asked: FilmOptions, rate: Fraction, lead: VideoFacts) -> EncodeSettings:
    own = asked.model_dump(include={"crf", "speed"}, exclude_none=True)
    try:
        video = VideoSettings(
            codec=film_codec(asked, lead),
            **own,
            pixel_format="yuv420p",
            hdr="sdr",
            deinterlace="auto",
            frame_rate=rate,
            keyframe_interval_s=Fraction(KEYFRAMES_S),
            conform=True,
            upscale=True,
        )
    except ValidationError as error:
        raise InvalidJob(f"picture: {describe(error)}") from error
    width, height = geometry(lead, video.model_copy(update={"upscale": False})).canvas
    size = asked.size or f"{max(width, 16)}x{max(height, 16)}"
    return EncodeSettings(
        preset="stitch",
        video=video.model_copy(update={"pad": size}),
        audio=AudioSettings(codec="none"),
        container="mp4",
    )


def _placed(
    job: Stitch, rate: Fraction, plans: Sequence[Plan], indexes: Sequence[Index]
) -> list[Shot]:
    """Each shot behind the one before it, or over its end."""
    shots: list[Shot] = []
    most_before = 0
    for number, plan, index in zip(job.line, plans, indexes, strict=True):
        shot, most = Shot(number=number, plan=plan, first=0), _most_overlap(plan, index)
        if shots:
            before = shots[-1]
            join = job.timeline[number].join or job.join or Join()
            overlap = min(round(join.crossfade_s * rate), most_before, most)
            first = before.first + before.frames - overlap
            shot = shot.model_copy(update={"first": first, "overlap": overlap})
        shots.append(shot)
        most_before = most
    return shots


def _most_overlap(plan: Plan, index: Index) -> int:
    """Frames of a shot that may lie in a crossfade: less than half of it, by so much that there
    is a frame of the source where the rest of the shot can begin and end."""
    ticks = _ticks(plan, index)
    frames = Shot(number=0, plan=plan, first=0).frames
    widest = max((b - a for a, b in pairwise((*ticks, frames))), default=frames)
    return max(0, frames // 2 - max(widest, 1))


def _ticks(plan: Plan, index: Index) -> list[int]:
    """The frame that each of the source's frames becomes."""
    grid = Shot(number=0, plan=plan, first=0).grid
    chunks = plan.picture.chunks
    return [grid.tick(pts) for pts in index.slice(chunks[0].start_pts, chunks[-1].end_pts)]


def _with_chunks(shot: Shot, index: Index, overlap_behind: int, *, whole: bool) -> Shot:
    """The shot in chunks: what it shares with its neighbours first and last, by itself."""
    video = shot.plan.picture
    exact = video.exact and not whole
    start, end = video.chunks[0].start_pts, video.chunks[-1].end_pts
    shown, ticks = index.slice(start, end), _ticks(shot.plan, index)
    edges: list[int | None] = [start]
    if shot.overlap:
        edges.append(shown[bisect_left(ticks, shot.overlap)])
    if overlap_behind:
        edges.append(shown[bisect_right(ticks, shot.frames - overlap_behind) - 1])
    edges.append(end)
    body_at = int(shot.overlap > 0)
    length = chunk_length(shot.frames / shot.grid.rate)
    chunks: list[Chunk] = []
    for at, (first, last) in enumerate(pairwise(edges)):
        if first is not None and first == last:
            continue
        if at == body_at and exact and len(index.keyframes) > 1:
            chunks += cut(index, first, last, length, SHORTEST_S)
        else:
            seek = seek_point(index, first) if exact else None
            chunks.append(Chunk(start_pts=first, end_pts=last, seek_pts=seek))
    found = with_run_in(index, tuple(chunks), video.reach, max(video.reach, 1))
    own = video.model_copy(update={"chunks": found, "threads": 1})
    return shot.model_copy(update={"plan": shot.plan.model_copy(update={"video": own})})
