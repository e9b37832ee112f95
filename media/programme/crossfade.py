"""Encode the frames in which one shot of a programme fades into the next."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.ffmpeg.filter_files import written
from media.ffmpeg.tools import table_level
from media.programme.film import FilmPlan, Piece, Shot
from media.programme.film_copy import check_frames
from media.transcode.chunks import Chunk
from media.transcode.video import CARRIERS, chain, encoder, recipe


def crossfade_recipe(film: FilmPlan, piece: Piece) -> list[object]:
    """Everything, beside the two sources, that shapes the bytes of the piece."""
    shots = _ends(film, piece)
    return [
        *([*recipe(shot.plan.picture), shot.plan.demuxer, chunk] for shot, chunk in _told(shots)),
        [piece.frames, shots[1][0].overlap],
    ]


async def encode_crossfade(
    sources: tuple[Path, Path], film: FilmPlan, piece: Piece, target: Path, on_tick: OnTick
) -> Finished:
    """Write the piece's frames to `target`, from the sources of its two shots, and count them.

    Raises ChunkMismatch if they are not those planned, InputCorrupt, and what `run_ffmpeg` raises.
    """
    (before, _), (after, _) = _ends(film, piece)
    with (
        written(before.plan.picture.files, target) as of_before,
        written(after.plan.picture.files, target.with_name(f"{target.name}.after")) as of_after,
    ):
        command = crossfade_command(sources, film, piece, target, (of_before, of_after))
        try:
            finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        except ProcessFailed as error:
            names = " and ".join(source.name for source in sources)
            raise InputCorrupt(
                f"{names} could not be faded into each other (exit code {error.code}): "
                f"{error.stderr}"
            ) from error
    check_frames(target, film, piece, finished.stderr)
    return finished


def crossfade_command(
    sources: tuple[Path, Path],
    film: FilmPlan,
    piece: Piece,
    target: Path,
    files: tuple[Mapping[str, str], Mapping[str, str]],
) -> Ffmpeg:
    """The command that encodes the piece to CMAF fragments."""
    shots = _ends(film, piece)
    (before, _), (after, _) = shots
    tone = any(shot.plan.picture.files.tone for shot, _ in shots)
    command = Ffmpeg.quiet().cpu_level(table_level() if tone else None)
    graph = []
    for number, ((shot, chunk), source) in enumerate(zip(shots, sources, strict=True)):
        video = shot.plan.picture
        begin = Ffmpeg.from_keyframe(chunk.seek_pts, video.time_base)
        as_stored = ("-display_rotation", "0") if video.turned_late else ()
        command = command.read(source, shot.plan.demuxer, "-copyts", *begin, *as_stored)
        steps = chain(video, chunk, files[number])
        graph.append(f"[{number}:{video.stream}]{steps},setpts=PTS-STARTPTS[{number}]")
    alone = before.frames - before.span(piece.chunk)[0] - after.overlap
    length, offset = (_seconds(frames / film.rate) for frames in (after.overlap, alone))
    graph.append(f"[0][1]xfade=transition=fade:duration={length}:offset={offset}[out]")
    base = f"{film.rate.denominator}:{film.rate.numerator}"
    return (
        command.then("-filter_complex", ";".join(graph), "-map", "[out]")
        .then("-an", "-sn", "-dn", "-fps_mode", "passthrough", "-enc_time_base", base)
        .then(*encoder(before.plan.picture))
        .write(target, *CARRIERS["cmaf"])
    )


def _ends(film: FilmPlan, piece: Piece) -> tuple[tuple[Shot, Chunk], tuple[Shot, Chunk]]:
    """The end of the one shot, and the beginning of the other."""
    before, after = film.shots[piece.shot], film.shots[piece.shot + 1]
    return (
        (before, before.plan.picture.chunks[piece.chunk]),
        (after, after.plan.picture.chunks[0]),
    )


def _told(shots: tuple[tuple[Shot, Chunk], tuple[Shot, Chunk]]) -> list[tuple[Shot, object]]:
    return [(shot, chunk.model_dump(mode="json")) for shot, chunk in shots]


def _seconds(value: Fraction) -> str:
    return f"{round(value * 1_000_000)}us"
