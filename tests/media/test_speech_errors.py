"""Heard in windows, speech has no more errors than heard by faster-whisper as a whole.

Up to half a point of a word error rate: what chance makes. `python -m bench transcribe` shows it
for 20 minutes, with a killed worker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longtake.contracts.transcribe import SpeechSettings
from media.probing.in_child import inspect_in_child
from media.speech.engine import SpeechEngine
from media.speech.models import find_model
from media.speech.sound import prepare_sound
from media.speech.spans import find_spans
from media.speech.windows import plan_windows
from tests import raw_whisper, speech
from tests.media.hearing import made
from tests.words import Heard, errors, starts_apart

MODEL = find_model("tiny.en", ())
SAID = {
    "voice-andromeda.mp3": "Andromeda checking in. Your brain uses about 20 % of your body's "
    "energy.",
    "jfk.flac": "And so my fellow Americans ask not what your country can do for you ask what you "
    "can do for your country.",
    "voice-zeus.mp3": "Zeus speaking. A group of flamingos is called a flamboyance.",
    "voice-apollo.mp3": "Apollo here. Fun fact. A day on Venus is longer than its year.",
}
"""Recordings of the corpus."""
SILENCES_S = (7, 23, 12, 31, 9, 17, 5, 26, 11)


@pytest.fixture
async def engine() -> AsyncIterator[SpeechEngine]:
    engine = SpeechEngine(threads=2)
    yield engine
    await engine.close()


async def hear(engine: SpeechEngine, file: Path, longest_s: float) -> tuple[list[Heard], int]:
    """The words, and in how many windows."""
    facts, _ = await inspect_in_child(file)
    target = file.with_suffix(".s16")
    sound, _ = await prepare_sound(file, facts.container, facts.audio[0], target)
    windows = plan_windows(await find_spans(sound, 0), sound.samples, longest_s=longest_s)
    segments = [
        segment
        for window in windows
        for segment in await engine.transcribe(MODEL, sound, window, SpeechSettings(), "en")
    ]
    words = [word for segment in segments for word in segment.words]
    return [Heard(word.text, word.start_s) for word in words], len(windows)


async def test_words_of_a_made_talk_begin_as_in_a_single_pass(
    engine: SpeechEngine, tmp_path: Path
) -> None:
    talk = speech.speech(75, seed=3)
    file = talk.write(tmp_path / "talk.wav")
    whole = raw_whisper.hear(MODEL.path, file)
    cut, windows = await hear(engine, file, longest_s=25)
    assert windows >= 3
    assert starts_apart(whole, cut) < 0.15


async def test_recordings_joined_with_silences(
    engine: SpeechEngine, corpus: Path, tmp_path: Path
) -> None:
    names = (*SAID, *reversed(SAID))
    parts = [f"anullsrc=r=16000:cl=mono:d={SILENCES_S[0]}[s0]"]
    for number, silence_s in enumerate(SILENCES_S[1:]):
        form = f"aresample=16000,aformat=channel_layouts=mono,apad=pad_dur={silence_s}"
        parts.append(f"[{number}]{form}[s{number + 1}]")
    labels = "".join(f"[s{number}]" for number in range(len(parts)))
    graph = ";".join([*parts, f"{labels}concat=n={len(parts)}:v=0:a=1"])
    inputs = [option for name in names for option in ("-i", corpus / name)]
    file = made(tmp_path / "joined.wav", *inputs, "-filter_complex", graph)
    whole = raw_whisper.hear(MODEL.path, file)
    cut, windows = await hear(engine, file, longest_s=120)
    assert windows >= 2
    text = " ".join(SAID[name] for name in names)
    assert errors(text, cut) <= errors(text, whole) + 0.005
    assert starts_apart(whole, cut) < 0.15
