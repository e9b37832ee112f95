"""`longtake transcode`: a job from options, then follow it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from longtake.cli import options, values
from longtake.cli.console import print_json, say
from longtake.cli.follow import follow
from longtake.cli.report import report
from longtake.cli.session import Farewell, attend
from longtake.errors import OutputConflict
from longtake.kinds import AnyJob, parse

if TYPE_CHECKING:
    from longtake.client import JobHandle, Longtake


def transcode(
    input: options.Input,  # noqa: A002 - the contract's own name
    output: options.Output,
    preset: options.Preset = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    no_wait: options.NoWait = False,
    start: options.Start = None,
    end: options.End = None,
    video: options.Video = None,
    crf: options.Crf = None,
    height: options.Height = None,
    upscale: options.Upscale = False,
    speed: options.EncoderSpeed = None,
    max_bitrate: options.MaxBitrate = None,
    keyframe_interval: options.KeyframeInterval = None,
    audio: options.Audio = None,
    audio_bitrate: options.AudioBitrate = None,
    channels: options.Channels = None,
    sample_rate: options.SampleRate = None,
    job_id: options.Id = None,
    priority: options.Priority = None,
    tenant: options.Tenant = None,
    label: options.Label = None,
    deadline: options.Deadline = None,
    chunk: options.Chunk = None,
    gpu: options.Gpu = None,
) -> None:
    """Encode a media file into another. The same command again joins the same job."""
    if Path(output).is_dir():
        raise OutputConflict(f"{output} is a folder; name a file in it")
    picture = {
        "codec": video,
        "crf": crf,
        "speed": speed,
        "height": height,
        "upscale": upscale or None,
        "max_bitrate_bps": values.bit_rate(max_bitrate),
        "keyframe_interval_s": keyframe_interval,
    }
    sound = {
        "codec": audio,
        "bitrate_bps": values.bit_rate(audio_bitrate),
        "channels": channels,
        "sample_rate": sample_rate,
    }
    asked = {
        "id": job_id,
        "tenant": tenant,
        "priority": priority,
        "labels": values.labels(label or []),
        "deadline": values.deadline(deadline, datetime.now().astimezone()),
        "gpu": gpu,
        "input": input,
        "output": output,
        "preset": values.preset(preset),
        "video": _given(picture),
        "audio": _given(sound),
        "start": start,
        "end": end,
        "chunk_s": chunk,
        "overwrite": overwrite,
    }
    job = parse(_given(asked))
    attend(lambda longtake, farewell: _run(longtake, farewell, job, as_json, no_wait))


async def _run(
    longtake: Longtake, farewell: Farewell, job: AnyJob, as_json: bool, no_wait: bool
) -> None:
    handle = await longtake.start(job)
    say(f"{_met(handle)} {handle.id}")
    if no_wait:
        await detach(handle, as_json=as_json)
    else:
        report(await follow(handle, farewell), as_json=as_json)


async def detach(handle: JobHandle, *, as_json: bool) -> None:
    """Leave a job to itself: its id on stdout, the way back on stderr."""
    if as_json:
        status = await handle.status()
        print_json({"job_id": handle.id, "state": status.state})
    else:
        typer.echo(handle.id)
    say(f"`longtake watch {handle.id}` follows it")


def _met(handle: JobHandle) -> str:
    return {"new": "job", "running": "joined job", "done": "done before: job"}[handle.found]


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}
