"""The job `Normalize`: files in, the same files out at another loudness, or told of theirs."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from longtake.contracts.base import Uri
from longtake.contracts.containers import CONTAINER_OF_SUFFIX, CONTAINERS, Container, why_not
from longtake.contracts.encode import BitRate
from longtake.contracts.job import Job
from longtake.contracts.loudness import Aim, Target, aim_at
from longtake.contracts.sound import why_wrong_rate
from longtake.paths import name_of, shown

SoundCodec = Literal["aac", "opus", "mp3", "flac", "pcm", "ac3"]
NormalizeMode = Literal["linear", "limit", "dynamic", "tags"]

SUFFIXES = tuple(
    suffix for suffix, container in CONTAINER_OF_SUFFIX.items() if CONTAINERS[container].audio != ()
)
"""Of containers that hold sound."""

MOST_FILES = 64
"""Of an album. The result names each with its facts and levels, and a message is small."""

Files = Annotated[tuple[Uri, ...], Field(min_length=1, max_length=MOST_FILES)]


class Normalize(Job):
    """Bring every sound track of a file to one loudness, measured in the encoded file.

    `{"input": URI, "output": URI, "target": "podcast"}`. The picture is copied; rate, channels,
    tags, cover and chapters are kept as far as the output's format holds them. A list as `input`
    is an album: its files get one gain, and `output` is a folder.
    """

    COUNTS: ClassVar[str] = "steps"

    kind: Literal["normalize"] = "normalize"
    input: Annotated[
        Annotated[Uri, Tag("file")] | Annotated[Files, Tag("files")],
        Discriminator(lambda given: "file" if isinstance(given, str) else "files"),
    ] = Field(description="A file; or a list of files, an album, with one sound track each.")
    output: Uri = Field(
        description=f"Its suffix decides the container: {', '.join(SUFFIXES)}. "
        "Of an album: a folder, made if it is not there; the files keep their names."
    )
    target: Target | None = Field(
        default=None,
        description="ebu-r128 (-23 LUFS, -1 dBTP; the default), atsc-a85 (-24 LKFS, -2 dBTP), "
        "podcast (-16 LUFS, mono -19, -1 dBTP) or streaming (-14 LUFS, -1 dBTP).",
    )
    loudness_lufs: Annotated[float, Field(ge=-50, le=-5)] | None = Field(
        default=None, description="Integrated loudness, instead of the target's."
    )
    true_peak_dbtp: Annotated[float, Field(ge=-9, le=0)] | None = Field(
        default=None, description="Highest true peak, instead of the target's."
    )
    mode: NormalizeMode = Field(
        default="limit",
        description="linear: one gain, and less of it where the true peak does not allow more. "
        "limit: one gain, and a true-peak limiter where it is needed. dynamic: quiet passages "
        "are brought up first; this changes how the sound was mixed. tags: the sound stays as it "
        "is, and ReplayGain 2.0 tags (in Ogg Opus: R128 gains) tell players its loudness.",
    )
    codec: SoundCodec | None = Field(
        default=None,
        description="Left out: the source's where it can be encoded and the output holds it, "
        "else what the output's format is for.",
    )
    bitrate_bps: BitRate | None = Field(
        default=None,
        description="Of each track. Left out: the source's where the codec stays and it is more "
        "than the codec's default.",
    )
    overwrite: bool = Field(default=False, description="Replace the output if it exists.")

    @model_validator(mode="after")
    def _can_be_done(self) -> Normalize:
        if self.output in self.sources:
            raise ValueError("output must be another file than input")
        if self.gpu != "never":
            raise ValueError("sound is levelled by CPU workers: leave gpu out")
        if self.mode == "tags":
            self._tells_alone()
        if self.album:
            self._is_an_album()
        for _, output in self.files:
            container = container_of(output)
            why = why_not(container, "audio", self.codec) if self.codec else None
            if why:
                raise ValueError(why.replace("--audio", "--codec"))
        if self.bitrate_bps is not None and self.codec is not None:
            why = why_wrong_rate(self.codec, self.bitrate_bps)
            if why:
                raise ValueError(why)
        return self

    def _tells_alone(self) -> None:
        for name in ("target", "loudness_lufs", "true_peak_dbtp", "codec", "bitrate_bps"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"mode tags leaves the sound as it is, and tags have a reference of their own "
                    f"(-18 LUFS; Opus -23): leave {name} out"
                )

    def _is_an_album(self) -> None:
        if self.mode == "dynamic":
            raise ValueError(
                "dynamic evens out what an album keeps, the differences of its files: use limit "
                "or linear"
            )
        names = [name_of(uri) for uri in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two files are called {twice[0]}, and both go to one folder")

    @property
    def album(self) -> bool:
        """Whether several files get one gain."""
        return not isinstance(self.input, str)

    @property
    def writes_folder(self) -> bool:
        """An album is written to a folder."""
        return self.album

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Each input with the output that is made of it."""
        if isinstance(self.input, str):
            return ((self.input, self.output),)
        folder = self.output.rstrip("/")
        return tuple((uri, f"{folder}/{name_of(uri)}") for uri in self.input)

    def aim(self, channels: int) -> Aim:
        """Where a track of so many channels shall land. Raises ValueError with `mode: tags`."""
        if self.mode == "tags":
            raise ValueError("with mode tags nothing is brought to a level")
        aim = aim_at(self.target or "ebu-r128", channels)
        loudness, peak = self.loudness_lufs, self.true_peak_dbtp
        return Aim(
            integrated_lufs=aim.integrated_lufs if loudness is None else loudness,
            true_peak_dbtp=aim.true_peak_dbtp if peak is None else peak,
            mode=self.mode,
        )


def container_of(output: str) -> Container:
    """The container that an output's suffix asks for. Raises ValueError for another suffix."""
    suffix = PurePosixPath(shown(output)).suffix.lower()
    if suffix not in SUFFIXES:
        ends = f"ends in {suffix!r}" if suffix else "has no suffix"
        raise ValueError(f"output {name_of(output)} {ends}: use one of {', '.join(SUFFIXES)}")
    return CONTAINER_OF_SUFFIX[suffix]
