"""Speech to text: what is said is written down, wherever it is cut, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from longtake.contracts.transcribe import SpeechSettings
from longtake.contracts.transcript import Segment
from media.speech.engine import SpeechEngine
from media.speech.models import Model
from tests import speech
from tests.media.hearing import (
    SAID,
    SETTINGS,
    errors,
    hear,
    made,
    sound_of,
    text_of,
    windows_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[SpeechEngine]:
    """One for all: what it hears does not depend on what it heard before."""
    engine = SpeechEngine()
    yield engine
    await engine.close()


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
    said = speech.say("The driver waited for an answer at the station.")
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
    said = speech.say(SAID).write(tmp_path / "said.wav")
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
