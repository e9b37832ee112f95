"""Animated images (GIF, WebP, AVIF): what is planned for them, and the proof of what came out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from longtake.contracts.containers import ANIMATIONS, Container
from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import MediaFacts, VideoFacts
from longtake.errors import InputCorrupt, InvalidJob
from media.encoders import webp
from media.picture.pixel_formats import has_alpha
from media.picture.pixels import output_size
from media.probing.animation_files import Animation, read_animation
from media.probing.index import Index
from media.transcode.chunks import Chunk, seek_point, with_run_in
from media.transcode.plan import VideoPlan
from media.transcode.timing import clock, planned_times

MOST_PIXELS = 128_000_000
"""Of all frames of a GIF or WebP together: they are held in memory while the palette is counted.
A GIF of 480x270 and 980 frames took 0.66 GiB (measured)."""
MOST_GIF_RATE = 50
"""Frames a second. A GIF counts in 1/100 s, and browsers show what stays for less than 2/100 s
for 10/100 s."""


def as_animation(plan: VideoPlan, facts: VideoFacts, container: Container) -> VideoPlan:
    """The plan of the picture, for an animated image: it begins with its first frame.

    Raises InvalidJob for one that is too long, or too fast for a GIF. Any other plan stays.
    """
    if container not in ANIMATIONS:
        return plan
    size = output_size(facts, plan.settings)
    if container in ("gif", "webp"):
        _check_length(plan, size)
    if container == "avif" and plan.frames < 2:
        raise InvalidJob("an animated AVIF needs two frames, and there is one: write a .webp")
    if container == "gif" and plan.frame_rate and plan.frame_rate > MOST_GIF_RATE:
        raise InvalidJob(
            f"a GIF shows at most {MOST_GIF_RATE} frames a second, and the picture has "
            f"{float(plan.frame_rate):g}: use `--frame-rate 25` or less, or write a .webp"
        )
    return plan.model_copy(update={"start_s": Fraction(0), "size": size})


def _check_length(plan: VideoPlan, size: tuple[int, int]) -> None:
    width, height = size
    most = MOST_PIXELS // (width * height)
    if plan.frames > most:
        seconds = most / plan.frame_rate if plan.frame_rate else Fraction(most, 25)
        raise InvalidJob(
            f"{plan.frames} frames of {width}x{height} are too many for {plan.encoder}, which is "
            f"made in memory: at most {most}, which last {float(seconds):.1f} s. Take a clip of it "
            "(`--start`, `--end`), a smaller `--height`, a lower `--frame-rate`, or write a .mp4"
        )


def with_alpha(
    facts: VideoFacts, settings: VideoSettings, container: Container, *, gpu: bool
) -> VideoSettings:
    """The settings with transparency, where an AVIF can have the source's: it is a picture of its
    own there, which is made in one piece with the other, at constant quality, on the CPU."""
    if container != "avif" or not has_alpha(facts.pixel_format):
        return settings
    able = not (gpu or settings.bitrate_bps or settings.quality)
    return settings.model_copy(update={"alpha": able})


def animation_warnings(
    facts: MediaFacts, settings: VideoSettings, container: Container
) -> tuple[str, ...]:
    """Words for the transparency that an AVIF does not keep."""
    transparent = facts.video and has_alpha(facts.video[0].pixel_format)
    if container != "avif" or not transparent or settings.alpha:
        return ()
    return (
        "the picture's transparency is left out: an AVIF keeps it with crf, and not on a GPU, for "
        "a bit rate or for a quality",
    )


def one_piece(
    video: VideoPlan, index: Index, first: int | None, last: int | None
) -> tuple[Chunk, ...]:
    """The one chunk of a picture that is not cut."""
    seek = seek_point(index, first) if video.exact else None
    chunk = Chunk(start_pts=first, end_pts=last, seek_pts=seek)
    after = max(video.reach, 1 if video.grid else 0)
    return with_run_in(index, (chunk,), video.reach, after)


def check_animation(video: VideoPlan, wanted: Sequence[int], path: Path) -> str | None:
    """What is wrong with the finished file, or None; `wanted` are the frames' planned times.

    A frame that shows nothing new may be missing: the one before it stays for longer.
    """
    return _compare(video, [tick * clock(video) for tick in wanted], read_animation(path))


def prove_animation(path: Path, video: VideoPlan, index: Index, container: Container) -> MediaFacts:
    """The facts of a finished animation. Raises InputCorrupt if it is not what was planned."""
    made = read_animation(path)
    wanted = [tick * clock(video) for tick in planned_times(video, index)]
    wrong = _compare(video, wanted, made)
    if wrong:
        raise InputCorrupt(f"the animation is not as planned: {wrong}")
    return _facts(path, made, video, container)


def _compare(video: VideoPlan, wanted: Sequence[Fraction], made: Animation) -> str | None:
    if video.size and (made.width, made.height) != video.size:
        return f"it is {made.width}x{made.height} and should be {video.size[0]}x{video.size[1]}"
    if made.loops != 0:
        return f"it is shown {made.loops} times, and not for ever"
    if not video.exact:
        return None
    shown = [round(time / made.tick) for time in made.starts]
    planned = {round(time / made.tick) for time in wanted}
    # Times are rounded to the format's tick, once here and once there.
    stray = [at for at in shown if not planned & {at - 1, at, at + 1}]
    if stray or not shown or abs(shown[0]) > 1 or len(shown) > len(wanted):
        return f"{len(stray)} of its {len(shown)} frames are at no planned time"
    if made.end == 0:  # a still image: nothing moves
        return None
    frame = (wanted[-1] - wanted[0]) / (len(wanted) - 1) if len(wanted) > 1 else made.end
    if abs(made.end - (wanted[-1] + frame)) > frame + made.tick:
        return f"it lasts {float(made.end):.3f} s instead of {float(wanted[-1] + frame):.3f} s"
    return None


def _facts(path: Path, made: Animation, video: VideoPlan, container: Container) -> MediaFacts:
    steps = {b - a for a, b in pairwise(made.starts)}
    size = path.stat().st_size
    stored = {"gif": "pal8", "webp": webp.stored(video)}
    picture = VideoFacts(
        index=0,
        codec="av1" if container == "avif" else container,
        width=made.width,
        height=made.height,
        pixel_format=stored.get(container, video.pixel_format),
        frame_rate=len(made.starts) / made.end if made.end else None,
        frames=len(made.starts),
        start_s=0.0,
        duration_s=round(float(made.end), 6),
        time_base=made.tick,
        bitrate_bps=round(8 * size / made.end) if made.end else None,
        variable_frame_rate=bool(steps) and max(steps) - min(steps) > made.tick,
        keyframes=1,
        longest_gop_s=round(float(made.end), 6),
    )
    return MediaFacts(
        container=container,
        duration_s=picture.duration_s,
        start_s=0.0,
        bytes=size,
        video=(picture,),
    )
