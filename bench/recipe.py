"""One recipe in two spellings: the command that a person would type, and the job.

Both ask the encoder for the same. What differs is Longtake's own choice, and part of what is
measured: one thread an encoder instead of one encoder on all cores, and what makes the bytes the
same on every machine (x264's `cpu-independent=1` costs CPU).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from longtake import Transcode
from longtake.contracts.encode import AudioOptions, EncodePreset, Speed, VideoCodec, VideoOptions
from media.ffmpeg.tools import ffmpeg


@dataclass(frozen=True)
class Recipe:
    """Settings of picture and sound."""

    codec: VideoCodec = "h264"
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
            *self._encoder(),
            *("-crf", str(self.crf), "-pix_fmt", "yuv420p", "-g", str(self.gop_s * fps)),
            *(("-maxrate", str(cap), "-bufsize", str(2 * cap)) if cap else ()),
            *("-c:a", "aac", "-b:a", str(self.audio_bps), "-ac", "2"),
            *("-movflags", "+faststart", str(output)),
        ]

    def _encoder(self) -> tuple[str, ...]:
        return {
            "h264": ("-c:v", "libx264", "-preset", self.speed, "-profile:v", "high"),
            "hevc": ("-c:v", "libx265", "-preset", self.speed, "-tag:v", "hvc1"),
            "av1": ("-c:v", "libsvtav1", "-preset", self.speed),
            "vp9": (
                *("-c:v", "libvpx-vp9", "-b:v", "0", "-deadline", "good", "-cpu-used", self.speed),
                *("-row-mt", "1", "-tile-columns", "2", "-auto-alt-ref", "1"),
                *("-lag-in-frames", "25"),
            ),
        }[self.codec]

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
                codec=self.codec,
                profile="high" if self.codec == "h264" else None,
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
