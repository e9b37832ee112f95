"""The child that hears speech: the same from each, ended at once, lent again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from longtake.errors import ProcessKilled
from media.speech.engine import SpeechEngine, SpeechEngines
from media.speech.models import Model, find_model
from tests import speech
from tests.media.hearing import SAID, SETTINGS, long_sound, sound_of, windows_of
from tests.patience import SLACK


async def test_the_same_window_gives_the_same_bytes_whatever_was_heard_before(
    model: Model, talk: speech.Speech, tmp_path: Path
) -> None:
    """In a new child, and in one with more threads that heard others before."""
    sound = await sound_of(talk.write(tmp_path / "talk.wav"))
    windows = (await windows_of(sound, longest_s=15))[:3]
    heard = []
    for threads, order in ((1, windows), (2, windows[::-1])):
        engine = SpeechEngine(threads=threads)
        try:
            found = {
                window.first: await engine.transcribe(model, sound, window, SETTINGS, "en")
                for window in order
            }
        finally:
            await engine.close()
        heard.append([found[window.first] for window in windows])
    assert heard[0] == heard[1]


async def test_a_cancelled_window_ends_at_once_and_leaves_no_process(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    sound = long_sound(speech.speech(20, seed=3), tmp_path, times=12)
    (window,) = await windows_of(sound, longest_s=3600)
    running = asyncio.create_task(engine.transcribe(model, sound, window, SETTINGS, "en"))
    while engine.pid is None or psutil.Process(engine.pid).cpu_times().user < 1.5:
        assert not running.done()
        await asyncio.sleep(0.05)
    group = engine.pid
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 3 * SLACK
    assert not lives(group)
    short = await windows_of(sound, longest_s=10)
    assert await engine.transcribe(model, sound, short[0], SETTINGS, "en")


async def test_a_killed_child_is_told_and_the_next_window_has_a_new_one(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    sound = long_sound(speech.speech(20, seed=3), tmp_path, times=6)
    (window,) = await windows_of(sound, longest_s=3600)
    short = (await windows_of(sound, longest_s=10))[0]
    whole = await engine.transcribe(model, sound, short, SETTINGS, "en")
    assert engine.pid is not None
    told = asyncio.Event()
    running = asyncio.create_task(
        engine.transcribe(model, sound, window, SETTINGS, "en", lambda _: told.set())
    )
    await told.wait()
    os.killpg(engine.pid, signal.SIGKILL)
    with pytest.raises(ProcessKilled, match="speech engine ended"):
        await running
    assert await engine.transcribe(model, sound, short, SETTINGS, "en") == whole


async def test_memory_is_flat_and_the_model_is_loaded_once(
    engine: SpeechEngine, model: Model, talk: speech.Speech, tmp_path: Path
) -> None:
    sound = await sound_of(talk.write(tmp_path / "talk.wav"))
    windows = await windows_of(sound, longest_s=5)
    resident, pids = [], set()
    for turn in range(12):
        await engine.transcribe(model, sound, windows[turn % len(windows)], SETTINGS, "en")
        assert engine.pid is not None
        pids.add(engine.pid)
        resident.append(psutil.Process(engine.pid).memory_info().rss)
    assert len(pids) == 1
    assert max(resident[6:]) < 1.1 * max(resident[:6])


async def test_idle_engines_are_lent_again_and_closed(
    model: Model, talk: speech.Speech, tmp_path: Path
) -> None:
    sound = await sound_of(talk.write(tmp_path / "talk.wav"))
    window = (await windows_of(sound, longest_s=10))[0]
    engines, pids = SpeechEngines(), set()
    for _ in range(2):
        async with engines.lent(model) as engine:
            await engine.transcribe(model, sound, window, SETTINGS, "en")
            assert engine.pid is not None
            pids.add(engine.pid)
    assert len(pids) == 1
    await engines.close()
    assert not lives(pids.pop())


async def test_jobs_of_two_models_each_keep_a_child(model: Model, tmp_path: Path) -> None:
    """The one that ends last is not the one that has the model of the next window."""
    (tmp_path / "mine").symlink_to(model.path)
    other = find_model("mine", (tmp_path,))
    sound = long_sound(speech.say(SAID), tmp_path, times=1)
    (window,) = await windows_of(sound)
    engines, pids = SpeechEngines(), dict[str, set[int | None]]()
    async with contextlib.AsyncExitStack() as both:
        for each in (model, other):
            engine = await both.enter_async_context(engines.lent(each))
            await engine.transcribe(each, sound, window, SETTINGS, "en")
            pids[each.name] = {engine.pid}
    for each in (model, other, model, other):
        async with engines.lent(each) as engine:
            await engine.transcribe(each, sound, window, SETTINGS, "en")
            pids[each.name].add(engine.pid)
    await engines.close()
    assert [len(found) for found in pids.values()] == [1, 1]


def lives(pid: int) -> bool:
    return any(
        process.pid == pid or os.getpgid(process.pid) == pid
        for process in psutil.process_iter()
        if psutil.pid_exists(process.pid)
    )
