"""Every form that sound comes in is brought to its level in that form: rates, layouts, depths."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.engine import run
from tests.media.meter import independent_lufs
from tests.media.meter import loudness as measured
from tests.media.test_normalize import normalize

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 6: "5.1", 8: "7.1"}
FORMS = [
    ("wav", "pcm_u8", 8_000, 1),
    ("wav", "pcm_s16le", 11_025, 2),
    ("wav", "pcm_s16le", 48_000, 6),
    ("wav", "pcm_s24le", 44_100, 8),
    ("wav", "pcm_s32le", 96_000, 2),
    ("wav", "pcm_f32le", 22_050, 1),
    ("wav", "pcm_f32le", 192_000, 6),
    ("wav", "pcm_f64le", 48_000, 2),
    ("mov", "pcm_s16be", 48_000, 2),
    ("flac", "flac", 8_000, 2),
    ("flac", "flac", 192_000, 3),
    ("mp3", "libmp3lame", 8_000, 1),
    ("mp3", "libmp3lame", 22_050, 2),
    ("m4a", "aac", 32_000, 6),
    ("m4a", "aac", 96_000, 1),
    ("opus", "libopus", 48_000, 6),
    ("mkv", "ac3", 48_000, 6),
]


def sound(folder: Path, suffix: str, codec: str, rate: int, channels: int) -> Path:
    """Three seconds of words of noise, another in each channel, with peaks far above them."""
    source = folder / f"in.{suffix}"
    words = "|".join(
        f"0.06*(0.3+abs(sin({3 + n}*t)))*(2*random({n})-1)+0.7*lt(mod(t+{n / 7:.3f},0.6),0.003)"
        for n in range(channels)
    )
    made = f"aevalsrc='{words}':s={rate}:d=3:c={LAYOUTS[channels]}"
    run("-f", "lavfi", "-i", made, "-c:a", codec, source)
    return source


@pytest.mark.parametrize(("suffix", "codec", "rate", "channels"), FORMS)
async def test_a_form_is_kept_and_lands(
    suffix: str, codec: str, rate: int, channels: int, tmp_path: Path
) -> None:
    source = sound(tmp_path, suffix, codec, rate, channels)
    made = await normalize(source, tmp_path / f"out.{suffix}", target="streaming")
    (own,), (track,) = made.source.audio, made.facts.audio
    assert track.codec.partition("_")[0] == own.codec.partition("_")[0]
    assert (track.sample_rate, track.channels) == (rate, channels)
    assert track.layout in (own.layout, LAYOUTS[channels])  # a WAV may leave its layout open
    assert made.result.warnings == ()
    decoded = tmp_path / "decoded.wav"
    run("-i", made.path, "-c:a", "pcm_f64le", decoded)
    found = await measured(decoded, rate)
    assert found.integrated_lufs == pytest.approx(-14, abs=0.1)
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= -1
    if channels in (1, 2, 6):  # the independent meter knows no other layouts
        other = independent_lufs(decoded, tmp_path, rate, channels)
        assert other == pytest.approx(-14, abs=0.1)
