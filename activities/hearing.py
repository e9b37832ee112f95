"""Hear a recording: find its windows, its language, and the words of each window.

Every window has a content key of its own: what was heard once is not heard again, whatever dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from activities.encode import check_engine, once
from activities.place import Place, place
from activities.running import Beat, implements
from longtake.contracts.base import Report
from longtake.contracts.steps.common import EncodeDone
from longtake.contracts.steps.transcribe import (
    DETECT_LANGUAGE,
    FIND_MODEL,
    FIND_SPEECH,
    TRANSCRIBE_WINDOW,
    FindSpeechRequest,
    LanguageHeard,
    LanguageRequest,
    ModelFound,
    ModelRequest,
    SpeechAsked,
    SpeechFound,
    WindowRequest,
)
from longtake.contracts.transcript import LanguageFound
from longtake.errors import CapabilityMissing
from longtake.settings import model_folders
from media.children.process import NO_WORK, Finished
from media.speech.engine import Device, SpeechEngine, SpeechEngines, engine_of_speech
from media.speech.models import Model, find_model, require_language
from media.speech.plan import HeardWindow, SpokenWindows, spoken_s
from media.speech.sound import SpeechSound
from media.speech.spans import NOT_INSTALLED, find_spans
from media.speech.windows import plan_windows
from storage.work import content_key


class Hearing:
    """The steps of a worker that hears. It keeps its models loaded from one step to the next."""

    def __init__(self, device: Device, threads: int) -> None:
        self._device: Device = device
        self._engines = SpeechEngines(device, threads)

    def steps(self) -> list[Callable[..., Any]]:
        """The activities."""
        return [
            implements(FIND_MODEL, stage="planning")(self.find_model),
            implements(FIND_SPEECH, stage="transcribing")(self.find_speech),
            implements(DETECT_LANGUAGE, stage="transcribing")(self.detect_language),
            implements(TRANSCRIBE_WINDOW, stage="transcribing")(self.transcribe_window),
        ]

    async def find_model(self, request: ModelRequest, beat: Beat) -> ModelFound:
        """Whether this worker can hear with the model that is asked for, in that language."""
        _check_installed()
        model = await _model(request.settings.model)
        if request.settings.language != "auto":
            require_language(model, request.settings.language)
        return ModelFound(name=model.name, sha256=model.sha256, languages=model.languages)

    async def find_speech(self, request: FindSpeechRequest, beat: Beat) -> SpeechFound:
        """Where somebody speaks in each channel, cut into windows."""
        here, sound = await _begin(request.asked, request.sound_key)
        key = content_key("windows", sound=request.sound_key, engine=engine_of_speech())

        async def look(draft: Path) -> Finished:
            began = time.monotonic()
            spans = [await find_spans(sound, channel) for channel in range(sound.channels)]
            found = SpokenWindows(
                windows=tuple(
                    window
                    for channel, spoken in enumerate(spans)
                    for window in plan_windows(spoken, sound.samples, channel=channel)
                ),
                speech_s=spoken_s(span for spoken in spans for span in spoken),
            )
            await _write(draft, found)
            return replace(NO_WORK, wall_s=time.monotonic() - began)

        done = await once(here, key, 0, look)
        found = await here.spoken_windows(key)
        return SpeechFound(done=done, windows=len(found.windows), speech_s=found.speech_s)

    async def detect_language(self, request: LanguageRequest, beat: Beat) -> LanguageHeard:
        """The language that is likeliest in several windows."""
        here, sound = await _begin(request.asked, request.sound_key)
        model = await _same_model(request.asked.settings.model, request.model)
        key = content_key(
            "language",
            sound=request.sound_key,
            windows=request.windows_key,
            model=model.sha256,
            engine=engine_of_speech(self._device),
        )
        windows = (await here.spoken_windows(request.windows_key)).windows

        async def detect(draft: Path) -> Finished:
            async with self._engines.lent(model) as engine, _Cost(engine) as cost:
                found = await engine.detect_language(model, sound, windows)
            await _write(draft, found)
            return cost.finished

        done = await once(here, key, 0, detect)
        language = LanguageFound.model_validate_json(await here.store.read(key))
        return LanguageHeard(done=done, language=language)

    async def transcribe_window(self, request: WindowRequest, beat: Beat) -> EncodeDone:
        """The words of one window."""
        here, sound = await _begin(request.asked, request.sound_key)
        model = await _same_model(request.asked.settings.model, request.model)
        window = (await here.spoken_windows(request.windows_key)).windows[request.number]
        settings = request.asked.settings
        beat.total_s = window.end_s - window.start_s
        key = content_key(
            "heard",
            sound=request.sound_key,
            window=window.model_dump(mode="json"),
            settings=settings.model_dump(mode="json", exclude={"model", "language", "speakers"}),
            language=request.language,
            model=model.sha256,
            engine=engine_of_speech(self._device),
        )

        def on_tick(heard_s: float) -> None:
            beat.fraction = max(beat.fraction, min(1.0, heard_s / beat.total_s))

        async def hear(draft: Path) -> Finished:
            beat.worked = True
            async with self._engines.lent(model) as engine, _Cost(engine) as cost:
                segments = await engine.transcribe(
                    model, sound, window, settings, request.language, on_tick
                )
            await _write(draft, HeardWindow(segments=segments))
            return cost.finished

        return await once(here, key, 1, hear)


class _Cost:
    """What an engine's child spends meanwhile. It lives on, so nothing tells it in the end."""

    def __init__(self, engine: SpeechEngine) -> None:
        self._engine = engine
        self.finished = NO_WORK

    async def __aenter__(self) -> _Cost:
        self._pid, self._cpu_s, _ = self._spent()
        self._began = time.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        pid, cpu_s, peak = self._spent()
        self.finished = replace(
            NO_WORK,
            wall_s=time.monotonic() - self._began,
            cpu_s=cpu_s - self._cpu_s if pid == self._pid else cpu_s,
            peak_memory_bytes=peak,
        )

    def _spent(self) -> tuple[int | None, float, int]:
        pid = self._engine.pid
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid) if pid else None
            if process is not None:
                times = process.cpu_times()
                return pid, times.user + times.system, process.memory_info().rss
        return None, 0.0, 0


async def _begin(asked: SpeechAsked, sound_key: str) -> tuple[Place, SpeechSound]:
    _check_installed()
    check_engine(asked.engine)
    here = place()
    plan = await here.speech_plan(asked.plan_key)
    return here, SpeechSound(await here.store.hold(sound_key), plan.channels)


def _check_installed() -> None:
    if importlib.util.find_spec("faster_whisper") is None:
        raise CapabilityMissing(NOT_INSTALLED)


async def _model(name: str) -> Model:
    return await asyncio.to_thread(find_model, name, model_folders())


async def _same_model(name: str, found: ModelFound) -> Model:
    """The model that the job began with. Two models of one name must not meet in one text."""
    model = await _model(name)
    if model.sha256 != found.sha256:
        raise CapabilityMissing(
            f"the speech model {name} of this worker has other files than the one that the job "
            "began with: give all workers the same; or cancel the job and `longtake retry` it"
        )
    return model


async def _write(draft: Path, document: Report) -> None:
    await asyncio.to_thread(draft.write_text, document.model_dump_json(), encoding="utf-8")
