"""Speech to text: a child that keeps its model, asked for one window after the other.

The same model, settings and sound give the same words, whichever child is asked and whatever it
was asked before: nothing is drawn at random, and windows know nothing of each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from longtake.contracts.speech import Span, Window
from longtake.contracts.transcribe import SpeechSettings
from longtake.contracts.transcript import LanguageFound, Segment
from longtake.errors import CapabilityMissing, InputUnsupported, ResourceExhausted
from media.children.dialogue import Dialogue, Message
from media.children.process import Limits
from media.speech.circles import circles, retold, sentences
from media.speech.guards import guarded
from media.speech.heard import Heard, as_segments, read_answer
from media.speech.models import Model, require_language
from media.speech.profanity import masked
from media.speech.skips import filled, holes
from media.speech.sound import SpeechSound
from media.speech.spans import NOT_INSTALLED
from media.speech.windows import Clock, half_minutes, listened

Device = Literal["cpu", "cuda"]
OnTick = Callable[[float], None]
"""Told how much of a window has been listened to, in seconds."""
_Place = tuple[Window, tuple[Span, ...]]

PRECISION: dict[Device, str] = {"cpu": "int8", "cuda": "float16"}
PLACES = 5
"""That a language is heard in."""
NOBODY_SPEAKS = LanguageFound(code="und", probability=0.0, asked=False)

RULES = 5
"""Counts up when the engine's own rules change what becomes of the same sound."""
_LIBRARIES = ("faster-whisper", "ctranslate2", "onnxruntime")
_PROGRAM = Path(__file__).with_name("child.py")
_CHILD = "the speech engine"


def engine_of_speech(device: Device = "cpu") -> str:
    """What the words hang on, beside model, settings and sound: belongs into their keys."""
    versions = (f"{name}-{version(name)}" for name in _LIBRARIES)
    return " ".join((*versions, PRECISION[device], f"rules-{RULES}"))


class SpeechEngine:
    """One child with one model, for one slot of a worker. To be used in one event loop.

    The child is started when it is first needed, and anew when another model is asked for, when it
    died, and after a window was cancelled.
    """

    def __init__(self, device: Device = "cpu", threads: int = 1) -> None:
        self._device: Device = device
        self._threads = threads
        self._turn = asyncio.Lock()
        self._model: Model | None = None
        self._dialogue: Dialogue | None = None

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return self._dialogue.pid if self._dialogue and self._dialogue.open else None

    def has(self, model: Model) -> bool:
        """Whether its child has that model, so that nothing is loaded when it is asked."""
        return self.pid is not None and self._model == model

    async def transcribe(
        self,
        model: Model,
        sound: SpeechSound,
        window: Window,
        settings: SpeechSettings,
        language: str,
        on_tick: OnTick = lambda _: None,
    ) -> tuple[Segment, ...]:
        """What is said in a window, in `language`; nothing where nobody speaks.

        Cancelling the task ends the child. Raises InvalidJob (a language the model does not know),
        CapabilityMissing (the model cannot be loaded), ResourceExhausted, InputUnsupported,
        ProcessKilled and ProcessStalled.
        """
        require_language(model, language)
        if not window.spans:
            return ()
        decoding = {
            "language": language,
            "beam_size": settings.beam_size,
            "hotwords": ", ".join(settings.hot_words) or None,
            "initial_prompt": settings.prompt,
        }

        async def hear(pieces: Sequence[Span], on_tick: OnTick) -> tuple[Heard, ...]:
            question = _about(sound, window.channel, pieces) | {"ask": "text", "decoding": decoding}
            answer = await self._ask(model, question, lambda news: on_tick(news["at_s"]))
            return guarded(read_answer(answer, Clock(pieces)), window.spans)

        heard = await hear(listened(window), on_tick)
        for circle in circles(heard, window):
            again = {each: await hear([each], lambda _: None) for each in sentences(circle, window)}
            heard = retold(heard, again, circle)
        for hole in holes(heard, window):
            heard = filled(heard, await hear([hole.piece(window)], lambda _: None), hole)
        return as_segments(masked(heard, language) if settings.mask_profanity else heard)

    async def detect_language(
        self, model: Model, sound: SpeechSound, windows: Sequence[Window]
    ) -> LanguageFound:
        """The language that is likeliest in several half minutes of the windows: the mean of what
        each is heard as, by its length.

        Raises what `transcribe` raises.
        """
        if not model.multilingual:
            return LanguageFound(code="en", probability=1.0, asked=False)
        heard = [(window, part) for window in windows for part in half_minutes(window)]
        if not heard:
            return NOBODY_SPEAKS
        places = spread(heard, PLACES)
        whole = sum(_samples(part) for _, part in places)
        summed: dict[str, float] = defaultdict(float)
        for window, part in places:
            question = _about(sound, window.channel, part) | {"ask": "language"}
            answer = await self._ask(model, question, lambda _: None)
            for code, probability in answer.items():
                summed[code] += probability * _samples(part) / whole
        code = max(summed, key=lambda each: (summed[each], each))
        # What is heard is never certain: 1 says that the model knows no other language.
        return LanguageFound(code=code, probability=round(min(0.999, summed[code]), 3), asked=False)

    async def close(self) -> None:
        """End the child."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            await dialogue.end()

    async def _ask(
        self, model: Model, question: Message, on_news: Callable[[Message], None]
    ) -> Any:
        async with self._turn:
            dialogue = await self._child(model)
            message = await dialogue.ask(question, on_news)
        if "error" not in message:
            return message["answer"]
        kind, words = message["error"]
        if kind == "model":
            await self.close()
            raise CapabilityMissing(f"the speech model {model.path} cannot be used: {words}")
        if kind == "memory":
            await self.close()
            raise ResourceExhausted(f"the memory that {_CHILD} may take was not enough: {words}")
        raise InputUnsupported(f"the speech could not be transcribed: {words}")

    async def _child(self, model: Model) -> Dialogue:
        """The child with that model."""
        if self._dialogue is None or not self.has(model):
            await self.close()
            if importlib.util.find_spec("faster_whisper") is None:
                raise CapabilityMissing(NOT_INSTALLED)
            self._model = model
            self._dialogue = Dialogue.begin(_CHILD, self._command(model), self._limits(model))
        return self._dialogue

    def _command(self, model: Model) -> list[str]:
        options = (str(model.path), self._device, PRECISION[self._device], str(self._threads))
        return [sys.executable, "-I", str(_PROGRAM), *options]

    def _limits(self, model: Model) -> Limits:
        # CUDA maps the memory of all its cards, and more, into the process.
        size = (model.path / "model.bin").stat().st_size
        memory = 1 << 46 if self._device == "cuda" else (4 << 30) + 4 * size
        return Limits(memory_bytes=memory, file_bytes=1 << 20)


class SpeechEngines:
    """The engines of a worker: as many as are used at a time, kept warm for those who come next."""

    def __init__(self, device: Device = "cpu", threads: int = 1) -> None:
        self._device: Device = device
        self._threads = threads
        self._idle: list[SpeechEngine] = []

    @contextlib.asynccontextmanager
    async def lent(self, model: Model) -> AsyncIterator[SpeechEngine]:
        """An engine that nobody else uses: one that has the model loaded if there is such a one,
        and of these the one that was used last."""
        engine = self._idle.pop(self._best(model)) if self._idle else self._new()
        try:
            yield engine
        finally:
            self._idle.append(engine)

    def _best(self, model: Model) -> int:
        """Which of the idle ones."""
        return max(range(len(self._idle)), key=lambda at: (self._idle[at].has(model), at))

    def _new(self) -> SpeechEngine:
        return SpeechEngine(self._device, self._threads)

    async def close(self) -> None:
        """End all children that nobody uses."""
        while self._idle:
            await self._idle.pop().close()


def spread(places: Sequence[_Place], count: int) -> list[_Place]:
    """At most so many of the places, evenly over all, the first and the last among them."""
    if len(places) <= count:
        return list(places)
    return [places[round(n * (len(places) - 1) / (count - 1))] for n in range(count)]


def _about(sound: SpeechSound, channel: int, pieces: Sequence[Span]) -> Message:
    return {
        "sound": str(sound.path),
        "channels": sound.channels,
        "channel": channel,
        "pieces": [(piece.first, piece.end) for piece in pieces],
    }


def _samples(pieces: Iterable[Span]) -> int:
    return sum(piece.samples for piece in pieces)
