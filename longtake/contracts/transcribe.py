"""The job `Transcribe`: what is said in a recording, as captions and as text."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from longtake.contracts.base import Contract, Uri, spelt
from longtake.contracts.encode import Track
from longtake.contracts.job import Job
from longtake.paths import name_of, shown

TextFormat = Literal["vtt", "srt", "json", "txt", "md"]
TEXT_FORMATS: tuple[TextFormat, ...] = get_args(TextFormat)

LanguageAsked = Annotated[
    str,
    spelt("auto|[a-z]{2,3}", "use auto, or a code of two or three letters, such as en or de"),
]
HotWord = Annotated[str, Field(min_length=1, max_length=100)]

_FILMS = (".mp4", ".mov", ".mkv")
"""Containers that hold text tracks and any usual picture."""


class SpeechSettings(Contract):
    """How a recording is heard: all that its words hang on, but the sound."""

    model: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        default="tiny.en",
        description="Name of a speech model that the workers have, or an absolute path of one.",
    )
    language: LanguageAsked = Field(
        default="auto", description="auto: heard, in several places; or its code, such as en."
    )
    beam_size: int = Field(
        default=5, ge=1, le=10, description="Ways to go on that are looked at side by side."
    )
    hot_words: Annotated[tuple[HotWord, ...], Field(max_length=100)] = Field(
        default=(), description="Names and terms that are likely to be said."
    )
    prompt: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Text as it might have stood before: its spelling and style are followed.",
    )
    mask_profanity: bool = Field(
        default=False, description="Write rude words with their first letter alone."
    )
    speakers: Literal["channels"] | None = Field(
        default=None, description="channels: each channel of the sound is a speaker of its own."
    )

    @model_validator(mode="after")
    def _names_a_place(self) -> SpeechSettings:
        if "/" in self.model and not self.model.startswith("/"):
            raise ValueError(f"model {self.model!r}: use its name, or an absolute path")
        return self


class Transcribe(SpeechSettings, Job):
    """Write down what is said in a recording.

    `{"kind": "transcribe", "input": URI, "output": FOLDER}`, or a file whose suffix says the
    format.
    """

    COUNTS: ClassVar[str] = "windows"

    kind: Literal["transcribe"] = "transcribe"
    input: Uri
    output: Uri = Field(
        description="A file (.vtt, .srt, .json, .txt, .md); else a folder, made if it is not "
        "there, for files that are called as the input."
    )
    formats: Annotated[tuple[TextFormat, ...], Field(min_length=1)] | None = Field(
        default=None, description="What is written into a folder; left out, all of them."
    )
    track: Track | None = Field(
        default=None,
        description="The sound track that is heard: its number, from 1, or its language. Left "
        "out, the default one.",
    )
    film: Literal["burn", "mux"] | None = Field(
        default=None,
        description="Make a film with the captions, too: burn draws them into the picture, mux "
        "lays a text track beside it. It lies in the folder, as NAME.captioned.mp4.",
    )
    overwrite: bool = Field(default=False, description="Replace files that exist.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Transcribe:
        if self.input == self.output:
            raise ValueError("output must be another file than input")
        if not self.writes_folder and self.formats is not None:
            raise ValueError("the output's suffix says its format: name a folder, or drop formats")
        if self.film and not self.writes_folder:
            raise ValueError("a film with captions needs a folder: name one as output")
        if self.film and "vtt" not in dict(self.texts):
            raise ValueError("a film takes its captions from the .vtt: add vtt to formats")
        return self

    @property
    def writes_folder(self) -> bool:
        """Whether the output's name says no format."""
        return self._suffix(self.output).removeprefix(".") not in TEXT_FORMATS

    @property
    def texts(self) -> tuple[tuple[TextFormat, str], ...]:
        """Each format with the file that it is written to, in the order of the formats."""
        if not self.writes_folder:
            only = self._suffix(self.output).removeprefix(".")
            return tuple((name, self.output) for name in TEXT_FORMATS if name == only)
        asked = self.formats or TEXT_FORMATS
        return tuple((name, self._in_folder(f".{name}")) for name in TEXT_FORMATS if name in asked)

    @property
    def film_uri(self) -> str | None:
        """Where the film goes; in the container of the input, where it holds text tracks."""
        if self.film is None:
            return None
        suffix = self._suffix(self.input)
        other = ".mkv" if self.film == "mux" else ".mp4"
        return self._in_folder(f".captioned{suffix if suffix in _FILMS else other}")

    @property
    def speech(self) -> SpeechSettings:
        """The settings alone."""
        return SpeechSettings(**{name: getattr(self, name) for name in SpeechSettings.model_fields})

    def _in_folder(self, ending: str) -> str:
        stem = PurePosixPath(name_of(self.input)).stem
        return f"{self.output.rstrip('/')}/{stem}{ending}"

    @staticmethod
    def _suffix(uri: str) -> str:
        return PurePosixPath(shown(uri)).suffix.lower()
