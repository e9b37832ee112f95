"""Encoders of the sound: their options, and the file each writes a finished track to.

The carrier is the one from which a copy keeps the track's beginning and length (measured: the
end of Opus is kept from Ogg and not from MP4, AAC's priming from M4A, MP3's beginning from
Matroska).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtake.contracts.sound import PLAYED_RATES, SOUNDS

if TYPE_CHECKING:
    from media.transcode.plan import AudioPlan

Arguments = tuple[str, ...]


@dataclass(frozen=True)
class SoundEncoder:
    """An encoder of the sound."""

    arguments: Callable[[AudioPlan], Arguments]
    muxer: str
    demuxer: str
    takes_db: Callable[[AudioPlan], float] = lambda _: 0.0
    """By how much the encoder lowers the level, by itself."""


def _lossy(library: str) -> Callable[[AudioPlan], Arguments]:
    return lambda audio: ("-c:a", library, "-b:a", str(audio.settings.bitrate_bps))


def _flac(audio: AudioPlan) -> Arguments:
    # 24 bits travel in samples of 32.
    sample = "s16" if audio.bits == 16 else "s32"
    # Left out, the block is as long as the first decoded frame: ten samples, and it fails.
    block = ("-frame_size", "4096")
    return ("-c:a", "flac", "-compression_level", "8", *block, "-sample_fmt", sample)


def _pcm(audio: AudioPlan) -> Arguments:
    return ("-c:a", f"pcm_s{audio.bits}le")


_LAME_SCALES = {160: 0.95, 192: 0.97, 224: 0.98, 256: 1.0}
"""LAME multiplies samples against clipping, by the nearest of these bit rates in kbit/s (LAME
3.100, `abr_switch_map` in presets.c); measured: 0.44 LU less at 128 kbit/s, 0 at 256."""


_LAME_MOST_BELOW_32K = 160
"""In kbit/s (ISO/IEC 13818-3): LAME encodes at that rate, whatever is asked for, and scales so."""


def _lame_takes(audio: AudioPlan) -> float:
    asked = (audio.settings.bitrate_bps or 0) / 1000
    if audio.sample_rate < 32_000:
        asked = min(asked, _LAME_MOST_BELOW_32K)
    return -20 * math.log10(_LAME_SCALES[min(_LAME_SCALES, key=lambda rate: abs(rate - asked))])


_AAC_TAKES_DB = 0.045
"""What FFmpeg's AAC leaves out of stereo at 64 to 96 kbit/s a channel, about the mean (0.00 to 0.12
LU on eleven recordings and films of the corpus). Of mono at these rates it is a fifth of that."""


def _aac_takes(audio: AudioPlan) -> float:
    return _AAC_TAKES_DB if audio.channels > 1 else 0.0


def said_to_be_lame() -> Arguments:
    """For FFmpeg's muxer of MP3: who encoded the track, in the header behind `Xing` or `Info`.

    Left to itself it writes `Lavf`, and readers that look for LAME's name, as mutagen does, do not
    believe the delay and padding told there: the file is 45 ms too long for them.
    """
    return ("-metadata:s:a:0", "encoder=LAME3.100")


def given_back(audio: AudioPlan) -> tuple[str, ...]:
    """The filter that raises a levelled sound by what its encoder takes, if it takes anything."""
    takes_db = ENCODERS[audio.settings.codec].takes_db(audio)
    return (f"volume={takes_db:.4f}dB:precision=double",) if takes_db else ()


_DITHERED = "aresample=osf=s16:dither_method=triangular"


def dither(audio: AudioPlan) -> tuple[str, ...]:
    """The filter that rounds finer samples to 16 bits, if that is what the track has.

    Noise of triangular distribution, two steps wide, is added before: then the error is noise,
    however soft the sound, and no distortion of it (Lipshitz, Wannamaker and Vanderkooy,
    "Quantization and Dither: A Theoretical Survey", JAES 40/5, 1992). FFmpeg's is the same in
    every run.
    """
    return (_DITHERED,) if audio.bits == 16 and not SOUNDS[audio.settings.codec].lossy else ()


ENCODERS: dict[str, SoundEncoder] = {
    "aac": SoundEncoder(_lossy("aac"), "ipod", "mov", _aac_takes),
    "opus": SoundEncoder(_lossy("libopus"), "ogg", "ogg"),
    "mp3": SoundEncoder(_lossy("libmp3lame"), "matroska", "matroska", _lame_takes),
    "ac3": SoundEncoder(_lossy("ac3"), "matroska", "matroska"),
    "flac": SoundEncoder(_flac, "flac", "flac"),
    "pcm": SoundEncoder(_pcm, "wav", "wav"),
}
"""By the codec's name in a job."""

_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")


def rate_of(codec: str, source_hz: int, asked_hz: int | None) -> int:
    """The sample rate in Hz: the asked one, else the source's where codec and players take it."""
    if asked_hz is not None:
        return asked_hz
    rates = SOUNDS[codec].rates
    if rates is None or (source_hz in rates and source_hz in PLAYED_RATES):
        return source_hz
    return 48_000


def layout_filters(audio: AudioPlan) -> tuple[str, ...]:
    """Filters behind `aresample` that give the track its channels.

    Fewer channels are mixed by `aresample` with the coefficients of ITU-R BS.775-4 (annex 4)
    and ATSC A/52 (7.8.2): centre and surrounds at -3 dB into their sides, no LFE.
    """
    if audio.settings.take_side is not None:
        channel = {"left": "c0", "right": "c1"}[audio.settings.take_side]
        sides = (
            ("mono", f"c0={channel}")
            if audio.channels == 1
            else ("stereo", f"c0={channel}", f"c1={channel}")
        )
        return (f"aformat=channel_layouts={audio.source_layout}", f"pan={'|'.join(sides)}")
    keeps = audio.channels == audio.source_channels
    if keeps and SOUNDS[audio.settings.codec].bitrate_bps is None:
        return ()
    return (f"aformat=channel_layouts={_LAYOUTS[audio.channels - 1]}",)
