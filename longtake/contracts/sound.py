"""What each encoder of the sound takes. Data only; commands are in `media/sound/encoders.py`."""

from __future__ import annotations

from dataclasses import dataclass

PLAYED_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""What players are sure to play."""
_LOW_RATES = (8_000, 11_025, 12_000)


@dataclass(frozen=True)
class Sound:
    """An encoder's options."""

    bitrate_bps: int | None
    """For stereo, when nobody says more; None for a codec that keeps every sample."""
    most_bps: int | None
    """What its encoder makes at most, of however many channels."""
    rates: tuple[int, ...] | None
    """Sample rates in Hz; None: any."""
    most_channels: int
    channels: int
    """How many are kept when nobody says more."""

    @property
    def lossy(self) -> bool:
        """Whether what comes out is not what went in, sample by sample."""
        return self.bitrate_bps is not None


SOUNDS: dict[str, Sound] = {
    "aac": Sound(128_000, 2_304_000, (*PLAYED_RATES, *_LOW_RATES, 64_000, 88_200, 96_000), 8, 2),
    "opus": Sound(96_000, 510_000, (48_000,), 8, 2),
    "mp3": Sound(160_000, 320_000, (*PLAYED_RATES, *_LOW_RATES), 2, 2),
    "ac3": Sound(384_000, 640_000, (32_000, 44_100, 48_000), 6, 6),
    "flac": Sound(None, None, None, 8, 8),
    "pcm": Sound(None, None, None, 8, 8),
}
"""By the codec's name in a job."""


def why_wrong_rate(codec: str, bitrate_bps: int) -> str | None:
    """Why `codec` is not encoded at that bit rate; or None."""
    most = SOUNDS[codec].most_bps
    if most is None:
        return f"{codec} keeps every sample and has no bit rate: leave bitrate_bps out"
    if bitrate_bps > most:
        return f"{codec} has at most {most:,} bit/s, not {bitrate_bps:,}"
    return None


def why_wrong_sound(
    codec: str,
    bitrate_bps: int | None,
    bit_depth: int | None,
    channels: int,
    sample_rate: int | None,
) -> str | None:
    """The first option that `codec` does not take, in words that say what it takes; or None."""
    sound = SOUNDS[codec]
    if bitrate_bps is not None and (why := why_wrong_rate(codec, bitrate_bps)):
        return why
    if bit_depth is not None and sound.bitrate_bps is not None:
        return f"bit_depth is for flac and pcm; {codec} has none: leave it out"
    if channels > sound.most_channels:
        return f"{codec} has at most {sound.most_channels} channels, not {channels}"
    if sample_rate is not None and sound.rates is not None and sample_rate not in sound.rates:
        known = ", ".join(str(rate) for rate in sorted(sound.rates))
        return f"sample_rate of {codec} is one of {known}, not {sample_rate}"
    return None
