"""Presets of Stitch: where they lie, and how a job and its preset become a complete job."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from longtake.contracts.sound import SOUNDS
from longtake.contracts.stitch import (
    Part,
    PartOptions,
    Stitch,
    StitchOptions,
    StitchOutput,
    StitchPreset,
)
from longtake.errors import InvalidJob
from longtake.presets import application_root, describe, read_model


def stitch_presets() -> dict[str, StitchPreset]:
    """The presets of Stitch that come with Longtake, by name."""
    folder = application_root() / "presets" / "stitch"
    return {path.stem: read_model(path, StitchPreset) for path in sorted(folder.glob("*.yaml"))}


def find_stitch_preset(name: str) -> StitchPreset:
    """The preset called `name`. Raises InvalidJob that lists the names there are."""
    presets = stitch_presets()
    if name not in presets:
        raise InvalidJob(f"stitch has no preset {name!r}; use one of: {', '.join(presets)}")
    return presets[name]


def resolve_stitch(job: Stitch) -> Stitch:
    """The job with its preset's options where it says nothing itself.

    Raises InvalidJob for an unknown preset and for options that contradict each other.
    """
    preset = job.preset
    if isinstance(preset, str):
        preset = find_stitch_preset(preset)
    if preset is None:
        preset = StitchPreset(title="none", audience="none")
    chosen: dict[str, Any] = {
        name: getattr(preset, name)
        for name in StitchOptions.model_fields
        if getattr(job, name) is None
    }
    chosen["timeline"] = tuple(_part(part, preset) for part in job.timeline)
    chosen["outputs"] = tuple(_output(output, preset) for output in job.outputs)
    try:
        return Stitch.model_validate(job.model_copy(update=chosen).model_dump())
    except ValidationError as error:
        raise InvalidJob(f"settings contradict each other: {describe(error)}") from error


def _part(part: Part, preset: StitchPreset) -> Part:
    of_role = {"speech": preset.speech, "bumper": preset.bumper, "music-bed": preset.music_bed}
    options = of_role[part.role]
    return part.model_copy(
        update={
            name: getattr(options, name)
            for name in PartOptions.model_fields
            if getattr(part, name) is None
        }
    )


def _output(output: StitchOutput, preset: StitchPreset) -> StitchOutput:
    """With a bit rate, where its codec has one."""
    if output.bitrate_bps is not None or output.vbr is not None:
        return output
    rate = preset.bitrates_bps.get(output.codec, SOUNDS[output.codec].bitrate_bps)
    return output.model_copy(update={"bitrate_bps": rate})
