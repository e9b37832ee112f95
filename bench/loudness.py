"""`loudness`: recordings at one loudness, by ffmpeg-normalize and by a warm service."""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import cost, meters
from bench.cost import Cost, Meter
from bench.footage import CORPUS
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Measurement, Row, Series, alone, ratio, series
from longtake import Normalize
from longtake.contracts.media import AudioFacts
from longtake.contracts.normalize import SoundCodec
from media.ffmpeg.tools import ffmpeg
from media.probing.in_child import inspect_in_child

LUFS, DBTP = -16.0, -1.0
HOW = (
    f"Every recording of the corpus, the sound of some films, and a voice repeated for minutes, to "
    f"{LUFS:g} LUFS and at most {DBTP:g} dBTP, each in its own codec, rate and layout: by "
    "`ffmpeg-normalize --keep-loudness-range-target` (two passes of FFmpeg's `loudnorm`, linear "
    "where it can) and by a job on a warm service, in turn, with the same FFmpeg. Then the "
    "loudness of what came out by pyloudnorm, and its true peak by FFmpeg's `ebur128`; neither "
    "tool uses these. Before each job the work store is emptied. The rows of the corpus leave the "
    "repeated voice out: one file after the other, and as many jobs started at once, against the "
    "sum of what ffmpeg-normalize took, which does one file after the other."
)
FILMS = ("bbb-2500ms.ts", "increasing-timestamps-360p.mp4", "rotated-270.mp4", "sample.avi")
"""Films of the corpus with one sound track that is neither silent nor shorter than 0.4 s."""
REFUSED = ("garbage-prefix.mp3",)
"""Its first bytes are of no format."""
SAME_LU = 0.02
"""So near two meters read the same file (tests/media/test_loudness.py): less tells nothing."""
OVER_DB = 0.01
"""What the peak meter's own last digit may be off by."""

_CODECS: dict[str, tuple[SoundCodec, str, int | None]] = {
    "mp3": ("mp3", "libmp3lame", 128_000),
    "flac": ("flac", "flac", None),
    "pcm_s16le": ("pcm", "pcm_s16le", None),
    "aac": ("aac", "aac", 128_000),
}
"""By the source's codec: ours, FFmpeg's encoder, bit rate. Else AAC."""


@dataclass
class Piece:
    """A recording, and what became of it in each round."""

    source: Path
    track: AudioFacts
    theirs: list[Cost] = field(default_factory=list)
    ours: list[Cost] = field(default_factory=list)

    @property
    def suffix(self) -> str:
        """Of both outputs."""
        suffix = self.source.suffix
        return ".mp4" if suffix in (".avi", ".ts") else suffix

    @property
    def codec(self) -> tuple[SoundCodec, str, int | None]:
        """How both encode it."""
        codec = self.track.codec if self.suffix != ".mp4" else "aac"
        return _CODECS.get(codec, _CODECS["aac"])


@dataclass(frozen=True)
class Found:
    """How an output measures."""

    error_lu: float
    over_db: float


async def measure(options: Options) -> Measurement:
    """Loudness, peaks, time."""
    measurement = Measurement("loudness", f"recordings at {LUFS:g} LUFS", HOW)
    for module in ("ffmpeg_normalize", "pyloudnorm"):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"{module} is not installed: pip install '.[bench]'")
    done: list[tuple[Piece, tuple[Found, Found]]] = []
    async with lab() as here:
        for path in await _sources(options):
            piece = await _piece(path)
            try:
                done.append((piece, await _both(here, piece, options)))
            except cost.CommandFailed as failed:
                measurement.notes.append(f"{path.name} is left out: {failed}")
            else:
                print(" | ".join(_line(piece, *done[-1][1]).values()), file=sys.stderr, flush=True)
        pieces = [piece for piece, _ in done[1:]]
        together = await _together(here, pieces, options)
    _rows(measurement, *zip(*done, strict=True))
    measurement.rows += [
        _at_once("wall", cost.wall, together, pieces),
        _at_once("CPU", cost.cpu, together, pieces),
    ]
    return measurement


async def _sources(options: Options) -> list[Path]:
    recorded = sorted(
        path
        for path in CORPUS.glob("*")
        if path.suffix in (".mp3", ".wav", ".flac", ".m4a") and path.name not in REFUSED
    )
    if options.quick:
        return [await _talk(options.out / "media", 20), *recorded[:2]]
    films = [CORPUS / name for name in FILMS if (CORPUS / name).exists()]
    return [await _talk(options.out / "media", (options.seconds or 60) * 5), *recorded, *films]


async def _talk(folder: Path, seconds: int) -> Path:
    """A long talk, made once: a voice of the corpus, again and again, in stereo."""
    path = folder / f"talk-{seconds}s.mp3"
    await asyncio.to_thread(_make_talk, path, seconds)
    return path


def _make_talk(path: Path, seconds: int) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    quiet = (ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y")
    draft = path.with_suffix(".part")
    voice = ("-stream_loop", "-1", "-i", str(CORPUS / "voice-zeus.mp3"), "-t", str(seconds))
    made = ("-ar", "44100", "-ac", "2", "-b:a", "128k", "-f", "mp3", str(draft))
    subprocess.run([*quiet, *voice, *made], check=True)
    draft.rename(path)


async def _piece(path: Path) -> Piece:
    facts, _ = await inspect_in_child(path)
    return Piece(path, facts.audio[0])


async def _both(here: Lab, piece: Piece, options: Options) -> tuple[Found, Found]:
    theirs_at = options.out / f"ffmpeg-normalize{piece.suffix}"
    ours_at = options.out / f"longtake{piece.suffix}"
    rounds = options.rounds_of(1 if piece.track.duration_s > 60 else 3)
    for _ in range(rounds):
        piece.theirs.append(await cost.run(_command(piece, theirs_at)))
        here.empty()
        piece.ours.append((await here.run(_next_job(here, piece, ours_at)))[0])
    return await _found(theirs_at, piece, options), await _found(ours_at, piece, options)


def _next_job(here: Lab, piece: Piece, output: Path) -> Normalize:
    here.jobs += 1
    codec, _, bitrate = piece.codec
    return Normalize(
        id=f"bench-{here.jobs}",
        input=str(piece.source),
        output=str(output),
        overwrite=True,
        loudness_lufs=LUFS,
        true_peak_dbtp=DBTP,
        codec=codec,
        bitrate_bps=bitrate,
    )


async def _together(here: Lab, pieces: Sequence[Piece], options: Options) -> Cost:
    """All at once, as one who has a folder of files asks for them."""
    here.empty()
    meter = Meter(here.state.pid)
    outputs = (options.out / f"together-{n}{piece.suffix}" for n, piece in enumerate(pieces))
    jobs = [_next_job(here, *each) for each in zip(pieces, outputs, strict=True)]
    await asyncio.gather(*(here.longtake.run(job) for job in jobs))
    return meter.read()


def _command(piece: Piece, output: Path) -> list[str]:
    _, encoder, bitrate = piece.codec
    return [
        *("env", f"FFMPEG_PATH={ffmpeg()}", sys.executable, "-m", "ffmpeg_normalize"),
        *(str(piece.source), "-q", "-f", "-t", f"{LUFS:g}", "-tp", f"{DBTP:g}"),
        *("--keep-loudness-range-target", "-c:a", encoder, "-ar", str(piece.track.sample_rate)),
        *(("-b:a", str(bitrate)) if bitrate else ()),
        *("-o", str(output)),
    ]


async def _found(path: Path, piece: Piece, options: Options) -> Found:
    lufs = await meters.integrated_lufs(path, options.out, piece.track.channels)
    peak = await meters.true_peak_dbtp(path, options.out)
    return Found(abs(lufs - LUFS), peak - DBTP)


def _rows(
    measurement: Measurement, pieces: Sequence[Piece], found: Sequence[tuple[Found, Found]]
) -> None:
    theirs, ours = ([each[side] for each in found] for side in (0, 1))
    worse = [
        piece.source.name
        for piece, (their, our) in zip(pieces, found, strict=True)
        if our.error_lu > their.error_lu + SAME_LU
    ]
    measurement.rows = [
        _one_by_one("wall", cost.wall, pieces[1:]),
        _one_by_one("CPU", cost.cpu, pieces[1:]),
        ratio("wall, the long one", *_costs(pieces[0], cost.wall), 1.0),
        ratio("CPU, the long one", *_costs(pieces[0], cost.cpu), 1.0),
        alone("largest error of loudness", series("Longtake", "LU", [_worst(ours)]), 0.1),
        alone("its largest error", series("ffmpeg-normalize", "LU", [_worst(theirs)])),
        alone("files with a larger error", series("Longtake", "files", [len(worse)]), 0),
        alone("files over the true peak", series("Longtake", "files", [_over(ours)]), 0),
        alone("its files over the true peak", series("ffmpeg-normalize", "files", [_over(theirs)])),
    ]
    measurement.tables["by file"] = [
        _line(piece, *each) for piece, each in zip(pieces, found, strict=True)
    ]
    measurement.notes += [f"larger error: {', '.join(worse)}"] if worse else []
    every = {
        "ffmpeg_normalize": [each for piece in pieces for each in piece.theirs],
        "Longtake": [each for piece in pieces for each in piece.ours],
    }
    measurement.notes.append(cost.neighbours(**every))


Of = Callable[[str, Sequence[Cost]], Series]


def _one_by_one(what: str, of: Of, pieces: Sequence[Piece]) -> Row:
    ours = sum(of("", piece.ours).median for piece in pieces)
    return ratio(
        f"{what}, the corpus one by one",
        series("Longtake, one by one", "s", [ours]),
        _theirs(of, pieces),
        1.0,
    )


def _at_once(what: str, of: Of, together: Cost, pieces: Sequence[Piece]) -> Row:
    ours = of("Longtake, all at once", [together])
    return ratio(f"{what}, the corpus at once", ours, _theirs(of, pieces), 1.0)


def _theirs(of: Of, pieces: Sequence[Piece]) -> Series:
    took = sum(of("", piece.theirs).median for piece in pieces)
    return series("ffmpeg-normalize, one by one", "s", [took])


def _costs(piece: Piece, of: Callable[[str, Sequence[Cost]], Series]) -> tuple[Series, Series]:
    return of("Longtake", piece.ours), of("ffmpeg-normalize", piece.theirs)


def _worst(found: Sequence[Found]) -> float:
    return max(each.error_lu for each in found)


def _over(found: Sequence[Found]) -> int:
    return sum(each.over_db > OVER_DB for each in found)


def _line(piece: Piece, theirs: Found, ours: Found) -> dict[str, str]:
    sides = (piece.theirs, piece.ours)
    wall = [statistics.median(each.wall_s for each in costs) for costs in sides]
    cpu = [statistics.median(each.cpu_s for each in costs) for costs in sides]
    return {
        "file": piece.source.name,
        "length": f"{piece.track.duration_s:.1f} s",
        "error, theirs": f"{theirs.error_lu:.2f} LU",
        "ours": f"{ours.error_lu:.2f} LU",
        "peak over, theirs": f"{theirs.over_db:+.2f} dB",
        "ours ": f"{ours.over_db:+.2f} dB",
        "wall, theirs": f"{wall[0]:.2f} s",
        "ours  ": f"{wall[1]:.2f} s",
        "CPU, theirs": f"{cpu[0]:.2f} s",
        "ours   ": f"{cpu[1]:.2f} s",
    }
