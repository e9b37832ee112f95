"""Recordings in the form in which speech is heard, and what is heard in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jiwer

from longtake.contracts.speech import RATE_HZ, Window
from longtake.contracts.transcribe import SpeechSettings
from longtake.contracts.transcript import Segment
from media.ffmpeg.tools import ffmpeg
from media.probing.in_child import inspect_in_child
from media.speech.engine import SpeechEngine
from media.speech.models import Model
from media.speech.sound import SAMPLE_BYTES, SpeechSound, prepare_sound
from media.speech.spans import find_spans
from media.speech.windows import plan_windows
from tests import speech

SETTINGS = SpeechSettings()
SAID = "The captain repaired the broken clock."


async def sound_of(file: Path, *, split: bool = False) -> SpeechSound:
    facts, _ = await inspect_in_child(file)
    target = file.with_suffix(".s16")
    sound, _ = await prepare_sound(file, facts.container, facts.audio[0], target, split=split)
    return sound


async def windows_of(
    sound: SpeechSound, *, channel: int = 0, longest_s: float = 120
) -> tuple[Window, ...]:
    spans = await find_spans(sound, channel)
    return plan_windows(spans, sound.samples, channel=channel, longest_s=longest_s)


async def hear(
    engine: SpeechEngine,
    model: Model,
    file: Path,
    settings: SpeechSettings = SETTINGS,
    longest_s: float = 120,
) -> tuple[Segment, ...]:
    sound = await sound_of(file)
    heard: list[Segment] = []
    for window in await windows_of(sound, longest_s=longest_s):
        heard += await engine.transcribe(model, sound, window, settings, "en")
    return tuple(heard)


def text_of(segments: Sequence[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


def errors(reference: str, heard: str) -> float:
    """Word error rate."""
    return jiwer.wer(_plain(reference), _plain(heard))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


def made(target: Path, *options: str | Path) -> Path:
    command = (ffmpeg(), "-v", "error", "-y", *map(str, options), str(target))
    subprocess.run(command, check=True, timeout=60)
    return target


def long_sound(said: speech.Speech, folder: Path, *, times: int) -> SpeechSound:
    """The same again and again, in the form that models hear."""
    once = said.write(folder / "once.wav")
    made(folder / "once.s16", "-i", once, "-ar", str(RATE_HZ), "-f", "s16le")
    path = folder / "long.s16"
    path.write_bytes((folder / "once.s16").read_bytes() * times)
    assert path.stat().st_size % SAMPLE_BYTES == 0
    return SpeechSound(path, 1)
