"""Hearing a recording, window by window: what `Transcribe` does, and `Package` beside its film."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio import workflow

from workflows.control import JobWorkflow
from workflows.tasks import side_by_side

with workflow.unsafe.imports_passed_through():
    from longtake.contracts.steps.common import EncodeDone
    from longtake.contracts.steps.transcribe import (
        DETECT_LANGUAGE,
        FIND_MODEL,
        FIND_SPEECH,
        PREPARE_SPEECH,
        TRANSCRIBE_WINDOW,
        FindSpeechRequest,
        Heard,
        LanguageRequest,
        ModelFound,
        ModelRequest,
        SpeechAsked,
        SpeechFound,
        WindowRequest,
    )
    from longtake.contracts.transcript import LanguageFound
    from longtake.queues import Role


SURE = 0.8
"""A language that is heard with less probability may be another one: whoever reads is told."""


@dataclass(frozen=True)
class Listened:
    """What was heard, and what it cost."""

    heard: Heard
    windows: tuple[EncodeDone, ...]
    others: tuple[EncodeDone, ...]


class Listening:
    """The steps from a sound track to its words, on the speech queue or on that of the GPUs."""

    def __init__(self, job: JobWorkflow, asked: SpeechAsked, *, gpu: bool = False) -> None:
        self._job = job
        self._asked = asked
        self._role: Role | None = "gpu" if gpu else None

    async def listen(
        self,
        found: Callable[[int], None] = lambda windows: None,
        heard: Callable[[], None] = lambda: None,
    ) -> Listened:
        """Hear it all. `found` is told how many windows there are, `heard` when one is done."""
        # A model that is missing, or does not know the language, is told at once.
        looking = asyncio.ensure_future(self._model())
        preparing = asyncio.ensure_future(self._prepare())
        await side_by_side((looking, preparing))
        model, sound = looking.result(), preparing.result()
        speech = await self._speech(sound.key)
        found(speech.windows)
        language, asked = await self._language(model, sound.key, speech)

        async def window(number: int) -> EncodeDone:
            request = WindowRequest(
                asked=self._asked,
                sound_key=sound.key,
                windows_key=speech.done.key,
                number=number,
                model=model,
                language=language.code,
            )
            words = f"write down window {number + 1} of {speech.windows}"
            done = await self._job.step(TRANSCRIBE_WINDOW, request, words, role=self._role)
            heard()
            return done

        windows = await side_by_side(window(number) for number in range(speech.windows))
        return Listened(
            Heard(
                windows_key=speech.done.key,
                keys=tuple(done.key for done in windows),
                language=language,
                model=model.name,
                speech_s=speech.speech_s,
            ),
            tuple(windows),
            (sound, speech.done, *asked),
        )

    async def _model(self) -> ModelFound:
        settings = self._asked.settings
        request = ModelRequest(settings=settings)
        return await self._job.step(
            FIND_MODEL, request, f"look for {settings.model}", role=self._role
        )

    async def _prepare(self) -> EncodeDone:
        return await self._job.step(PREPARE_SPEECH, self._asked, "prepare the sound")

    async def _speech(self, sound_key: str) -> SpeechFound:
        request = FindSpeechRequest(asked=self._asked, sound_key=sound_key)
        return await self._job.step(
            FIND_SPEECH, request, "look where somebody speaks", role=self._role
        )

    async def _language(
        self, model: ModelFound, sound_key: str, speech: SpeechFound
    ) -> tuple[LanguageFound, tuple[EncodeDone, ...]]:
        """As it is asked for, as the model knows no other, or as it is heard."""
        asked = self._asked.settings.language
        if asked != "auto":
            return LanguageFound(code=asked, probability=1, asked=True), ()
        if len(model.languages) == 1:
            return LanguageFound(code=model.languages[0], probability=1, asked=False), ()
        if not speech.windows:
            return LanguageFound(code="und", probability=0, asked=False), ()
        request = LanguageRequest(
            asked=self._asked,
            sound_key=sound_key,
            windows_key=speech.done.key,
            model=model,
        )
        words = "hear which language is spoken"
        heard = await self._job.step(DETECT_LANGUAGE, request, words, role=self._role)
        return heard.language, (heard.done,)


def language_in_words(heard: Heard) -> str:
    """Which language was written down, and why."""
    language = heard.language
    if language.asked:
        why = "as asked"
    elif not heard.keys:
        why = "nobody speaks"
    elif language.probability == 1:
        why = f"{heard.model} knows no other"
    else:
        why = f"heard, with a probability of {language.probability:.0%}"
    return f"{language.code}: {why}"


def doubt(heard: Heard, remedy: str) -> tuple[str, ...]:
    """A warning where the language was heard with little certainty, and how it is named."""
    language = heard.language
    if language.asked or not heard.keys or language.probability >= SURE:
        return ()
    return (
        f"language taken to be {language.code} with probability {language.probability:.0%}; "
        f"say {remedy} if it is wrong",
    )
