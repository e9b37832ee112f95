"""Files and playlists call one language by one name, however whoever names it spells it."""

from __future__ import annotations

import pytest

from longtake.languages import bcp47, code


@pytest.mark.parametrize(
    ("spellings", "file", "playlist"),
    [
        (("de", "ger", "deu", "de-AT"), "ger", "de"),
        (("bg", "bul"), "bul", "bg"),
        (("cy", "wel", "cym"), "wel", "cy"),
        (("nb", "nob"), "nob", "nb"),
        (("jw", "jv", "jav"), "jav", "jv"),
        (("iw", "he", "heb"), "heb", "he"),
        (("haw",), "haw", "haw"),
        (("yue",), "yue", "yue"),
    ],
)
def test_a_language_has_one_code_in_files_and_one_in_playlists(
    spellings: tuple[str, ...], file: str, playlist: str
) -> None:
    assert {code(each) for each in spellings} == {file}
    assert {str(bcp47(each)).partition("-")[0] for each in spellings} == {playlist}


def test_every_language_of_whisper_has_three_letters_in_files() -> None:
    """MP4 knows no others, and loses them."""
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    assert {len(code(language)) for language in tokenizer._LANGUAGE_CODES} == {3}


def test_what_is_no_language_has_no_name() -> None:
    assert bcp47(None) is bcp47("und") is bcp47("") is bcp47("what ever") is None
