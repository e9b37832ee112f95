"""`longtake ingest`: start jobs when objects appear."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longtake.cli.console import say, warn
from longtake.cli.engine import engine_environment, require_engine
from longtake.cli.job_file import beside, read_fields, with_pipeline
from longtake.cli.session import Farewell, attend
from longtake.contracts.ingest import Ingest, Ingested, IngestRule
from longtake.errors import InvalidJob, LongtakeError, ServiceUnreachable, error_class
from longtake.identity import with_files
from longtake.ingest.events import Arrived, arrived
from longtake.ingest.folder import SETTLED_S, watch
from longtake.ingest.rules import check
from longtake.kinds import DEFAULT_KIND
from longtake.paths import local_path
from longtake.presets import validated

if TYPE_CHECKING:
    from longtake.client import Longtake
    from longtake.ingest.feed import Feed

NO_RULES = (
    "without rules: it needs `rules`, a list, each with its `name`, where objects appear "
    "(`under`), the `job` that is started, and its `output`"
)
AGAIN_S = 60
"""When an object that was replaced under its running job is looked at again."""


def ingest(
    rules: Annotated[Path, typer.Argument(help="Which job for which object.", metavar="RULES")],
    sqs: Annotated[
        str | None, typer.Option(help="Events from this SQS queue.", metavar="URL")
    ] = None,
    watched: Annotated[
        bool, typer.Option("--watch", help="Watch the rules' folders for new files.")
    ] = False,
    settled: Annotated[
        float, typer.Option(min=0.5, help="Seconds that a watched file must not change.")
    ] = SETTLED_S,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON on stdout for each object.")
    ] = False,
) -> None:
    """Start a job for each object that appears: events on stdin, or --sqs, or --watch.

    Each line of stdin is an event of S3 or R2, or all of it is one document. Ctrl-C ends it.
    """
    if sqs and watched:
        raise InvalidJob("--sqs or --watch: run one process for each")
    asked = _read(rules)
    check(asked)
    folders = _folders(asked) if watched else set()

    async def run(longtake: Longtake, _: Farewell) -> None:
        from longtake.ingest.feed import Feed

        feed = Feed(longtake, asked)
        tell = _tell_json if as_json else _tell
        if sqs:
            require_engine()
            await _from_queue(feed, sqs, tell)
        elif watched:
            await _from_folders(feed, folders, settled, tell)
        else:
            await _from_stdin(longtake, feed, tell)

    attend(run)


def _read(path: Path) -> Ingest:
    fields = read_fields(path, NO_RULES)
    if not fields.get("rules"):
        raise InvalidJob(f"{path} is {NO_RULES}")
    try:
        rules = validated(Ingest, fields)
        return Ingest(rules=tuple(_placed(path, rule) for rule in rules.rules))
    except InvalidJob as error:
        raise InvalidJob(f"{path}: {error.message}") from error


def _placed(path: Path, rule: IngestRule) -> IngestRule:
    """A rule with the places that it names taken from its file's folder."""
    kind = str(rule.job.get("kind", DEFAULT_KIND))
    job = with_files(with_pipeline(path, rule.job), kind, lambda uri: beside(path, uri))
    under, output = beside(path, rule.under), beside(path, rule.output)
    return rule.model_copy(update={"under": under, "output": output, "job": job})


async def _from_stdin(longtake: Longtake, feed: Feed, tell: Any) -> None:
    """The events of stdin as they come; those that came too early once more, when they may.

    Raises InvalidJob at the end where something was no event; it keeps no other from being read.
    """
    early: list[asyncio.Task[None]] = []
    wrong: list[InvalidJob] = []
    async for message in _messages():
        for each in arrived(message):
            if isinstance(each, InvalidJob):
                warn(f"passed over: {each}")
                wrong.append(each)
                continue
            told = await _offer(feed, each)
            tell(told)
            if told.found == "later":
                again = _when_its_job_is_over(longtake, feed, each, told, tell)
                early.append(asyncio.create_task(again))
    await asyncio.gather(*early)
    if wrong:
        raise InvalidJob(f"passed over, as no event: {len(wrong)}; the first: {wrong[0]}")


async def _messages() -> AsyncIterator[str]:
    """One document a line, or else one of many lines. Who writes lines may never end."""
    first = ""
    while line := await asyncio.to_thread(sys.stdin.readline):
        if not line.strip():
            continue
        if not first and not _is_json(line):
            yield line + await asyncio.to_thread(sys.stdin.read)
            return
        first = line
        yield line


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


async def _when_its_job_is_over(
    longtake: Longtake, feed: Feed, each: Arrived, told: Ingested, tell: Any
) -> None:
    assert told.job_id is not None
    try:
        await longtake.result(told.job_id)
    except ServiceUnreachable:
        raise
    except LongtakeError as error:
        say(f"job {told.job_id}: {error}")
    tell(await _offer(feed, each))


async def _from_folders(feed: Feed, folders: Collection[Path], settled_s: float, tell: Any) -> None:
    queue: asyncio.Queue[Arrived] = asyncio.Queue()

    async def look(folder: Path) -> None:
        async with aclosing(watch(folder, settled_s)) as found:
            async for each in found:
                await queue.put(each)

    async with asyncio.TaskGroup() as group:
        for folder in folders:
            group.create_task(look(folder))
        while True:
            tell(await _offer(feed, await queue.get()))


def _folders(rules: Ingest) -> set[Path]:
    """The rules' folders on this machine. Raises InvalidJob."""
    found = {Path(path) for rule in rules.rules if (path := local_path(rule.under)) is not None}
    if not found:
        raise InvalidJob("no rule is for a folder of this machine: --watch needs one")
    if missing := [folder for folder in found if not folder.is_dir()]:
        raise InvalidJob(f"{missing[0]} is no folder: make it, or mend the rule")
    return found


async def _from_queue(feed: Feed, url: str, tell: Any) -> None:
    """Messages are deleted when their jobs are started, and not before."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "storage.sqs", url),
        env=engine_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    assert child.stdin is not None
    try:
        async for message in _lines(child):
            if "error" in message:
                raise error_class(message["error"]["type"])(message["error"]["message"])
            if "receipt" not in message:
                _tell_of_queue(message)
                continue
            later = False
            for each in arrived(message["body"]):
                if isinstance(each, InvalidJob):
                    warn(f"passed over: {each}")
                    continue
                told = await _offer(feed, each)
                tell(told)
                later = later or told.found == "later"
            said = {"later": message["receipt"], "seconds": AGAIN_S}
            answer = said if later else {"done": message["receipt"]}
            child.stdin.write(json.dumps(answer).encode() + b"\n")
            await child.stdin.drain()
        raise LongtakeError("what reads the queue ended; start `longtake ingest` again")
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def _tell_of_queue(message: dict[str, Any]) -> None:
    if "waits" in message:
        warn(f"{message['waits']}; it is tried again until it can be")
    else:
        say(message["goes_on"])


async def _lines(child: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert child.stdout is not None
    async for line in child.stdout:
        yield json.loads(line)


async def _offer(feed: Feed, each: Arrived) -> Ingested:
    """Wait out a service, or a storage, that does not answer: an event must not be lost."""
    pause_s = 1.0
    while True:
        try:
            return await feed.offer(each)
        except LongtakeError as error:
            warn(f"{each.uri} waits: {error}")
            await asyncio.sleep(pause_s)
            pause_s = min(30.0, 2 * pause_s)


def _tell(told: Ingested) -> None:
    words = {
        "started": f"job {told.job_id} ({told.rule})",
        "running": f"job {told.job_id} runs already",
        "done": f"job {told.job_id} has done it",
        "later": f"replaced while job {told.job_id} runs: looked at again later",
        "no rule": "no rule takes it",
        "failed": f"not started: {told.error}",
    }
    say(f"{told.uri}: {words[told.found]}")


def _tell_json(told: Ingested) -> None:
    sys.stdout.write(told.model_dump_json(exclude_none=True) + "\n")
    sys.stdout.flush()
