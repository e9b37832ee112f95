"""What tests of speech share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from media.speech.engine import SpeechEngine
from media.speech.models import Model, find_model
from tests import speech


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
