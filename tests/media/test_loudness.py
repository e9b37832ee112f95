"""The meter: EBU Tech 3341 and 3342's own signals, an independent meter, and what has no level.

Of Tech 3341's 23 signals those that a description gives are made here: all but 7 and 8. These two,
and 5 and 6 of Tech 3342, are recordings of programmes that EBU hands out as files: they cannot be
made, and their place is taken by the recordings of the corpus, on which an independent meter
agrees.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from media.probing.in_child import inspect_in_child
from media.sound.loudness import integrated, loudness_range
from tests.conftest import corpus_files
from tests.media.engine import run
from tests.media.meter import independent_lufs, loudness, windows

REFUSED = "garbage-prefix.mp3"
"""Its first bytes are of no format."""
SOUNDS = [
    path
    for path in corpus_files(".mp3", ".wav", ".flac", ".m4a", ".ogg", ".opus")
    if path.name != REFUSED
]


def tones(path: Path, *parts: tuple[float, float], rate: int = 48_000) -> Path:
    """A stereo sine of 1 kHz: peak level in dBFS and seconds of each part."""
    edges = np.rint(np.cumsum([0.0, *(seconds for _, seconds in parts)]) * rate).astype(int)
    levels = np.repeat([10 ** (level / 20) for level, _ in parts], np.diff(edges))
    tone = levels * np.sin(2 * np.pi * 1000 * np.arange(edges[-1]) / rate)
    raw = path.with_suffix(".f32")
    np.stack([tone, tone], axis=1).astype("<f4").tofile(raw)
    run("-f", "f32le", "-ar", rate, "-ch_layout", "stereo", "-i", raw, "-c:a", "pcm_f32le", path)
    raw.unlink()
    return path


@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
    ids=["1", "2", "3", "4", "5"],
)
async def test_tech_3341_integrated_loudness(
    parts: list[tuple[float, float]], lufs: float, tmp_path: Path
) -> None:
    found = await loudness(tones(tmp_path / "tones.wav", *parts))
    assert found.integrated_lufs == pytest.approx(lufs, abs=0.1)
    if len(parts) == 1:
        assert found.momentary_max_lufs == pytest.approx(lufs, abs=0.1)
        assert found.short_term_max_lufs == pytest.approx(lufs, abs=0.1)


async def test_tech_3341_surround(tmp_path: Path) -> None:
    """Case 6: the surrounds weigh 1.41, the LFE nothing."""
    levels = [10 ** (db / 20) for db in (-28, -28, -24, 0, -30, -30)]
    channels = "|".join(f"{level:.9f}*sin(2*PI*1000*t)" for level in levels)
    source = f"aevalsrc='{channels}':s=48000:d=20:c=5.1"
    run("-f", "lavfi", "-i", source, "-c:a", "pcm_f32le", tmp_path / "surround.wav")
    found = await loudness(tmp_path / "surround.wav")
    assert found.integrated_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "degrees", "peak", "dbtp"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3)],
    ids=["15", "16", "17", "18", "19"],
)
async def test_tech_3341_true_peak(
    divisor: int, degrees: float, peak: float, dbtp: float, tmp_path: Path
) -> None:
    """Peaks between samples are found, within +0.2 and -0.4 dB."""
    tone = f"{peak}*sin(2*PI*{48_000 // divisor}*t+{degrees}*PI/180)"
    fade = "min(1,min(t/0.1,(1-t)/0.1))"
    source = f"aevalsrc='({fade})*{tone}':s=48000:d=1"
    run("-f", "lavfi", "-i", source, "-c:a", "pcm_f32le", tmp_path / "peak.wav")
    found = await loudness(tmp_path / "peak.wav")
    assert found.true_peak_dbtp is not None
    assert dbtp - 0.4 <= found.true_peak_dbtp <= dbtp + 0.2


@pytest.mark.parametrize("offset", [0, 1, 2, 3], ids=["20", "21", "22", "23"])
async def test_tech_3341_true_peak_wherever_it_falls(offset: int, tmp_path: Path) -> None:
    """A tone of 0.5 that swells to full scale between the samples: made at 192 kHz, of which
    every fourth sample is taken, from each of the four on."""
    tone = "(0.5+0.5*exp(-pow((n-96000)/600,2)))*cos(2*PI*(n-96000)/24)"
    source = f"aevalsrc='{tone.replace('n-', f'4*n+{offset}-')}':s=48000:d=1"
    run("-f", "lavfi", "-i", source, "-c:a", "pcm_f32le", tmp_path / "peak.wav")
    found = await loudness(tmp_path / "peak.wav")
    assert found.true_peak_dbtp is not None
    assert -0.4 <= found.true_peak_dbtp <= 0.2


async def test_tech_3341_short_term_is_constant(tmp_path: Path) -> None:
    """Case 9: every window of 3 s holds as much of the loud part as of the soft one."""
    parts = [(-20, 1.34), (-30, 1.66)] * 5
    found = await windows(tones(tmp_path / "tones.wav", *parts))
    assert [round(value, 1) for value in found.short_term] == pytest.approx(
        [-23.0] * len(found.short_term), abs=0.1
    )


async def test_tech_3341_momentary_is_constant(tmp_path: Path) -> None:
    """Case 12, from one second on."""
    parts = [(-20, 0.18), (-30, 0.22)] * 25
    found = await windows(tones(tmp_path / "tones.wav", *parts))
    assert len(found.momentary) > 90
    assert min(found.momentary[6:]) >= -23.1
    assert max(found.momentary[6:]) <= -22.9


@pytest.mark.parametrize("number", [1, 2, 7, 20])
async def test_tech_3341_loudest_short_term(number: int, tmp_path: Path) -> None:
    """Case 10: wherever the three seconds begin."""
    parts = [(-200, 0.15 * number), (-23, 3), (-200, 1)]
    found = await loudness(tones(tmp_path / "tones.wav", *parts))
    assert found.short_term_max_lufs == pytest.approx(-23, abs=0.1)


async def test_tech_3341_successive_loudest_short_terms(tmp_path: Path) -> None:
    """Case 11: each tone of 3 s is 1 dB louder than the one before, and begins 0.15 s later."""
    parts = []
    for number in range(20):
        late = 0.15 * number
        parts += [(-200, late), (-38 + number, 3), (-200, 3 - late)]
    found = await windows(tones(tmp_path / "tones.wav", *parts))
    # The first full window of 3 s ends 3 s after the start; one begins every 0.1 s.
    so_far = [max(found.short_term[: 60 * (number + 1) - 30 + 1]) for number in range(20)]
    assert so_far == pytest.approx([float(level) for level in range(-38, -18)], abs=0.1)


async def test_tech_3341_successive_loudest_momentaries(tmp_path: Path) -> None:
    """Case 14: the same in bursts of 0.4 s, each 0.02 s later. What is loudest up to each burst, as
    a meter is read that runs along."""
    parts: list[tuple[float, float]] = []
    so_far = []
    for number in range(20):
        late = 0.02 * number
        parts += [(-200, late), (-38 + number, 0.4), (-200, 0.4 - late)]
        found = await loudness(tones(tmp_path / "tones.wav", *parts))
        so_far.append(found.momentary_max_lufs)
    assert so_far == pytest.approx([float(level) for level in range(-38, -18)], abs=0.1)


@pytest.mark.parametrize("number", range(20))
async def test_tech_3341_loudest_momentary(number: int, tmp_path: Path) -> None:
    """Case 13: wherever the burst begins."""
    parts = [(-200, 0.02 * number), (-23, 0.4), (-200, 1)]
    found = await loudness(tones(tmp_path / "tones.wav", *parts))
    assert found.momentary_max_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "lra"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],
    ids=["1", "2", "3", "4"],
)
async def test_tech_3342_loudness_range(
    levels: tuple[float, ...], lra: float, tmp_path: Path
) -> None:
    found = await loudness(tones(tmp_path / "tones.wav", *((level, 20) for level in levels)))
    assert found.range_lu == pytest.approx(lra, abs=1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000, 192_000])
async def test_every_rate_measures_alike(rate: int, tmp_path: Path) -> None:
    found = await loudness(tones(tmp_path / "tones.wav", (-23, 2), rate=rate), rate)
    assert found.integrated_lufs == pytest.approx(-23, abs=0.1)
    # A tone that sets in at once swings over by some tenths, where the band is narrow.
    assert found.true_peak_dbtp == pytest.approx(-23, abs=0.3)


@pytest.mark.skipif(not SOUNDS, reason="no media corpus beside the checkout")
@pytest.mark.parametrize("path", SOUNDS, ids=lambda path: path.name)
async def test_an_independent_meter_agrees(path: Path, tmp_path: Path) -> None:
    facts, _ = await inspect_in_child(path)
    track = facts.audio[0]
    copy = tmp_path / path.name
    shutil.copyfile(path, copy)
    found = await loudness(copy, track.sample_rate)
    if track.duration_s < 0.4:
        assert found.integrated_lufs is None
        return
    other = independent_lufs(copy, tmp_path, track.sample_rate, track.channels)
    assert found.integrated_lufs == pytest.approx(other, abs=0.02)


async def test_what_has_no_loudness_says_so(tmp_path: Path) -> None:
    silent, short = tmp_path / "silent.wav", tmp_path / "short.wav"
    run("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=2", silent)
    found = await loudness(silent)
    assert set(found.model_dump().values()) == {None}
    found = await loudness(tones(short, (-20, 0.39)))
    assert found.integrated_lufs is None
    assert found.sample_peak_dbfs == pytest.approx(-20, abs=0.1)
    found = await loudness(tones(tmp_path / "enough.wav", (-20, 0.41)))
    assert found.integrated_lufs == pytest.approx(-20, abs=0.1)


def test_gates_leave_out_what_is_quiet() -> None:
    assert integrated([]) is None
    assert integrated([-80.0] * 10) is None
    assert integrated([-20.0] * 10 + [-45.0] * 90) == pytest.approx(-20, abs=0.001)
    assert integrated([-20.0] * 10 + [-80.0] * 900) == pytest.approx(-20)
    assert loudness_range([-20.0] * 50 + [-26.0] * 50 + [-50.0] * 50) == pytest.approx(6)
