"""`transcribe`: a long talk written down, by raw faster-whisper and by a warm service."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from bench import cost
from bench.cost import Cost, Meter
from bench.death import freeze, kill
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Measurement, Series, alone, difference, ratio, series
from longtake import Transcribe
from longtake.contracts.transcript import Transcript
from media.speech.models import find_model
from tests import raw_whisper
from tests.speech import Speech, speech
from tests.words import Heard, errors, starts_apart

MODEL = "tiny.en"
TALK_S = 1200
AT = 0.9
HOW = (
    "A made talk (eSpeak NG, every word is known; pauses up to 5 s). "
    "A Python program loads the model, and faster-whisper hears the file as a whole, with its own "
    f"settings, on all cores; a job on a warm service does the same with the same model "
    f"({MODEL}, int8), beam and threads in all. In turn; then a job whose media worker, and the "
    f"engines below it, get SIGKILL at {AT:.0%}. The first job, in which the engines load their "
    "model, is counted. Errors are word error rates in points (per cent), case and punctuation "
    "left out. Before each job the work store is emptied."
)


async def measure(options: Options) -> Measurement:
    """Time, errors, and what a kill costs."""
    seconds = options.seconds or (60 if options.quick else TALK_S)
    title = f"{seconds} s of speech with {MODEL}"
    measurement = Measurement("transcribe", title, HOW)
    options.out.mkdir(parents=True, exist_ok=True)
    talk = await asyncio.to_thread(speech, seconds)
    file = talk.write(options.out / f"talk-{seconds}s.wav")
    raw, calm, killed = list[Cost](), list[Cost](), list[Cost]()
    accounts = set[bytes]()
    async with lab() as here:
        for _ in range(options.rounds_of(3)):
            took, whole = await _raw(file, options.out / "raw.json")
            raw.append(took)
            here.empty()
            job = _next_job(here, file)
            calm.append((await here.run(job))[0])
            accounts.add(_read(job.output))
            job = _next_job(here, file)
            killed.append(await _killed(measurement, here, job))
            accounts.add(_read(job.output))
    ours = _words(accounts)
    measurement.rows = [
        ratio("wall", cost.wall("Longtake", calm), cost.wall("faster-whisper", raw), 0.95),
        ratio("CPU", cost.cpu("Longtake", calm), cost.cpu("faster-whisper", raw)),
        ratio("killed: wall", cost.wall("killed", killed), cost.wall("faster-whisper", raw), 1.1),
        ratio("killed: CPU", cost.cpu("killed", killed), cost.cpu("undisturbed", calm)),
        difference(
            "errors", _wer("Longtake", talk, ours), _wer("faster-whisper", talk, whole), 0.5
        ),
        alone(
            "words begin apart (median)",
            series("Longtake and faster-whisper", "s", [starts_apart(whole, ours)]),
            0.15,
        ),
        alone("different transcripts", series("killed or not", "", [len(accounts)]), 1),
    ]
    measurement.notes.append(cost.neighbours(faster_whisper=raw, undisturbed=calm, killed=killed))
    return measurement


async def _raw(file: Path, told: Path) -> tuple[Cost, list[Heard]]:
    """faster-whisper in a program of its own."""
    model = find_model(MODEL, ())
    took = await cost.run(raw_whisper.command(model.path, file, os.cpu_count() or 1), told)
    return took, raw_whisper.read(_read(told).splitlines()[-1])


def _next_job(here: Lab, file: Path) -> Transcribe:
    """A job that nobody has asked for before."""
    here.jobs += 1
    output = str(here.output(".json"))
    job_id = f"bench-{here.jobs}"
    return Transcribe(
        id=job_id,
        input=str(file),
        output=output,
        model=MODEL,
        language="en",
        beam_size=raw_whisper.BEAM,
    )


async def _killed(measurement: Measurement, here: Lab, job: Transcribe) -> Cost:
    here.empty()
    meter = Meter(here.state.pid)
    handle = await here.longtake.start(job)
    orphans_s = 0.0
    async for progress in handle.progress():
        if progress.fraction >= AT:
            pid = here.media_worker.pid
            assert pid is not None
            orphans_s = kill(freeze(pid))
            measurement.notes.append(f"killed at {progress.fraction:.0%}")
            break
    result = await handle.result()
    assert orphans_s, "the job was over before it could be killed"
    measurement.notes.append(f"… then {result.stats.retries} retries")
    return meter.read(orphans_s)


def _read(file: str | Path) -> bytes:
    return Path(file).read_bytes()


def _words(accounts: set[bytes]) -> list[Heard]:
    transcript = Transcript.model_validate(json.loads(min(accounts)))
    return [
        Heard(word.text, word.start_s) for segment in transcript.segments for word in segment.words
    ]


def _wer(name: str, talk: Speech, heard: list[Heard]) -> Series:
    return series(name, "points", [100 * errors(talk.text, heard)])
