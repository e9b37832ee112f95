"""What each encoder of the picture takes: its scale of quality, its speeds, its limits.

Data only, so that a client can check a job without the engine. The commands are in
`media/encoders`.
"""

from __future__ import annotations

from dataclasses import dataclass

X26X_SPEEDS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
H264_PROFILES = ("baseline", "main", "high")
PRORES_PROFILES = ("proxy", "lt", "standard", "hq", "4444", "4444xq")


@dataclass(frozen=True)
class Encoding:
    """An encoder's options."""

    crf: tuple[int, int, int] | None = None
    """Finest, coarsest and usual value; None for a codec without constant quality."""
    whole_crf: bool = False
    """Whether crf must be a whole number."""
    lossless: bool = False
    """Whether crf 0 means lossless."""
    speeds: tuple[str, ...] = ()
    """Slowest last where they are names, slowest first where they are numbers."""
    speed: str | None = None
    profiles: tuple[str, ...] = ()
    profile: str | None = None
    rate: bool = False
    """Whether it aims at a bit rate."""
    cap: bool = False
    """Whether it keeps below one."""
    pixel_formats: tuple[str, ...] = ("yuv420p", "yuv420p10", "source")
    """What may be asked for; the first is the default."""
    ten_bits_for_hdr: bool = False
    """Whether HDR stays HDR where no pixel format is asked for: its main profile has 10 bits."""
    gpu: str | None = None
    """FFmpeg's name of the hardware encoder."""


def _numbers(last: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(last + 1))


ENCODINGS: dict[str, Encoding] = {
    "h264": Encoding(
        crf=(0, 51, 23),
        lossless=True,
        speeds=X26X_SPEEDS,
        speed="medium",
        profiles=H264_PROFILES,
        rate=True,
        cap=True,
        gpu="h264_nvenc",
    ),
    "hevc": Encoding(
        crf=(0, 51, 26),
        lossless=True,
        speeds=X26X_SPEEDS,
        speed="medium",
        rate=True,
        cap=True,
        ten_bits_for_hdr=True,
        gpu="hevc_nvenc",
    ),
    "av1": Encoding(
        crf=(1, 63, 30),
        whole_crf=True,
        speeds=_numbers(13),
        speed="8",
        rate=True,
        cap=True,
        ten_bits_for_hdr=True,
        gpu="av1_nvenc",
    ),
    # Its bound is an average that single scenes exceed twofold (measured), so it has none here.
    "vp9": Encoding(
        crf=(0, 63, 31), whole_crf=True, lossless=True, speeds=_numbers(8), speed="2", rate=True
    ),
    # The profile sets quality and pixel format.
    "prores": Encoding(profiles=PRORES_PROFILES, profile="hq", pixel_formats=("source",)),
    "ffv1": Encoding(pixel_formats=("source", "yuv420p", "yuv420p10")),
    # 8 bits in RGB or its like, with alpha where the source has it.
    "gif": Encoding(pixel_formats=("yuv420p",)),
    "webp": Encoding(pixel_formats=("yuv420p",)),
}
"""By the codec's name in a job."""


def why_no_gpu(
    codec: str, *, crf: float | None, rate: bool, quality: bool, pixel_format: str
) -> str | None:
    """What a GPU here cannot do of these settings, in words; None where it can, or where
    nothing is encoded."""
    encoding = ENCODINGS.get(codec)
    if encoding is None:
        return None
    if encoding.gpu is None:
        others = ", ".join(name for name, known in ENCODINGS.items() if known.gpu)
        return f"GPUs here do not encode {codec}, only {others}"
    if rate:
        return "GPUs here aim at a quality (crf), not at a bit rate"
    if quality:
        return "GPUs here are not searched for a target quality: give a crf"
    if crf == 0 and encoding.lossless:
        return "GPUs here encode nothing lossless: crf 0 is for CPUs"
    if pixel_format == "source":
        return "GPUs here encode yuv420p and yuv420p10, and not every source's pixel format"
    if codec == "h264" and pixel_format == "yuv420p10":
        return "GPUs here encode h264 with 8 bits only"
    return None


def why_wrong(
    codec: str,
    *,
    crf: float | None,
    speed: str | None,
    profile: str | None,
    pixel_format: str | None,
    rate: bool,
    cap: bool,
) -> str | None:
    """The first option that `codec` does not take, in words that say what it takes; or None."""
    encoding = ENCODINGS[codec]
    if crf is not None and encoding.crf is None:
        return f"{codec} has no crf: {_instead(codec)}"
    if crf is not None and encoding.crf is not None:
        finest, coarsest, usual = encoding.crf
        if not finest <= crf <= coarsest:
            return (
                f"crf of {codec} goes from {finest} (finest) to {coarsest}, {usual} is usual; "
                f"{crf} is outside"
            )
        if encoding.whole_crf and crf != int(crf):
            return f"crf of {codec} is a whole number, and {crf} is none"
    if speed is not None and speed not in encoding.speeds:
        return f"speed {speed!r} is none of {codec}'s: {_speeds(codec)}"
    if profile is not None and profile not in encoding.profiles:
        known = ", ".join(encoding.profiles)
        return f"profile {profile!r} is none of {codec}'s: {known or 'leave it out'}"
    if pixel_format is not None and pixel_format not in encoding.pixel_formats:
        return f"pixel_format is not to be chosen for {codec}: {_instead(codec)}"
    if codec == "h264" and profile is not None and crf == 0:
        return f"profile {profile} of h264 cannot be lossless (crf 0): leave profile out"
    if codec == "h264" and profile is not None and pixel_format not in (None, "yuv420p"):
        return (
            f"profile {profile} of h264 holds 8 bits in 4:2:0, and pixel_format {pixel_format} "
            "may need more: leave one of them out"
        )
    if rate and not encoding.rate:
        return f"{codec} does not aim at a bit rate: {_instead(codec)}"
    if cap and not encoding.cap:
        instead = "aim at one with bitrate_bps" if encoding.rate else _instead(codec)
        return f"{codec} keeps no bound of the bit rate: {instead}"
    return None


def _speeds(codec: str) -> str:
    speeds = ENCODINGS[codec].speeds
    if not speeds:
        return "leave it out"
    if speeds[0].isdigit():
        return f"a number from {speeds[0]} (smallest file) to {speeds[-1]} (fastest)"
    return ", ".join(speeds)


def _instead(codec: str) -> str:
    if codec == "prores":
        return f"choose its profile ({', '.join(PRORES_PROFILES)})"
    if codec in ("gif", "webp"):
        return "a smaller size and a lower frame_rate make the file smaller"
    return "it is lossless; leave it out"
