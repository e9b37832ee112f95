"""Presets of Package: where they lie, and how a job and its preset become a complete job."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pydantic import ValidationError

from longtake.contracts.package import Package, PackageOptions, PackagePreset
from longtake.errors import InvalidJob
from longtake.presets import application_root, describe, read_model

_DEFAULTS: dict[str, Any] = {
    "codecs": ("h264",),
    "ladder": "fixed",
    "crf": {},
    "speed": {},
    "segment_s": Fraction(4),
    "gop_s": Fraction(2),
    "audio_bitrate_bps": 128_000,
    "parts": (),
}


def package_presets() -> dict[str, PackagePreset]:
    """The presets of Package that come with Longtake, by name."""
    folder = application_root() / "presets" / "package"
    return {path.stem: read_model(path, PackagePreset) for path in sorted(folder.glob("*.yaml"))}


def find_package_preset(name: str) -> PackagePreset:
    """The preset called `name`. Raises InvalidJob that lists the names there are."""
    presets = package_presets()
    if name not in presets:
        raise InvalidJob(f"package has no preset {name!r}; use one of: {', '.join(presets)}")
    return presets[name]


def resolve_package(job: Package) -> Package:
    """The job with every option said: its own, else its preset's, else the default.

    Raises InvalidJob for an unknown preset and for options that contradict each other.
    """
    preset = job.preset
    if not isinstance(preset, PackagePreset):
        preset = find_package_preset(preset or job.preset_name)
    chosen = {name: _chosen(name, job, preset) for name in PackageOptions.model_fields}
    try:
        complete = Package.model_validate(job.model_copy(update=chosen).model_dump())
    except ValidationError as error:
        raise InvalidJob(f"settings contradict each other: {describe(error)}") from error
    _check(complete)
    return complete


def _chosen(name: str, job: PackageOptions, preset: PackageOptions) -> Any:
    own, of_preset = getattr(job, name), getattr(preset, name)
    if isinstance(own, dict) and isinstance(of_preset, dict):
        return of_preset | own
    return next((each for each in (own, of_preset) if each is not None), _DEFAULTS[name])


def _check(job: Package) -> None:
    segment, gop = job.segment_s or Fraction(4), job.gop_s or Fraction(2)
    if segment % gop:
        raise InvalidJob(
            f"segments of {float(segment):g} s are no whole number of GOPs of {float(gop):g} s: "
            "choose another gop_s or segment_s"
        )
    if job.encryption and job.encryption.scheme == "aes-128" and job.encryption.key_id:
        raise InvalidJob("key_id is for cbcs; aes-128 has none: leave it out")
    repeated = len(set(job.codecs or ())) < len(job.codecs or ())
    if repeated:
        raise InvalidJob("a codec is named twice: name each once")
