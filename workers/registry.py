"""What a worker of each role can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from longtake.queues import Role
from media.children.capacity import cores
from workers.describe import describe_worker
from workers.settings import WorkerSettings


def workflows() -> list[type]:
    """Workflows, for `control`. Imported here: no other role needs them."""
    from workflows.batch import BatchWorkflow
    from workflows.command import CommandWorkflow
    from workflows.look_again import LookAgainWorkflow
    from workflows.normalize import NormalizeWorkflow
    from workflows.package import PackageWorkflow
    from workflows.pipeline import PipelineWorkflow
    from workflows.preview import PreviewWorkflow
    from workflows.stitch import StitchWorkflow
    from workflows.transcode import TranscodeWorkflow
    from workflows.transcribe import TranscribeWorkflow
    from workflows.webhooks import WebhooksWorkflow

    return [
        *(TranscodeWorkflow, PreviewWorkflow, CommandWorkflow, NormalizeWorkflow),
        *(LookAgainWorkflow, StitchWorkflow, PackageWorkflow, TranscribeWorkflow),
        *(BatchWorkflow, PipelineWorkflow, WebhooksWorkflow),
    ]


def activities(role: Role, settings: WorkerSettings) -> list[Callable[..., Any]]:
    """Activities on the queue of `role`."""
    return [describe_worker(role, settings), *_steps(role), *_hearing(role, settings)]


def deliveries() -> list[Callable[..., Any]]:
    """Activities on the queue of webhooks."""
    from activities.webhooks import deliver

    return [deliver]


def _steps(role: Role) -> list[Callable[..., Any]]:
    # Imported late: control needs nothing of the engine.
    if role == "io":
        from activities.admit import admit
        from activities.album import finish, judge_album
        from activities.album import plan as plan_album
        from activities.assemble import assemble
        from activities.batch import note_page, open_page, write_report
        from activities.batch import plan as plan_batch
        from activities.command import admit_command
        from activities.conclude import conclude
        from activities.film import copy_picture, finish_film
        from activities.fleet import count_workers
        from activities.look_again import look_again
        from activities.normalize import plan as plan_normalize
        from activities.package import pack
        from activities.package import plan as plan_package
        from activities.pipeline import (
            find_facts,
            look_at_step,
            note_step,
            prepare_pipeline,
            write_document,
        )
        from activities.plan import plan
        from activities.preview import plan as plan_preview
        from activities.publish import publish
        from activities.publish_tree import publish_tree
        from activities.stitch import plan as plan_stitch
        from activities.stitch import plan_whole as plan_stitch_whole
        from activities.tags import tag
        from activities.transcribe import plan as plan_transcribe
        from activities.transcribe import write as write_transcript

        return [
            *(admit, plan, assemble, conclude, count_workers),
            *(admit_command, plan_preview, plan_normalize, publish, publish_tree, look_again),
            *(plan_album, judge_album, finish, tag),
            *(plan_stitch, plan_stitch_whole, copy_picture, finish_film),
            *(plan_package, pack, plan_transcribe, write_transcript),
            *(plan_batch, open_page, note_page, write_report),
            *(prepare_pipeline, look_at_step, note_step, find_facts, write_document),
        ]
    if role in ("cpu", "gpu"):
        from activities.album import encode_stage
        from activities.borders import find_borders
        from activities.chapters import find_chapters
        from activities.command import run_command
        from activities.encode import analyse_chunk, encode_audio, encode_chunk, score_chunk
        from activities.film import encode_crossfade
        from activities.ladder import encode_trials
        from activities.normalize import level, measure
        from activities.package import encode_rungs
        from activities.preview import make_part
        from activities.stitch import describe, level_sound, mix, prepare
        from activities.stitch import finish as finish_sound
        from activities.transcribe import prepare as prepare_speech

        return [
            *(find_borders, find_chapters, analyse_chunk, encode_chunk, score_chunk),
            *(encode_audio, run_command, make_part, measure, level, encode_stage),
            *(prepare, mix, level_sound, finish_sound, describe, encode_crossfade),
            *(encode_trials, encode_rungs, prepare_speech),
        ]
    return []


def _hearing(role: Role, settings: WorkerSettings) -> list[Callable[..., Any]]:
    """Speech to text: on CPUs by workers of `speech`, on GPUs by those of `gpu`."""
    if role not in ("speech", "gpu"):
        return []
    from activities.hearing import Hearing

    device: Literal["cpu", "cuda"] = "cuda" if role == "gpu" else "cpu"
    return Hearing(device, threads=max(1, cores() // settings.slots)).steps()
