"""Conditions hold for the facts of a real probe, and say why they do not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from longtake.contracts.media import AudioFacts, MediaFacts, VideoFacts
from longtake.contracts.pipeline import When
from longtake.pipelines.conditions import facts_of, why_not

PICTURE = VideoFacts(
    index=0, codec="h264", width=720, height=1280, pixel_format="yuv420p", frame_rate=Fraction(30),
    frames=300, start_s=0, duration_s=10, time_base=Fraction(1, 90000), keyframes=5,
    longest_gop_s=2,
)  # fmt: skip
SOUND = AudioFacts(
    index=1, codec="aac", channels=2, layout="stereo", sample_rate=48000, start_s=0, duration_s=10,
    language="ger",
)  # fmt: skip
FILM = MediaFacts(
    container="mp4", duration_s=10, start_s=0, bytes=1000, video=(PICTURE,), audio=(SOUND,)
)
LARGE = FILM.model_copy(update={"bytes": 2_000_000_001})
SILENT = FILM.model_copy(update={"audio": ()})
RECORDING = FILM.model_copy(update={"video": ()})


@pytest.mark.parametrize(
    ("when", "media", "why"),
    [
        ({"has_video": True}, FILM, None),
        ({"has_video": True}, RECORDING, "the file has no picture"),
        ({"has_video": False}, FILM, "the file has a picture"),
        ({"has_audio": True}, SILENT, "the file has no sound"),
        ({"has_audio": False}, SILENT, None),
        ({"height": {"at_least": 720}}, FILM, None),
        ({"height": {"at_least": 721}}, FILM, "shorter side has 720 px, not at least 721"),
        ({"height": {"at_least": 1}}, RECORDING, "the file has no picture"),
        ({"height": {"at_most": 720}}, RECORDING, "the file has no picture"),
        ({"duration_s": {"at_most": 10}}, FILM, None),
        ({"duration_s": {"at_least": 1, "at_most": 9.5}}, FILM, "not at least 1 and at most 9.5"),
        ({"bytes": {"at_most": 999}}, FILM, "1000 bytes"),
        ({"bytes": {"at_most": 2_000_000_000}}, LARGE, "2000000001 bytes, not at most 2000000000"),
        ({"language": "de"}, FILM, None),
        ({"language": ["en", "de"]}, FILM, None),
        ({"language": "en"}, FILM, "tagged de, not en"),
        ({"language": "de-AT"}, FILM, "tagged de, not de-AT"),
        ({"language": "en"}, SILENT, "tagged no language"),
        ({"has_video": True, "has_audio": True}, SILENT, "no sound"),
    ],
)
def test_a_condition_holds_or_says_why_not(
    when: dict[str, Any], media: MediaFacts, why: str | None
) -> None:
    found = why_not(When.model_validate(when), facts_of(media))
    assert (found is None) == (why is None)
    assert why is None or (found and why in found)


@pytest.mark.parametrize("when", [{}, {"height": {}}, {"height": {"at_least": 2, "at_most": 1}}])
def test_a_condition_that_asks_nothing_is_refused(when: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"names no fact|say at_least|nothing is"):
        When.model_validate(when)
