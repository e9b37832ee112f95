"""Logs of a worker process: JSON for machines, colours for a terminal; always on stderr.

Lines of the standard library's loggers (temporalio's, asyncio's) take the same way.
`LONGTAKE_LOG_LEVEL` sets the level: DEBUG, INFO (default), WARNING, ERROR.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable

import structlog
from structlog.typing import Processor


def configure(worker: str, fields: Iterable[Processor] = ()) -> None:
    """Send every log line of this process to stderr; `fields` add what they know to each."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _constant(worker=worker, pid=os.getpid()),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *fields,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=_level(), force=True)
    logging.getLogger("temporalio.worker").setLevel(logging.WARNING)  # repeats what we say


def _rendering() -> list[Processor]:
    if sys.stderr.isatty():
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _level() -> str:
    level = os.environ.get("LONGTAKE_LOG_LEVEL", "INFO").upper()
    return level if level in logging.getLevelNamesMapping() else "INFO"


def _constant(**fields: object) -> Processor:
    def add(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {**fields, **event}

    return add
