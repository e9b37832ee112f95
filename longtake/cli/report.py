"""What came of a job, for people and for programs."""

from __future__ import annotations

from typing import Any

from longtake.cli.console import out, print_json, warn
from longtake.cli.display import duration
from longtake.contracts.loudness import Loudness
from longtake.contracts.media import MediaFacts
from longtake.contracts.result import JobError, JobResult, JobStatus, Output, Stats, Transcribed
from longtake.errors import LongtakeError
from longtake.paths import shown
from longtake.words import counted


def report(result: JobResult, *, as_json: bool) -> None:
    """The result on stdout, its warnings on stderr."""
    for warning in result.warnings:
        warn(warning)
    if as_json:
        print_json(document(result))
        return
    for output in result.outputs:
        out.print(_output(output), markup=False)
    if result.album:
        out.print(f"  album: {_change(result.album.before, result.album.after)}", markup=False)
    if result.transcript:
        out.print(f"  {_heard(result.transcript)}", markup=False)
    for decision in result.decisions.items():
        out.print("  {}: {}".format(*decision), markup=False)
    if result.stats.wall_s:
        out.print(f"  {_cost(result.stats)}", markup=False)


def document(result: JobResult) -> dict[str, Any]:
    """A result as JSON; what only some jobs have is there only where there is one."""
    content: dict[str, Any] = result.model_dump(mode="json")
    for name in ("error", "quality", "album", "transcript"):
        if content[name] is None:
            del content[name]
    return content


def failure(error: LongtakeError) -> dict[str, Any]:
    """The JSON document of a command that failed: a result without outputs.

    `job_id` is null where there was no job yet.
    """
    result = JobResult(
        job_id=error.job_id or "",
        state="canceled" if type(error).__name__ == "JobCanceled" else "failed",
        error=JobError(type=type(error).__name__, message=error.message),
    )
    return document(result) | {"job_id": error.job_id}


def report_status(status: JobStatus, *, as_json: bool) -> None:
    """A job at this moment."""
    if as_json:
        print_json(document(status))
        return
    progress = status.progress
    facts = {
        "job": status.job_id,
        "state": status.state,
        "stage": progress.stage,
        "done": f"{progress.fraction:.0%}" if progress.chunks_total else None,
        progress.counts: f"{progress.chunks_done} of {progress.chunks_total}"
        if progress.chunks_total
        else None,
        "left": duration(progress.eta_s) if progress.eta_s is not None else None,
        "waits for": progress.waiting_for,
        "input": shown(status.input) if status.input else None,
        "output": status.output,
        "preset": status.preset,
        "tenant": status.tenant,
        "started": status.started_at,
        "ended": status.closed_at,
        "error": f"{status.error.type}: {status.error.message}" if status.error else None,
    }
    for name, value in facts.items():
        if value is not None:
            out.print(f"{name:<10}{value}", markup=False)
    report(status, as_json=False)


def size(count: int) -> str:
    """`12.3 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def streams(facts: MediaFacts) -> str:
    """`1280x720 h264, aac 2 ch, 35.0 s`."""
    words = [f"{video.width}x{video.height} {video.codec}" for video in facts.video]
    words += [f"{audio.codec} {audio.channels} ch" for audio in facts.audio]
    return ", ".join([*words, f"{facts.duration_s:.1f} s"])


def _output(output: Output) -> str:
    media = f"  {streams(output.media)}" if output.media else ""
    lines = [f"{output.uri}  {size(output.bytes)}{media}", f"  sha256 {output.sha256}"]
    for track in output.loudness:
        which = f" of sound {track.track}" if len(output.loudness) > 1 else ""
        lines.append(f"  loudness{which}: {_change(track.before, track.after)}")
    if output.tagged:
        tags = ", ".join(f"{name} {value}" for name, value in output.tagged.tags.items())
        lines.append(f"  tagged: {tags}")
    return "\n".join(lines)


def _heard(found: Transcribed) -> str:
    """`1,204 words in 85 segments, 9.3 min of speech`."""
    said = f"{counted(found.words, 'words')} in {counted(found.segments, 'segments')}"
    return f"{said}, {duration(found.speech_s)} of speech"


def _change(before: Loudness, after: Loudness) -> str:
    """`from -27.3 to -16.0 LUFS, true peak from -9.1 to -1.2 dBTP`."""
    levels = (
        ("", before.integrated_lufs, after.integrated_lufs, "LUFS"),
        ("true peak ", before.true_peak_dbtp, after.true_peak_dbtp, "dBTP"),
    )
    told = [
        f"{what}from {was:.1f} to {now:.1f} {unit}"
        for what, was, now, unit in levels
        if was is not None and now is not None
    ]
    return ", ".join(told) or "silent, or too short to have one"


def _cost(stats: Stats) -> str:
    took = f"{stats.wall_s:.1f} s" if stats.wall_s < 10 else duration(stats.wall_s)
    words = [f"took {took}"]
    if stats.media_s:
        words.append(f"{stats.media_s / stats.wall_s:.1f} times real time")
    if stats.chunks:
        words.append(counted(stats.chunks, stats.counts))
    if stats.chunks_reused:
        words.append(f"{stats.chunks_reused} of them were there already")
    if stats.retries:
        words.append(f"{counted(stats.retries, 'steps')} tried again")
    return ", ".join(words)
