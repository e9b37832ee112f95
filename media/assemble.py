"""Join finished parts into the output: a copy, never an encode; then prove what came out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from longtake.contracts.media import MediaFacts
from longtake.errors import InputCorrupt
from media.command import Ffmpeg
from media.index import Index
from media.isolate import inspect_in_child
from media.plan import AudioPlan, Plan, VideoPlan
from media.process import Finished, OnTick, ProcessFailed, run_ffmpeg

SOUND_SLACK_S = 0.25
"""A few codec frames: encoders' priming and the resampler's filling of gaps."""
_MUXERS = {"mp4": "mp4", "mkv": "matroska"}


def mux_command(
    source: Path, plan: Plan, rendition: Path | None, audio: Path | None, target: Path
) -> Ffmpeg:
    """The command that muxes the picture (joined chunks, or the source's) and the sound."""
    command = Ffmpeg.quiet()
    maps: list[str] = []
    if plan.video is not None and rendition is not None:
        command = command.read(rendition, "mov", "-itsoffset", _seconds(plan.video.start_s))
        maps += ["-map", "0:v:0"]
    takes_source = _copies_from_source(plan)
    if takes_source:
        command = command.read(source, plan.demuxer)
        number = 0 if rendition is None else 1
        maps += [f for stream in takes_source for f in ("-map", f"{number}:{stream}")]
    if audio is not None:
        command = command.read(audio, "mov")
        maps += ["-map", f"{len([i for i in command.inputs if i == '-i']) - 1}:a:0"]
    return (
        command.then(*maps, "-c", "copy", "-sn", "-dn")
        .then(*_tags(plan, encoded=rendition is not None))
        .then("-fflags", "+bitexact", "-max_interleave_delta", "0")
        .write(target, _MUXERS[plan.container], *_muxer_options(plan))
    )


def _tags(plan: Plan, *, encoded: bool) -> tuple[str, ...]:
    """A file that was encoded carries the sound's language, and no stray tags or chapters."""
    language = plan.audio.language if plan.audio is not None and not plan.audio.copied else None
    hevc = plan.video is not None and plan.video.copied and plan.video.codec == "hevc"
    return (
        *(("-map_metadata", "-1", "-map_chapters", "-1") if encoded else ()),
        *(("-metadata:s:a:0", f"language={language}") if language else ()),
        # Apple's players refuse HEVC under the name hev1.
        *(("-tag:v", "hvc1") if hevc and plan.container == "mp4" else ()),
    )


def _muxer_options(plan: Plan) -> tuple[str, ...]:
    return ("-movflags", "+faststart", "-write_tmcd", "0") if plan.container == "mp4" else ()


def _copies_from_source(plan: Plan) -> list[int]:
    streams = [plan.video.stream] if plan.video is not None and plan.video.copied else []
    if plan.audio is not None and plan.audio.copied:
        streams += plan.audio.streams
    return streams


def _seconds(value: Fraction) -> str:
    return f"{value.numerator * 1_000_000 // value.denominator}us"


async def assemble(
    source: Path,
    plan: Plan,
    rendition: Path | None,
    audio: Path | None,
    target: Path,
    on_tick: OnTick,
) -> Finished:
    """Write the output to `target`, from the joined chunks and the encoded sound, as far as
    there are any. Raises InputCorrupt, and what `run_ffmpeg` raises."""
    command = mux_command(source, plan, rendition, audio, target)
    try:
        return await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the parts could not be joined (exit code {error.code}): {error.stderr}"
        ) from error


async def verify(
    target: Path, plan: Plan, index: Index | None
) -> tuple[MediaFacts, tuple[str, ...]]:
    """Look at the finished file as a stranger would, and compare it with the plan.

    Returns its facts, and warnings. Raises InputCorrupt: what comes out wrong here would come
    out wrong again.
    """
    facts, found = await inspect_in_child(target)
    warnings: list[str] = []
    if plan.video is not None and index is not None:
        if found is None:
            raise InputCorrupt("the joined file holds no picture, though one was written")
        if not plan.video.copied:
            _compare(plan, plan.video, index, found)
        elif len(found.pts) != len(index.pts):
            warnings.append(
                f"the copied picture has {len(found.pts)} frames, the source shows "
                f"{len(index.pts)}: a copy keeps frames that the source hides"
            )
    if plan.audio is not None:
        _check_sound(plan.audio, facts)
    return facts, tuple(warnings)


def _check_sound(audio: AudioPlan, facts: MediaFacts) -> None:
    """Every track is there; encoded sound begins at zero and ends where it should."""
    if len(facts.audio) != len(audio.streams):
        raise InputCorrupt(f"{len(facts.audio)} of {len(audio.streams)} sound tracks came out")
    if audio.copied:
        return
    track = facts.audio[0]
    if track.start_s > SOUND_SLACK_S or track.duration_s < audio.length_s - SOUND_SLACK_S:
        raise InputCorrupt(
            f"the sound came out from {track.start_s:.2f} s on, {track.duration_s:.2f} s long; "
            f"it should be {audio.length_s:.2f} s: the source's sound is damaged"
        )


def _compare(plan: Plan, video: VideoPlan, index: Index, found: Index) -> None:
    """Frame by frame: shown at its time, to the tick in MP4 and the millisecond in Matroska."""
    first, last = video.chunks[0].start_pts, video.chunks[-1].end_pts
    wanted = [pts * index.time_base - plan.origin_s for pts in index.slice(first, last)]
    shown = [pts * found.time_base for pts in found.pts]
    if not video.exact:
        return
    slack = Fraction(1, 1000) if plan.container == "mkv" else Fraction(1, 1_000_000)
    if len(shown) != len(wanted) or any(
        abs(a - b) > slack for a, b in zip(shown, wanted, strict=True)
    ):
        worst = max((abs(a - b) for a, b in zip(shown, wanted, strict=False)), default=Fraction())
        raise InputCorrupt(
            f"the joined file shows {len(shown)} of {len(wanted)} frames, "
            f"up to {float(worst):.6f} s off"
        )
