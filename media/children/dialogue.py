"""A child that is asked and answers, line by line, for as long as it is kept.

For programs that take long to begin, such as one that loads a model. It is limited, watched and
ended like every child (`media.children.process`); what it says are lines of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from longtake.errors import ProcessKilled
from media.children.observe import ChildEnded, tell
from media.children.pipes import done_with, reading
from media.children.process import STALL_S, Child, Limits, exit_of, read_stderr, start, watch

Message = dict[str, Any]

MOST_BYTES = 1 << 24
"""Of a line."""


class Dialogue:
    """A running child. To be used in one event loop, and for one question at a time."""

    def __init__(self, name: str, child: Child, stall_s: float) -> None:
        self._name = name
        self._child = child
        self._stall_s = stall_s
        self._ended = False
        self._began_at, self._started = time.time(), time.monotonic()
        self._exited = exit_of(child.process)
        self._errors = asyncio.ensure_future(read_stderr(child))
        self._pipes = contextlib.AsyncExitStack()
        lines = reading(child.process.stdout, MOST_BYTES)
        self._lines = asyncio.ensure_future(self._pipes.enter_async_context(lines))

    @classmethod
    def begin(
        cls, name: str, command: Sequence[str], limits: Limits, *, stall_s: float = STALL_S
    ) -> Dialogue:
        """Start the program. `name` is what errors call it."""
        return cls(name, start(command, limits), stall_s)

    @property
    def pid(self) -> int:
        """Of the child and its process group."""
        return self._child.process.pid

    @property
    def open(self) -> bool:
        """Whether it still runs."""
        return not self._exited.done()

    async def ask(self, question: Message, on_news: Callable[[Message], None]) -> Message:
        """The answer: the first line that has one, or an `error`. Lines before go to `on_news`.

        Cancelling the task ends the child; so does every error. Raises ProcessKilled (it ended
        before it answered) and ProcessStalled.
        """
        self._child.moved_at = time.monotonic()
        answering = asyncio.ensure_future(self._answer(question, on_news))
        watchdog = asyncio.ensure_future(watch(self._child, self._stall_s, self._name))
        try:
            await asyncio.wait({answering, watchdog}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                watchdog.result()  # raises ProcessStalled
            return await answering
        except BaseException:
            await self.end()
            raise
        finally:
            answering.cancel()
            watchdog.cancel()

    async def end(self) -> None:
        """End the child and all that it started. It has nothing to finish."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        exited = await asyncio.shield(self._exited)
        if self._ended:
            return
        self._ended = True
        await done_with(self._errors, self._lines)
        await self._pipes.aclose()
        self._child.close()
        tell(
            ChildEnded(
                program=self._name,
                began_at=self._began_at,
                wall_s=time.monotonic() - self._started,
                cpu_s=exited.cpu_s,
                # One that is done with is killed: then the signal says nothing.
                code=0 if exited.code == -signal.SIGKILL else exited.code,
                peak_memory_bytes=exited.peak_memory_bytes,
            )
        )

    async def _answer(self, question: Message, on_news: Callable[[Message], None]) -> Message:
        lines = await asyncio.shield(self._lines)
        with contextlib.suppress(BrokenPipeError):  # it ended already, and its exit tells why
            await asyncio.to_thread(self._write, json.dumps(question).encode("ascii"))
        try:
            while line := await lines.readline():
                self._child.moved_at = time.monotonic()
                message: Message = json.loads(line)
                if "answer" in message or "error" in message:
                    return message
                on_news(message)
        except ValueError as error:
            raise ProcessKilled(f"{self._name} said what cannot be read, and was ended") from error
        exited = await asyncio.shield(self._exited)
        raise ProcessKilled(
            f"{self._name} ended before it answered (exit code {exited.code}). {self._child.stderr}"
        )

    def _write(self, line: bytes) -> None:
        assert self._child.process.stdin is not None
        self._child.process.stdin.write(line + b"\n")
        self._child.process.stdin.flush()
