from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from longtake import InvalidJob
from longtake.cli import values
from longtake.contracts.encode import EncodePreset

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("4M", 4_000_000), ("128k", 128_000), ("1.5M", 1_500_000), ("96_000", 96_000)],
)
def test_bit_rates_are_read_as_people_write_them(text: str, bits: int) -> None:
    assert values.bit_rate(text) == bits


@pytest.mark.parametrize("text", ["", "much", "4G", "-4M", "4M8"])
def test_other_bit_rates_are_refused(text: str) -> None:
    with pytest.raises(InvalidJob, match="is no bit rate"):
        values.bit_rate(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", "2030-01-01T14:00:00+00:00"),
        ("1d", "2030-01-02T12:00:00+00:00"),
        ("2030-02-01T00:00:00+02:00", "2030-01-31T22:00:00+00:00"),
    ],
)
def test_deadlines_are_spans_or_moments(text: str, moment: str) -> None:
    read = values.deadline(text, NOW)
    assert read is not None
    assert datetime.fromisoformat(read) == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["10s", "90s", "30m", "36h", "1d", "14d"])
def test_a_length_of_time_is_told_as_it_is_written(text: str) -> None:
    seconds = values.span(text)
    assert seconds
    assert values.spelled(seconds) == text


def test_a_deadline_without_a_zone_is_local() -> None:
    read = values.deadline("2030-02-01T10:00", NOW)
    assert read is not None
    assert datetime.fromisoformat(read).tzinfo is not None


@pytest.mark.parametrize("text", ["soon", "2 weeks", "2030-13-01"])
def test_other_deadlines_are_refused(text: str) -> None:
    with pytest.raises(InvalidJob, match="is no deadline"):
        values.deadline(text, NOW)


def test_labels_are_pairs() -> None:
    assert values.labels(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}
    for wrong in ("a", "=b"):
        with pytest.raises(InvalidJob, match="is no label"):
            values.labels([wrong])


def test_a_preset_is_a_name_or_the_content_of_a_file(tmp_path: Path) -> None:
    assert values.preset("web-720p", EncodePreset) == "web-720p"
    file = tmp_path / "mine.yaml"
    file.write_text("title: mine\naudience: me\nvideo: {crf: 20}\n")
    assert values.preset(str(file), EncodePreset) == {
        "title": "mine",
        "audience": "me",
        "video": {"crf": 20},
        "audio": {},
    }
    with pytest.raises(InvalidJob, match="cannot be read"):
        values.preset("gone.yaml", EncodePreset)


@pytest.mark.parametrize(
    ("words", "tracks"),
    [([], None), (["all"], "all"), (["2"], [2]), (["fr", "1"], ["fr", 1])],
)
def test_tracks_are_numbers_languages_or_all(words: list[str], tracks: object) -> None:
    assert values.tracks(words) == tracks


def test_captions_are_written_down_or_given_not_both() -> None:
    assert values.package_captions(["transcribe"]) == "transcribe"
    for texts in (["transcribe", "en=a.vtt"], ["en=a.vtt", "transcribe"]):
        with pytest.raises(InvalidJob, match="stands alone"):
            values.package_captions(texts)


@pytest.mark.parametrize("moment", [values.deadline, values.since])
def test_a_moment_that_no_calendar_has_is_refused_in_words(moment: object) -> None:
    assert callable(moment)
    for text in ("9999999d", "99999999999d"):
        with pytest.raises(InvalidJob, match=f"'{text}' is no"):
            moment(text, datetime.now().astimezone())
