"""Speech to text: what is said is written down, wherever it is cut, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import jiwer
import psutil
import pytest

from longtake.contracts.speech import RATE_HZ, Window
from longtake.contracts.transcribe import SpeechSettings
from longtake.contracts.transcript import Segment
from longtake.errors import CapabilityMissing, InvalidJob, ProcessKilled
from media.isolate import inspect_in_child
from media.speech.engine import NOBODY_SPEAKS, SpeechEngine, SpeechEngines
from media.speech.models import Model, find_model, require_language
from media.speech.sound import SAMPLE_BYTES, SpeechSound, prepare_sound
from media.speech.spans import find_spans
from media.speech.windows import plan_windows
from media.tools import ffmpeg
from tests import speech

SETTINGS = SpeechSettings()


@pytest.fixture
async def engine() -> AsyncIterator[SpeechEngine]:
    engine = SpeechEngine()
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def model() -> Model:
    return find_model("tiny.en", ())


@pytest.fixture(scope="session")
def talk() -> speech.Speech:
    return speech.speech(50, seed=8)


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


async def test_a_famous_sentence_is_heard_without_an_error(
    engine: SpeechEngine, model: Model, corpus: Path, tmp_path: Path
) -> None:
    file = made(tmp_path / "jfk.flac", "-i", corpus / "jfk.flac")
    segments = await hear(engine, model, file)
    assert errors((corpus / "jfk.txt").read_text(), text_of(segments)) == 0
    words = [word for segment in segments for word in segment.words]
    assert words[0].start_s == pytest.approx(0.3, abs=0.15)
    assert all(a.start_s <= a.end_s and a.start_s <= b.start_s for a, b in pairwise(words))
    assert 10 < words[-1].end_s < 11


async def test_seams_lose_and_repeat_no_words(
    engine: SpeechEngine, model: Model, talk: speech.Speech, tmp_path: Path
) -> None:
    """Windows of 20 s against one of all: no more errors, and every word at its time."""
    file = talk.write(tmp_path / "talk.wav")
    sound = await sound_of(file)
    assert len(await windows_of(sound, longest_s=20)) >= 3
    whole = await hear(engine, model, file)
    cut = await hear(engine, model, file, longest_s=20)
    assert errors(talk.text, text_of(cut)) <= errors(talk.text, text_of(whole)) + 0.03
    assert abs(len(text_of(cut).split()) - len(talk.text.split())) <= 0.05 * len(talk.text.split())
    starts = [word.start_s for segment in cut for word in segment.words]
    assert starts == sorted(starts)


async def test_the_same_window_gives_the_same_bytes_whatever_was_heard_before(
    model: Model, talk: speech.Speech, tmp_path: Path
) -> None:
    """In a new child, in one that heard others before, and with more threads."""
    sound = await sound_of(talk.write(tmp_path / "talk.wav"))
    windows = await windows_of(sound, longest_s=15)
    heard = []
    for threads, order in ((1, windows), (1, windows[::-1]), (2, windows)):
        engine = SpeechEngine(threads=threads)
        try:
            found = {
                window.first: await engine.transcribe(model, sound, window, SETTINGS, "en")
                for window in order
            }
        finally:
            await engine.close()
        heard.append([found[window.first] for window in windows])
    assert heard[0] == heard[1] == heard[2]


@pytest.mark.parametrize(
    "source",
    [
        "anullsrc=r=48000:cl=stereo",
        "anoisesrc=c=white:a=0.3:seed=1",
        "anoisesrc=c=pink:a=0.5:seed=2",
        "sine=f=440,tremolo=f=4:d=0.9",
        "aevalsrc='0.2*sin(2*PI*t*(220+110*floor(mod(t*2,4))))+0.1*sin(2*PI*t*330)':s=44100",
    ],
)
async def test_nothing_is_heard_where_nobody_speaks(
    engine: SpeechEngine, model: Model, tmp_path: Path, source: str
) -> None:
    file = made(tmp_path / "a.wav", "-f", "lavfi", "-i", source, "-t", "35")
    assert await hear(engine, model, file) == ()


async def test_telephone_surround_film_and_a_short_clip_are_heard(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    said = speech.say("The teacher opened the window in the evening.")
    plain = speech.joined([speech.silence(0.4), said, speech.silence(0.4)]).write(
        tmp_path / "plain.wav"
    )
    voice = ("-i", plain)
    film = ("-f", "lavfi", "-i", "testsrc2=s=160x90:d=3", "-map", "0:a", "-map", "1:v")
    files = (
        made(tmp_path / "phone.wav", *voice, "-ar", "8000", "-c:a", "pcm_mulaw"),
        made(tmp_path / "surround.flac", *voice, "-af", "pan=5.1|FC=c0", "-ar", "48000"),
        made(tmp_path / "film.mp4", *voice, *film, "-c:v", "mpeg4", "-c:a", "aac"),
    )
    expected = text_of(await hear(engine, model, plain))
    assert errors(said.text, expected) <= 0.25
    for file in files:
        assert errors(said.text, text_of(await hear(engine, model, file))) <= 0.25, file.name


async def test_times_count_from_where_the_caller_says(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    """A file whose sound starts 5 s late has its words 5 s late."""
    said = speech.say("The captain repaired the broken clock.").write(tmp_path / "said.wav")
    late = made(
        tmp_path / "late.mkv", "-itsoffset", "5", "-i", said, "-f", "lavfi", "-i",
        "testsrc2=s=160x90:d=8", "-c:v", "mpeg4", "-c:a", "flac",
    )  # fmt: skip
    on_time, delayed = await hear(engine, model, said), await hear(engine, model, late)
    first, second = (
        next(word.start_s for segment in heard for word in segment.words if word.text == "broken")
        for heard in (on_time, delayed)
    )
    assert second == pytest.approx(first + 5, abs=0.1)


async def test_each_channel_is_a_speaker(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    """Also where each microphone hears the other voice, softly."""
    left = speech.say("The driver waited for an answer at the station.").write(tmp_path / "l.wav")
    right = speech.say("My older brother painted the kitchen.", "en").write(tmp_path / "r.wav")
    mix = (
        "[0]apad=whole_dur=8[a];[1]adelay=4000,apad=whole_dur=8[b];"
        "[a][b]join=inputs=2:channel_layout=stereo,pan=stereo|c0=c0+0.1*c1|c1=c1+0.1*c0"
    )
    both = made(tmp_path / "both.wav", "-i", left, "-i", right, "-filter_complex", mix)
    sound = await sound_of(both, split=True)
    assert sound.channels == 2
    texts = []
    for channel in range(2):
        heard: list[Segment] = []
        for window in await windows_of(sound, channel=channel):
            assert window.channel == channel
            heard += await engine.transcribe(model, sound, window, SETTINGS, "en")
        texts.append(text_of(heard).lower())
    assert "driver" in texts[0]
    assert "brother" not in texts[0]
    assert "brother" in texts[1]
    assert "driver" not in texts[1]


async def test_hot_words_and_a_prompt_change_the_spelling(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    file = speech.say("Our new manager is mister Smythe.").write(tmp_path / "a.wav")
    assert "Smythe" not in text_of(await hear(engine, model, file))
    hot = SpeechSettings(hot_words=("Smythe",))
    assert "Smythe" in text_of(await hear(engine, model, file, hot))
    prompt = SpeechSettings(prompt="A talk by Mr. Smythe.")
    assert "Smythe" in text_of(await hear(engine, model, file, prompt))


async def test_profanity_keeps_its_first_letter(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    file = speech.say("This is bullshit, said the captain.").write(tmp_path / "a.wav")
    assert "bullshit" in text_of(await hear(engine, model, file)).lower()
    masked = await hear(engine, model, file, SpeechSettings(mask_profanity=True))
    assert "b*******" in text_of(masked).lower()
    assert "bullshit" not in str(masked).lower()


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
    assert time.monotonic() - began < 3
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
    windows = await windows_of(sound, longest_s=15)
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
        async with engines.lent() as engine:
            await engine.transcribe(model, sound, window, SETTINGS, "en")
            assert engine.pid is not None
            pids.add(engine.pid)
    assert len(pids) == 1
    await engines.close()
    assert not lives(pids.pop())


async def test_the_language_of_an_english_model_is_english(
    engine: SpeechEngine, model: Model, talk: speech.Speech, tmp_path: Path
) -> None:
    sound = await sound_of(talk.write(tmp_path / "talk.wav"))
    found = await engine.detect_language(model, sound, await windows_of(sound))
    assert (found.code, found.asked) == ("en", False)
    assert NOBODY_SPEAKS.code == "und"
    with pytest.raises(InvalidJob, match=r"tiny\.en knows English only, not 'de'"):
        require_language(model, "de")


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(CapabilityMissing, match=r"download_model\('small'") as caught:
        find_model("small", (tmp_path,))
    assert str(tmp_path) in str(caught.value)
    assert "tiny.en" in str(caught.value)


def test_a_model_is_found_by_name_and_by_path_and_is_the_same(model: Model, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(model.path)
    assert find_model("mine", (tmp_path,)).sha256 == model.sha256
    assert find_model(str(tmp_path / "mine"), ()).sha256 == model.sha256
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.bin").touch()
    with pytest.raises(CapabilityMissing, match=r"lacks config\.json, tokenizer\.json"):
        find_model("half", (tmp_path,))


async def test_a_model_that_is_none_is_told(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (broken / name).write_bytes((model.path / name).read_bytes())
    (broken / "model.bin").write_bytes(b"no model")
    sound = long_sound(speech.say("The captain."), tmp_path, times=1)
    window = (await windows_of(sound))[0]
    with pytest.raises(CapabilityMissing, match="broken cannot be used"):
        await engine.transcribe(find_model(str(broken), ()), sound, window, SETTINGS, "en")


def long_sound(said: speech.Speech, folder: Path, *, times: int) -> SpeechSound:
    """The same again and again, in the form that models hear."""
    once = said.write(folder / "once.wav")
    made(folder / "once.s16", "-i", once, "-ar", str(RATE_HZ), "-f", "s16le")
    path = folder / "long.s16"
    path.write_bytes((folder / "once.s16").read_bytes() * times)
    assert path.stat().st_size % SAMPLE_BYTES == 0
    return SpeechSound(path, 1)


def lives(pid: int) -> bool:
    return any(
        process.pid == pid or os.getpgid(process.pid) == pid
        for process in psutil.process_iter()
        if psutil.pid_exists(process.pid)
    )
