"""One recipe in two spellings: the command that a person would type, and the job.

Both ask x264 for the same. What differs is Longtake's own choice, and part of what is measured:
one thread an encoder instead of one encoder on all cores, and `cpu-independent=1`, which costs
CPU and makes the bytes the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from longtake import Transcode
from longtake.contracts.encode import AudioOptions, EncodePreset, Speed, VideoOptions
from media.tools import ffmpeg


@dataclass(frozen=True)
class Recipe:
    """Settings of picture and sound."""

    speed: Speed = "medium"
    crf: int = 23
    gop_s: int = 2
    max_bitrate_bps: int | None = None
    audio_bps: int = 128_000

    def command(self, source: Path, output: Path, fps: int) -> list[str]:
        """Bare FFmpeg: all cores, default threads."""
        cap = self.max_bitrate_bps
        return [
            *(ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"),
            *("-i", str(source), "-map", "0:v:0", "-map", "0:a:0"),
            *("-c:v", "libx264", "-preset", self.speed, "-crf", str(self.crf)),
            *("-profile:v", "high", "-pix_fmt", "yuv420p", "-g", str(self.gop_s * fps)),
            *(("-maxrate", str(cap), "-bufsize", str(2 * cap)) if cap else ()),
            *("-c:a", "aac", "-b:a", str(self.audio_bps), "-ac", "2"),
            *("-movflags", "+faststart", str(output)),
        ]

    def job(self, source: Path, output: Path, job_id: str) -> Transcode:
        """The same as a job."""
        return Transcode(
            id=job_id,
            input=str(source),
            output=str(output),
            overwrite=True,
            preset=self.preset(),
        )

    def preset(self) -> EncodePreset:
        """The settings alone; nothing is copied, as measuring that would prove nothing."""
        return EncodePreset(
            title="bench",
            audience="bench",
            video=VideoOptions(
                codec="h264",
                profile="high",
                pixel_format="yuv420p",
                crf=self.crf,
                speed=self.speed,
                max_bitrate_bps=self.max_bitrate_bps,
                keyframe_interval_s=Fraction(self.gop_s),
                smart_copy=False,
            ),
            audio=AudioOptions(
                codec="aac", bitrate_bps=self.audio_bps, channels=2, smart_copy=False
            ),
        )


RICH = Recipe()
"""x264 medium, crf 23."""

SMOKE = Recipe(speed="ultrafast", crf=30)
"""For runs that only prove that the bench works."""
