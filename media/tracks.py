"""Which sound tracks of a source come out."""

from __future__ import annotations

from longtake.contracts.encode import AudioSettings
from longtake.contracts.media import AudioFacts
from longtake.errors import InvalidJob

_TWO_LETTERS = {
    "en": "eng", "de": "ger", "fr": "fre", "es": "spa", "it": "ita", "pt": "por", "nl": "dut",
    "ru": "rus", "ja": "jpn", "zh": "chi", "ko": "kor", "ar": "ara", "hi": "hin", "pl": "pol",
    "sv": "swe", "da": "dan", "fi": "fin", "no": "nor", "cs": "cze", "el": "gre", "tr": "tur",
    "uk": "ukr", "hu": "hun", "he": "heb", "fa": "per", "ro": "rum", "th": "tha", "vi": "vie",
}  # fmt: skip
"""ISO 639-1 to the bibliographic codes of ISO 639-2, which files use."""
_TERMINOLOGICAL = {
    "deu": "ger", "fra": "fre", "nld": "dut", "zho": "chi", "ces": "cze", "ell": "gre",
    "fas": "per", "ron": "rum",
}  # fmt: skip


def choose_tracks(
    tracks: tuple[AudioFacts, ...], settings: AudioSettings
) -> tuple[AudioFacts, ...]:
    """The tracks that `settings.tracks` names, in that order, each once.

    Left out: the default one, else the first; with copy, all. A language means every track in
    it. Raises InvalidJob, naming the tracks there are, for one that is not there.
    """
    if settings.tracks == "all" or (settings.tracks is None and settings.codec == "copy"):
        return tracks
    if settings.tracks is None:
        return (next((track for track in tracks if track.default), tracks[0]),)
    chosen: list[AudioFacts] = []
    for asked in settings.tracks:
        found = _find(tracks, asked)
        if not found:
            raise InvalidJob(f"there is no sound track {asked!r}; there are {_listed(tracks)}")
        chosen += [track for track in found if track not in chosen]
    return tuple(chosen)


def _find(tracks: tuple[AudioFacts, ...], asked: int | str) -> list[AudioFacts]:
    if isinstance(asked, int):
        return [tracks[asked - 1]] if asked <= len(tracks) else []
    return [track for track in tracks if track.language and _code(track.language) == _code(asked)]


def _code(language: str) -> str:
    """One code a language: files say `ger`, `deu`, `de` or `de-AT`."""
    code = language.lower().partition("-")[0]
    code = _TWO_LETTERS.get(code, code)
    return _TERMINOLOGICAL.get(code, code)


def _listed(tracks: tuple[AudioFacts, ...]) -> str:
    return ", ".join(
        f"{number} ({track.language or 'no language'})" for number, track in enumerate(tracks, 1)
    )
