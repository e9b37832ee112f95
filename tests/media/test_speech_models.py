"""Models: found or told how to get them, of one language or of many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from faster_whisper import available_models

from longtake.errors import CapabilityMissing, InvalidJob
from media.speech.engine import NOBODY_SPEAKS, SpeechEngine
from media.speech.models import OFFERED, Model, find_model, require_language
from tests import multilingual, speech
from tests.media.hearing import SETTINGS, long_sound, sound_of, windows_of


async def test_the_language_of_an_english_model_is_english(
    engine: SpeechEngine, model: Model, tmp_path: Path
) -> None:
    sound = await sound_of(speech.speech(10, seed=8).write(tmp_path / "talk.wav"))
    found = await engine.detect_language(model, sound, await windows_of(sound))
    assert (found.code, found.asked) == ("en", False)
    assert NOBODY_SPEAKS.code == "und"
    with pytest.raises(InvalidJob, match=r"tiny\.en knows English only, not 'de'"):
        require_language(model, "de")


async def test_a_language_is_not_told_by_how_a_recording_begins(
    engine: SpeechEngine, tmp_path: Path
) -> None:
    """Half a minute of the one, a minute of the other, without a pause that parts windows."""
    many = find_model(str(multilingual.make(tmp_path / "many")), ())
    pause, half_minute = speech.silence(1.2), 30 * speech.SAMPLE_HZ * 2

    def said(sentence: str) -> speech.Speech:
        again = speech.joined([speech.say(sentence), pause] * 15)
        return replace(again, samples=again.samples[:half_minute])

    french, german = said("My older brother painted the kitchen."), said("We will meet again.")
    sound = long_sound(speech.joined([french, german, german]), tmp_path, times=1)
    windows = await windows_of(sound)
    assert len(windows) == 1
    found = await engine.detect_language(many, sound, windows)
    assert (found.code, found.asked) == ("de", False)
    assert found.probability < 0.8


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(CapabilityMissing, match=r"download_model\('small'") as caught:
        find_model("small", (tmp_path,))
    assert str(tmp_path) in str(caught.value)
    assert "tiny.en" in str(caught.value)
    with pytest.raises(CapabilityMissing, match=r"download_model\('small', output_dir='/m/small'"):
        find_model("/m/small", ())
    with pytest.raises(CapabilityMissing, match=r"none called smal, but .*, small,") as caught:
        find_model("smal", (tmp_path,))
    assert "download_model" not in str(caught.value), "it would be refused there"
    assert tuple(available_models()) == OFFERED


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
