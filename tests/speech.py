"""Speech that is known to the word: eSpeak NG says sentences made from a fixed list of phrases.

`espeakng-loader` carries the engine and its voices; nothing is downloaded and no sound card is
needed. The same call gives the same samples, words and times.
"""

from __future__ import annotations

import ctypes
import itertools
import pickle
import random
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import espeakng_loader

SAMPLE_HZ = 22050
"""What eSpeak NG speaks at; mono, 16 bit."""

VOICES = ("en-us", "en", "en-us+m3", "en-gb-x-gbclan", "en-us+klatt2", "en-us-nyc")
"""Accent, and after the plus sign the throat."""

WORDS_A_MINUTE = 150


@dataclass(frozen=True)
class SpokenWord:
    """A word and when it begins, in s from the start of the sound."""

    text: str
    start_s: float


@dataclass(frozen=True)
class Speech:
    """Mono 16-bit samples at `SAMPLE_HZ`, and what is said in them."""

    samples: bytes = field(repr=False)
    text: str
    """The reference for a word error rate."""
    words: tuple[SpokenWord, ...]
    """Those whose beginning is known: all but the inner words of set phrases ("in front of")."""

    @property
    def seconds(self) -> float:
        """How long it is, in s."""
        return len(self.samples) / 2 / SAMPLE_HZ

    def write(self, path: Path) -> Path:
        """As a WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_HZ)
            file.writeframes(self.samples)
        return path


def speech(seconds: float, seed: int = 0) -> Speech:
    """A talk of about `seconds`: paragraphs in turning voices, with short and long pauses.

    It ends with the sentence that crosses `seconds`. Pauses are 0.3 to 0.9 s between sentences
    and 1.5 to 5 s between paragraphs.
    """
    # No sentence with the pause before it is shorter than 2 s.
    talk = list(itertools.islice(_talk(random.Random(seed)), 1 + int(seconds / 2)))
    sentences = _spoken([(sentence, voice) for sentence, voice, _ in talk])
    parts, at_s = list[Speech](), 0.0
    for sentence, (_, _, pause_s) in zip(sentences, talk, strict=True):
        if at_s >= seconds:
            break
        parts += [silence(pause_s), sentence]
        at_s += pause_s + sentence.seconds
    return joined([*parts, silence(0.5)])


def say(text: str, voice: str = VOICES[0]) -> Speech:
    """One sentence or more by one voice: any that eSpeak NG has (`en-us`, `de`, `fr` …)."""
    return _spoken([(text, voice)])[0]


def silence(seconds: float) -> Speech:
    """Nothing said, for so long."""
    return Speech(bytes(2 * round(seconds * SAMPLE_HZ)), "", ())


def joined(parts: Sequence[Speech]) -> Speech:
    """One after the other."""
    starts = itertools.accumulate((part.seconds for part in parts), initial=0.0)
    words = (
        SpokenWord(word.text, start_s + word.start_s)
        for start_s, part in zip(starts, parts, strict=False)
        for word in part.words
    )
    text = " ".join(part.text for part in parts if part.text)
    return Speech(b"".join(part.samples for part in parts), text, tuple(words))


_WHO = (
    "the teacher",
    "my older brother",
    "a young doctor",
    "the captain",
    "our neighbor",
    "the woman in the red coat",
    "the man from the office",
    "her grandmother",
    "the old farmer",
    "a group of children",
    "the whole family",
    "the driver",
    "an honest lawyer",
    "the people of this village",
    "every member of the team",
    "the new manager",
)
_DID = (
    "opened the window",
    "told us a long story",
    "carried the heavy boxes",
    "asked a simple question",
    "wrote a letter to the president",
    "wanted to buy a new house",
    "found the missing keys",
    "repaired the broken clock",
    "cooked dinner for the guests",
    "sold the old car",
    "learned to play the piano",
    "waited for an answer",
    "bought fresh bread and butter",
    "finished the work",
    "forgot to close the door",
    "talked about the weather",
    "watched the birds",
    "painted the kitchen yellow",
    "spent all of the money",
    "read the newspaper",
)
_WHERE = (
    "at the station",
    "near the river",
    "in the garden",
    "behind the church",
    "on the other side of the street",
    "in a small town",
    "at the end of the road",
    "under the bridge",
    "in the middle of the city",
    "by the lake",
    "in front of the school",
    "on the mountain",
)
_WHEN = (
    "on Monday morning",
    "last summer",
    "in the evening",
    "after the meeting",
    "before the rain began",
    "during the winter",
    "a long time ago",
    "early in the day",
    "when the music stopped",
    "late at night",
    "once a week",
    "just before breakfast",
)
_WHY = (
    "because nobody else had the time",
    "and everyone was happy about it",
    "but it was not easy",
    "so we decided to go home",
    "although the sun was shining",
    "and then the telephone rang",
    "because the price was too high",
    "but the answer was still the same",
    "and that was a good idea",
    "so there was nothing left to do",
)
_SHAPES = (
    "{when} {who} {did} {where}",
    "{who} {did} {where} {why}",
    "{who} {did} {when} {why}",
    "{when} {who} {did} {why}",
    "{who} {did} {where} {when}",
)


def _talk(chance: random.Random) -> Iterator[tuple[str, str, float]]:
    """Sentence after sentence, with who says it and the pause before it in s."""
    for number in itertools.count():
        voice = VOICES[number % len(VOICES)]
        for place in range(chance.randint(3, 7)):
            pause_s = chance.uniform(0.3, 0.9) if place else chance.uniform(1.5, 5.0)
            words = chance.choice(_SHAPES).format(
                who=chance.choice(_WHO),
                did=chance.choice(_DID),
                where=chance.choice(_WHERE),
                when=chance.choice(_WHEN),
                why=chance.choice(_WHY),
            )
            yield f"{words[0].upper()}{words[1:]}.", voice, pause_s


def _spoken(sentences: Sequence[tuple[str, str]]) -> list[Speech]:
    """Text and voice of each, said by a new process: what the engine says depends on what it said
    before."""
    child = subprocess.run(
        [sys.executable, __file__],
        input=pickle.dumps(sentences),
        stdout=subprocess.PIPE,
        check=True,
    )
    return [
        Speech(samples, text, tuple(SpokenWord(word, start_s) for word, start_s in words))
        for samples, text, words in pickle.loads(child.stdout)
    ]


class _Event(ctypes.Structure):
    """`espeak_EVENT` of espeak/speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
# Of espeak/speak_lib.h.
_SYNCHRONOUS, _UTF8, _RATE = 2, 1, 1
_END, _WORD = 0, 1


class _Heard:
    """Gathers what the engine speaks; called by it."""

    def __init__(self, text: str) -> None:
        self.samples = bytearray()
        self.words = list[tuple[str, float]]()
        self._text = text

    def __call__(self, samples: Any, count: int, events: Any) -> int:
        if samples:
            self.samples += ctypes.string_at(samples, 2 * count)
        for number in itertools.count():
            event = events[number]
            if event.type == _END:
                return 0
            if event.type == _WORD:
                first = event.text_position - 1  # counted from 1, in characters
                word = self._text[first : first + event.length]
                self.words.append((word, event.audio_position / 1000))
        raise AssertionError("the list of events has no end")


def _say(engine: ctypes.CDLL, text: str, voice: str) -> tuple[bytes, str, list[tuple[str, float]]]:
    """Samples, text and the words with their beginnings."""
    if engine.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"eSpeak NG has no voice {voice!r}")
    heard = _Heard(text)
    callback = _CALLBACK(heard)  # held here while it is called
    engine.espeak_SetSynthCallback(callback)
    engine.espeak_SetParameter(_RATE, WORDS_A_MINUTE, 0)
    data = text.encode() + b"\0"
    if engine.espeak_Synth(data, len(data), 0, 0, 0, _UTF8, None, None) != 0:
        raise RuntimeError(f"eSpeak NG could not say {text!r}")
    return bytes(heard.samples), text, heard.words


def _speak() -> None:
    """The child: sentences from stdin, what was heard to stdout."""
    engine = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    if engine.espeak_Initialize(_SYNCHRONOUS, 0, data, 0) != SAMPLE_HZ:
        raise RuntimeError("eSpeak NG does not start")
    sentences = pickle.load(sys.stdin.buffer)
    pickle.dump([_say(engine, text, voice) for text, voice in sentences], sys.stdout.buffer)


if __name__ == "__main__":
    _speak()
