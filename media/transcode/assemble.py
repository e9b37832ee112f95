"""Join finished parts into the output: a copy, never an encode; then prove what came out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.chapters import Chapters
from longtake.contracts.containers import ANIMATIONS, CONTAINERS
from longtake.contracts.media import MediaFacts
from longtake.errors import InputCorrupt
from longtake.languages import bcp47
from media.children.isolate import in_child
from media.children.process import NO_WORK, Finished, OnTick, ProcessFailed, run_ffmpeg
from media.encoders import ENCODERS
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.tags.carry import OGG, lost
from media.tags.chapters import comment_marks, prove_chapters, write_chapters
from media.tags.covers import cover_command, fits_comment, images, write_comment
from media.tags.id3 import name_comments
from media.transcode.animations import prove_animation
from media.transcode.mux import FINEST_CLOCK_S, MILLISECONDS, Texts, mux_command
from media.transcode.plan import Plan, VideoPlan
from media.transcode.timing import clock, planned_times

SOUND_SLACK_S = 0.25
"""A few codec frames: encoders' priming and the resampler's filling of gaps."""


async def assemble(
    source: Path,
    plan: Plan,
    rendition: Path | None,
    sounds: Sequence[Path],
    target: Path,
    on_tick: OnTick,
    chapters: Chapters | None = None,
    texts: Texts = (),
) -> Finished:
    """Write the output to `target`, from the joined chunks and the encoded tracks, as far as
    there are any, with `chapters` in place of the source's, and `texts` beside its own.

    Raises InputCorrupt, and what `run_ffmpeg` raises."""
    if plan.video is not None and rendition is not None and ENCODERS[plan.video.encoder].whole:
        await asyncio.to_thread(shutil.copyfile, rendition, target)
        return NO_WORK
    covers: list[Path] = []
    list_of_chapters, comment = (_beside(target, name) for name in ("chapters", "comment"))
    marks = comment_marks(plan, chapters)
    try:
        written = None if marks else chapters
        if written is not None:
            write_chapters(written, list_of_chapters)
        for number, carried in enumerate(images(plan)):
            covers.append(_beside(target, str(number)))
            await run_ffmpeg(cover_command(source, plan, carried, covers[-1]).arguments())
        in_comment = bool(covers) and fits_comment(plan, covers[0])
        if in_comment:
            await asyncio.to_thread(write_comment, images(plan)[0], covers[0], comment)
        command = mux_command(
            *(source, plan, rendition, sounds, target, () if plan.container in OGG else covers),
            chapters=list_of_chapters if written is not None else None,
            comment=comment if in_comment else None,
            marks=marks,
            texts=texts,
        )
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        if plan.container == "mp3":
            await asyncio.to_thread(name_comments, target)
        return finished
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the parts could not be joined (exit code {error.code}): {error.stderr}"
        ) from error
    finally:
        for path in (*covers, list_of_chapters, comment):
            path.unlink(missing_ok=True)


def _beside(target: Path, name: str) -> Path:
    """Named so that what a killed worker leaves is swept with the output in the making."""
    return target.with_name(f"{target.stem}.{name}.part")


async def verify(
    target: Path,
    plan: Plan,
    index: Index | None,
    chapters: Chapters | None = None,
    texts: int = 0,
) -> tuple[MediaFacts, tuple[str, ...]]:
    """Look at the finished file as a stranger would, and compare it with the plan.

    Returns its facts, and warnings. Raises InputCorrupt: what comes out wrong here would come
    out wrong again.
    """
    if plan.container in ANIMATIONS and plan.video is not None and index is not None:
        facts = await in_child(prove_animation, target, plan.video, index, plan.container)
        return facts, lost(plan.tags, plan.chapters, 0, facts, plan.container)
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
    _check_sound(plan, facts)
    warnings += _languages_lost(plan, facts)
    _check_texts(plan, facts, texts)
    if chapters is not None:
        prove_chapters(chapters, facts)
    covers = sum(carried.kind == "cover" for carried in plan.carried)
    own_chapters = 0 if chapters else plan.chapters
    warnings += lost(plan.tags, own_chapters, covers, facts, plan.container)
    return facts, tuple(warnings)


def _languages_lost(plan: Plan, facts: MediaFacts) -> list[str]:
    """QuickTime numbers a hundred languages or so, and FFmpeg drops the others without a word."""
    carried = [each for each in plan.carried if each.kind == "subtitle"]
    found = [each for each in facts.other if each.kind == "subtitle"]
    sounds = [(a.language, b.language) for a, b in zip(plan.audio, facts.audio, strict=True)]
    texts = [(a.language, b.language) for a, b in zip(carried, found, strict=False)]
    return [
        f"the language of {kind} track {number}, {language}, is left out: "
        f"{CONTAINERS[plan.container].words} did not take it"
        for kind, languages in (("sound", sounds), ("text", texts))
        for number, (language, kept) in enumerate(languages, 1)
        if bcp47(language) and bcp47(language) != bcp47(kept)
    ]


def _check_sound(plan: Plan, facts: MediaFacts) -> None:
    """Every track is there; encoded sound begins at zero and ends where it should."""
    if len(facts.audio) != len(plan.audio):
        raise InputCorrupt(f"{len(facts.audio)} of {len(plan.audio)} sound tracks came out")
    for audio, track in zip(plan.audio, facts.audio, strict=True):
        late = track.start_s > SOUND_SLACK_S
        short = track.duration_s < audio.length_s - SOUND_SLACK_S
        if not audio.copied and (late or short):
            raise InputCorrupt(
                f"the sound came out from {track.start_s:.2f} s on, {track.duration_s:.2f} s "
                f"long; it should be {audio.length_s:.2f} s: the source's sound is damaged"
            )


def _check_texts(plan: Plan, facts: MediaFacts, added: int) -> None:
    """Where text tracks were added, all are there, the source's and these."""
    wanted = sum(carried.kind == "subtitle" for carried in plan.carried) + added
    found = sum(stream.kind == "subtitle" for stream in facts.other)
    if added and found != wanted:
        raise InputCorrupt(f"{found} of {wanted} text tracks came out")


def _compare(plan: Plan, video: VideoPlan, index: Index, found: Index) -> None:
    """Frame by frame: shown at its time, to the tick in MP4 and the millisecond in Matroska."""
    wanted = [ticks * clock(video) + video.start_s for ticks in planned_times(video, index)]
    shown = [pts * found.time_base for pts in found.pts]
    if not video.exact:
        return
    # Where the whole begins is rounded to the picture's clock, and where that is one of
    # microseconds, so is each frame.
    finest = max(2 * FINEST_CLOCK_S, found.time_base / 2)
    slack = Fraction(1, 1000) if plan.container in MILLISECONDS else finest
    if len(shown) != len(wanted) or any(
        abs(a - b) > slack for a, b in zip(shown, wanted, strict=True)
    ):
        worst = max((abs(a - b) for a, b in zip(shown, wanted, strict=False)), default=Fraction())
        raise InputCorrupt(
            f"the joined file shows {len(shown)} of {len(wanted)} frames, "
            f"up to {float(worst):.6f} s off"
        )
