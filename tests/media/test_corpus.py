"""Every file that people bring becomes right with a preset for the web, or is refused in words.

Right is judged against another decode of the source: times, pixels as a player shows them, and
where in time the sound lies. That lossless frames are exact shows `test_exactness.py`.
"""

from __future__ import annotations

import re
from array import array
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import av
import pytest

from longtake.contracts import VideoFacts
from longtake.errors import InputUnsupported
from tests.conftest import corpus_files
from tests.media.engine import Made, run, transcode

pytestmark = pytest.mark.slow

CLIP_S = 1
"""Of longer files, the first second."""
WEB: dict[str, Any] = {
    "preset": "web-480p",
    "video": {"crf": 12, "speed": "ultrafast", "max_bitrate_bps": 50_000_000, "smart_copy": False},
}
SOUND_IN_A_FILM = ("encore-multiple-audio.mp4", "pcm-f32be.mp4", "eac3-5.1.ts")
FILMS = [
    path
    for path in corpus_files(".mp4", ".webm", ".ts", ".avi", ".mkv")
    if path.name not in SOUND_IN_A_FILM
]
# 200 kB of garbage before its first frame: no kind of file can be told from that.
REFUSED = ("garbage-prefix.mp3", "jfk.txt", "MANIFEST.tsv")
SOUNDS = [
    *(p for p in corpus_files(".mp3", ".m4a", ".wav", ".flac") if p.name not in REFUSED),
    *(p for p in corpus_files(".mp4", ".ts") if p.name in SOUND_IN_A_FILM),
]
HDR = ("arib-std-b67", "smpte2084")
HERTZ = 8000
SIZE = "160:90"


def shown(path: Path, until: float) -> list[float]:
    """Times of the pictures up to `until` seconds behind the first, on the file's clock."""
    times: list[float] = []
    with av.open(f"file:{path}") as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            assert frame.time is not None
            times.append(frame.time)
            if frame.time > times[0] + until:
                break
    return times


def heard(path: Path, until: float) -> tuple[float, array[float]]:
    """When the sound begins, on the file's clock, and `until` seconds of it: mono at 8 kHz."""
    begin = end = None
    samples = array("f")
    resampler = av.AudioResampler(format="flt", layout="mono", rate=HERTZ)
    with av.open(f"file:{path}") as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            begin = frame.time if begin is None else begin
            if end is not None and frame.time > end + 0.01:  # a hole that a player keeps silent
                samples.extend([0.0] * round((frame.time - end) * HERTZ))
            end = frame.time + frame.samples / frame.sample_rate
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: piece.samples * 4])
            if len(samples) > until * HERTZ:
                break
    assert begin is not None
    return begin, samples


def delay(before: tuple[float, array[float]], after: tuple[float, array[float]]) -> float:
    """By how many seconds the sound lies later, looked for within 40 ms; 0 for silence.

    Each is where the sound begins, in seconds on one clock, and its samples. Compared is the
    loudest half of a second, or less where there is less; of equal places the nearest counts.
    """
    reach = HERTZ // 25
    begin = max(before[0], after[0]) + reach / HERTZ
    first, second = (round((begin - start) * HERTZ) for start, _ in (before, after))
    room = min(len(before[1]) - first, len(after[1]) - second) - reach
    length = min(HERTZ // 2, room)
    assert length > HERTZ // 10

    def energy(samples: array[float], start: int) -> float:
        return sqrt(sum(x * x for x in samples[start : start + length]))

    places = range(0, room - length + 1, HERTZ // 8)
    best = max(places, key=lambda place: energy(before[1], first + place))
    piece = before[1][first + best : first + best + length]
    if energy(piece, 0) / sqrt(length) < 1e-3:  # -60 dBFS: AAC keeps no shape of that
        return 0.0

    def alike(lag: int) -> float:
        start = second + best + lag
        other = after[1][start : start + length]
        product = sum(x * y for x, y in zip(piece, other, strict=True))
        return product / (energy(after[1], start) or 1.0)

    found = {lag: alike(lag) for lag in range(-reach, reach + 1)}
    equal = [lag for lag, value in found.items() if value >= 0.99 * max(found.values())]
    return min(equal, key=abs) / HERTZ


def likeness_db(source: Path, made: Path, facts: VideoFacts, folder: Path) -> tuple[float, ...]:
    """Worst PSNR of any frame in R, G and B, both as a player that obeys the tags shows them."""
    matrix = facts.color_space
    if matrix in (None, "unknown"):
        matrix = "bt709" if max(facts.width, facts.height) >= 1280 else "smpte170m"
    scaled = f"scale={SIZE}:flags=area+accurate_rnd+full_chroma_int+full_chroma_inp"
    # Both carry the same tags, or the filters would convert one to the other's.
    same = "format=gbrp,setparams=colorspace=gbr:range=pc:color_primaries=bt709:color_trc=bt709"
    log = folder / "psnr"
    run(
        *("-i", source, "-i", made, "-lavfi"),
        f"[0:v:0]{scaled}:in_color_matrix={matrix},{same},settb=1/1000,setpts=N[a];"
        f"[1:v:0]{scaled},{same},settb=1/1000,setpts=N[b];"
        f"[b][a]psnr=stats_file={log}:eof_action=endall",
        *("-f", "null", "-"),
    )
    lines = [dict(f.split(":") for f in line.split()) for line in log.read_text().splitlines()]
    return tuple(min(float(line[f"psnr_{colour}"]) for line in lines) for colour in "rgb")


def assert_shown_upright(made: Made) -> None:
    """Of 480 lines at most, square pixels, and of the form in which a player shows the source."""
    before, after = made.source.video[0], made.facts.video[0]
    wide: Fraction | int = before.width * before.sample_aspect
    high: Fraction | int = before.height
    if before.rotation in (90, 270):
        wide, high = high, wide
    assert after.rotation == 0
    assert after.sample_aspect == Fraction(1)
    assert min(after.width, after.height) == min(480, high, wide)
    assert abs(after.width - after.height * wide / high) <= 2


@pytest.mark.parametrize("source", FILMS, ids=lambda path: path.name)
async def test_a_film_becomes_right(source: Path, tmp_path: Path) -> None:
    made = await transcode(source, tmp_path / "out.mp4", end=CLIP_S, **WEB)
    before, after = shown(source, CLIP_S + 1), shown(made.path, CLIP_S + 1)
    origin, sound = before[0], None
    if made.source.audio:
        sound = heard(source, CLIP_S)
        origin = min(origin, sound[0])
    wanted = [time - origin for time in before if time - origin < CLIP_S]
    assert after == pytest.approx(wanted, abs=0.001)
    longest_frame = max(b - a for a, b in pairwise(before))
    length = min(CLIP_S, made.source.duration_s)
    assert made.facts.duration_s == pytest.approx(length, abs=longest_frame)
    if sound is not None:
        assert abs(delay((sound[0] - origin, sound[1]), heard(made.path, CLIP_S))) <= 0.005
    assert_shown_upright(made)
    if made.source.video[0].color_transfer in HDR:  # its tones are test_colour.py's
        assert made.facts.video[0].color_transfer == "bt709"
    else:
        assert min(likeness_db(source, made.path, made.source.video[0], tmp_path)) > 33


@pytest.mark.parametrize("source", SOUNDS, ids=lambda path: path.name)
async def test_sound_becomes_right(source: Path, tmp_path: Path) -> None:
    made = await transcode(source, tmp_path / "out.m4a", preset="audio-aac")
    assert not made.facts.video
    assert made.facts.audio[0].codec == "aac"
    before, after = heard(source, 3600), heard(made.path, 3600)
    frame_s = 1024 / made.facts.audio[0].sample_rate
    assert len(after[1]) / HERTZ == pytest.approx(len(before[1]) / HERTZ, abs=frame_s + 0.005)
    assert made.facts.duration_s == pytest.approx(len(before[1]) / HERTZ, abs=frame_s + 0.005)
    assert abs(delay((0.0, before[1]), after)) <= 0.005


@pytest.mark.parametrize("name", SOUND_IN_A_FILM)
async def test_a_film_without_picture_is_refused_in_words(
    name: str, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputUnsupported, match=r"no picture; .* use `--video none`"):
        await transcode(corpus / name, tmp_path / "out.mp4", **WEB)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_media_is_refused_in_words(
    name: str, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputUnsupported, match=rf"{re.escape(name)} is not a media file of a kind"):
        await transcode(corpus / name, tmp_path / "out.mp4", **WEB)


def test_no_file_is_forgotten(corpus: Path) -> None:
    tested = {path.name for path in (*FILMS, *SOUNDS)} | {*REFUSED}
    assert tested == {path.name for path in corpus.iterdir() if path.is_file()}
