"""What is rounded to 16 bits is dithered; what is not touched keeps every bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.local import sha256_of
from tests.media.engine import run, transcode
from tests.media.meter import independent_lufs
from tests.media.programme import stitch
from tests.media.test_normalize import normalize

RATE = 48_000
STEP = 2.0**-15
"""Of 16 bits, where full scale is 1."""


def sound(path: Path, wave: Any, bits: int = 24) -> Path:
    """A mono file of samples that are whole numbers of so many bits."""
    raw = path.with_suffix(".s32")
    rounded = np.rint(wave * 2 ** (bits - 1)).astype("<i4")
    (rounded << (32 - bits)).astype("<i4").tofile(raw)
    codec = ("-c:a", f"pcm_s{bits}le") if path.suffix == ".wav" else ("-c:a", "flac")
    kind = ("-sample_fmt", "s16" if bits == 16 else "s32") if path.suffix == ".flac" else ()
    run("-f", "s32le", "-ar", RATE, "-ch_layout", "mono", "-i", raw, *codec, *kind, path)
    return path


def heard(path: Path) -> Any:
    """The first channel's samples; full scale is 1."""
    raw = path.with_suffix(".f64")
    run("-i", path, "-af", "pan=mono|c0=c0", "-c:a", "pcm_f64le", "-f", "f64le", raw)
    return np.fromfile(raw)


def sine(hertz: float, level: float, seconds: float = 4) -> Any:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def spectrum(wave: Any) -> Any:
    """Amplitude of each whole number of hertz, of whole seconds."""
    return 2 * np.abs(np.fft.rfft(wave).reshape(-1))[:: len(wave) // RATE] / len(wave)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
async def test_a_tone_softer_than_a_step_stays_a_tone(suffix: str, tmp_path: Path) -> None:
    """Rounded alone, it would be gone: it never reaches half a step."""
    source = sound(tmp_path / "soft.flac", sine(1000, 0.45 * STEP))
    made = await transcode(source, tmp_path / f"out{suffix}", audio={"bit_depth": 16})
    assert made.facts.audio[0].bits == 16
    found = spectrum(heard(made.path))
    assert found[1000] == pytest.approx(0.45 * STEP, rel=0.05)
    assert max(found[2000], found[3000], found[5000]) < 0.02 * STEP, "no distortion"


async def test_a_levelled_sound_has_noise_for_error_and_keeps_its_level(tmp_path: Path) -> None:
    wave = sine(997, 0.02) * np.repeat(np.linspace(0.2, 1, 40), RATE // 10)
    source = sound(tmp_path / "in.wav", wave, bits=16)
    made = await normalize(source, tmp_path / "out.wav", loudness_lufs=-30)
    assert made.facts.audio[0].bits == 16
    gain = 10 ** (made.result.best.stage.gain_db / 20)
    error = heard(made.path) - gain * heard(source)
    # Two even distributions of a step, and the rounding: a quarter of a step squared.
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.5 * STEP, rel=0.03)
    assert max(spectrum(error)[997 * np.arange(1, 8)]) < 0.02 * STEP, "no distortion"
    assert made.result.rounds == 1
    assert independent_lufs(made.path, tmp_path, RATE, 1) == pytest.approx(-30, abs=0.02)
    again = await normalize(source, tmp_path / "again.wav", loudness_lufs=-30)
    assert sha256_of(again.path) == sha256_of(made.path), "the noise is the same in every run"


async def test_a_programme_is_dithered_where_it_has_16_bits(tmp_path: Path) -> None:
    parts = [{"source": str(sound(tmp_path / "in.wav", sine(997, 0.02), bits=24))}]
    outputs = [
        {"uri": str(tmp_path / "16.wav")},
        {"uri": str(tmp_path / "16.flac"), "bit_depth": 16},
        {"uri": str(tmp_path / "24.wav"), "bit_depth": 24},
    ]
    await stitch(tmp_path, timeline=parts, outputs=outputs)
    fine = heard(tmp_path / "24.wav")
    for name in ("16.wav", "16.flac"):
        error = heard(tmp_path / name) - fine
        assert np.sqrt(np.mean(error**2)) == pytest.approx(0.5 * STEP, rel=0.05)


@pytest.mark.parametrize("bits", [16, 24])
async def test_what_is_not_touched_keeps_every_bit(bits: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, RATE // 3)
    source = sound(tmp_path / "in.wav", noise, bits=bits)
    for name, job in (("copy.flac", transcode), ("left alone.flac", normalize)):
        made = await job(source, tmp_path / name)
        assert made.facts.audio[0].bits == bits
        assert np.array_equal(heard(made.path), heard(source))


async def test_silence_stays_digital_silence(tmp_path: Path) -> None:
    source = sound(tmp_path / "silent.wav", np.zeros(RATE), bits=16)
    await normalize(source, tmp_path / "out.wav")
    outputs = [{"uri": str(tmp_path / "show.wav")}]
    await stitch(tmp_path, timeline=[{"source": str(source)}], outputs=outputs)
    for name in ("out.wav", "show.wav"):
        assert not heard(tmp_path / name).any()
