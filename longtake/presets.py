"""Presets: where they lie, how they are read, and how options become complete settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from longtake.contracts.base import Contract
from longtake.contracts.codecs import ENCODINGS
from longtake.contracts.containers import ANIMATIONS, why_not
from longtake.contracts.encode import (
    AudioOptions,
    AudioSettings,
    EncodePreset,
    EncodeSettings,
    VideoOptions,
    VideoSettings,
)
from longtake.contracts.sound import SOUNDS
from longtake.contracts.transcode import Transcode
from longtake.documents import in_a_line, read_document
from longtake.errors import InvalidJob

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PACKAGE = Path(__file__).parent
_OBJECT = re.compile(r"a valid dictionary( or instance of \w+)?")

Model = TypeVar("Model", bound=Contract)


def application_root() -> Path:
    """Folder of the worker application: `longtake/_app` in a wheel, the root of a checkout."""
    packaged = _PACKAGE / "_app"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def encode_presets() -> dict[str, EncodePreset]:
    """The presets that come with Longtake, by name."""
    folder = application_root() / "presets" / "encode"
    return {path.stem: read_preset(path) for path in sorted(folder.glob("*.yaml"))}


def read_preset(path: Path) -> EncodePreset:
    """A preset of encodes from a YAML file. Raises InvalidJob as `read_model` does."""
    return read_model(path, EncodePreset)


def validated(model: type[Model], content: object) -> Model:
    """A model from what somebody wrote. Raises InvalidJob that names the field and the cause."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidJob(describe(error)) from error


def read_model(path: Path, model: type[Model]) -> Model:
    """A preset from a YAML file. Raises InvalidJob that names the file, the field and the cause."""
    import yaml  # late: most clients name a preset and never read one

    try:
        return model.model_validate(read_document(path))
    except OSError as error:
        raise InvalidJob(f"preset file {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidJob(f"preset file {path} is not YAML: {in_a_line(error)}") from error
    except ValidationError as error:
        raise InvalidJob(f"preset file {path} is not valid: {describe(error)}") from error


def find_preset(name: str) -> EncodePreset:
    """The preset called `name`. Raises InvalidJob that lists the names there are."""
    presets = encode_presets()
    if name not in presets:
        known = ", ".join(presets)
        raise InvalidJob(
            f"there is no preset {name!r}. Use one of: {known}; or the path of a YAML file"
        )
    return presets[name]


def resolve(job: Transcode) -> EncodeSettings:
    """Complete settings of a job: its own options over its preset's over the defaults.

    Raises InvalidJob for an unknown preset and for options that contradict each other.
    """
    _check_options("video", job.video)
    _check_options("audio", job.audio)
    preset = _preset_of(job)
    try:
        settings = EncodeSettings(
            preset=job.preset_name,
            video=VideoSettings(**_overlay(_base_video(job, preset), job.video)),
            audio=AudioSettings(**_overlay(_base_audio(job, preset), job.audio)),
            container=job.container,
        )
    except ValidationError as error:
        raise InvalidJob(f"settings contradict each other: {describe(error)}") from error
    if settings.video.codec == settings.audio.codec == "none":
        raise InvalidJob("the output would hold neither picture nor sound: leave one of them in")
    _check_container(job, settings)
    return settings


def _preset_of(job: Transcode) -> EncodePreset:
    if isinstance(job.preset, EncodePreset):
        return job.preset
    return find_preset(job.preset or job.default_preset)


def _check_options(kind: str, options: VideoOptions | AudioOptions) -> None:
    """A stream that is copied or left out has no quality to ask for."""
    others = set(options.model_dump(exclude_none=True)) - {"codec"}
    if options.codec == "copy":
        others -= {"tracks"}
    if options.codec in ("copy", "none") and others:
        raise InvalidJob(
            f"{kind}.codec {options.codec} and {kind}.{min(others)} contradict each other: "
            "leave one out"
        )


def _check_container(job: Transcode, settings: EncodeSettings) -> None:
    """What is encoded must have a place in the container; copies are checked with the source."""
    if settings.video.codec == "copy" and settings.container in ANIMATIONS:
        raise InvalidJob(
            f"{job.output}: an animated image is always encoded, never copied: leave out "
            "`--video copy`"
        )
    for kind, codec in (("video", settings.video.codec), ("audio", settings.audio.codec)):
        if codec in ENCODINGS or codec in SOUNDS:
            why = why_not(settings.container, kind, codec)  # type: ignore[arg-type]
            if why:
                raise InvalidJob(f"{job.output}: {why}")


def _base_video(job: Transcode, preset: EncodePreset) -> VideoOptions:
    """The preset's options, less those that the job's own options leave no room for.

    A quality on another codec's scale means nothing; a bit rate replaces a quality, and a
    quality a bit rate; lossless (crf 0) has neither cap nor profile, and H.264 no profile where
    other pixels are asked for than the profiles hold. Where no preset was
    named, lossless means the source's own size and pixel format, too.
    """
    asked, base = job.video, preset.video
    codec = asked.codec or base.codec or "h264"
    dropped: set[str] = set()
    if asked.crf == 0 and job.preset is None:
        lossy = base.codec if base.codec in ENCODINGS else "h264"
        return VideoOptions(codec=lossy, pixel_format="source")
    if codec != (base.codec or "h264"):
        dropped |= {"crf", "speed", "profile", "pixel_format"}
    if codec in ENCODINGS and not ENCODINGS[codec].rate:
        dropped.add("bitrate_bps")
    if codec in ENCODINGS and not ENCODINGS[codec].cap:
        dropped.add("max_bitrate_bps")
    if asked.crf is not None:
        dropped |= {"bitrate_bps", "quality"}
    if asked.crf == 0:
        dropped |= {"max_bitrate_bps", "profile"}
    if codec == "h264" and asked.pixel_format not in (None, "yuv420p"):
        dropped.add("profile")
    if asked.bitrate_bps is not None:
        dropped |= {"crf", "quality"}
    if asked.quality is not None:
        dropped |= {"crf", "bitrate_bps"}
    return base.model_copy(update=dict.fromkeys(dropped))


def _base_audio(job: Transcode, preset: EncodePreset) -> AudioOptions:
    """The preset's options; another codec has other rates and depths."""
    codec = job.audio.codec
    if codec is None or codec == (preset.audio.codec or "aac"):
        return preset.audio
    return preset.audio.model_copy(
        update=dict.fromkeys(("bitrate_bps", "bit_depth", "sample_rate", "channels"))
    )


def _overlay(preset: VideoOptions | AudioOptions, options: Contract) -> dict[str, Any]:
    """Who names a quality wants that quality: any option of the job's own, unless it is the
    codec or the track alone, switches the preset's smart copy off."""
    asked = options.model_dump(exclude_none=True)
    merged = _less_size(preset.model_dump(exclude_none=True), asked) | asked
    if set(asked) - {"codec", "tracks"} and "smart_copy" not in asked:
        merged["smart_copy"] = False
    return merged


def _less_size(preset: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The preset's options without its size, where the job names one of another kind."""
    sizes = {"height", "fit", "pad"}
    return {key: value for key, value in preset.items() if key not in sizes or not sizes & {*asked}}


def describe(error: ValidationError) -> str:
    """Pydantic's findings in one line: `video.crf: Input should be less than …; …`."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, place)), words))) for place, words in found(error)
    )


def found(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Pydantic's findings: each with its place, and in plain words."""
    items = error.errors(include_url=False)
    return [(item["loc"], _plain(item["msg"])) for item in items if not _follows(item, items)]


def _follows(item: ErrorDetails, items: Sequence[ErrorDetails]) -> bool:
    """Whether a list is too short only because an entry of it is wrong, as is told, too."""
    place = item["loc"]
    inner = (other["loc"] for other in items if len(other["loc"]) > len(place))
    return item["type"] == "too_short" and place in {each[: len(place)] for each in inner}


def _plain(words: str) -> str:
    words = words.removeprefix("Value error, ")  # pydantic's name for a validator of ours
    if words == "Extra inputs are not permitted":
        return "there is no such field"
    return _OBJECT.sub("an object", words).replace("a valid tuple", "a list")
