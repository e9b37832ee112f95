"""Commands that ask the engine. It runs in a child process, with its own folders on its path."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Annotated, Any

import typer

from longtake.cli.console import print_json, say
from longtake.cli.options import Json
from longtake.cli.report import size
from longtake.errors import CapabilityMissing, LongtakeError, error_class
from longtake.presets import application_root


def gc(
    older_than_days: Annotated[
        float, typer.Option(min=1, help="Keep what is younger: running jobs need it.")
    ] = 7.0,
    as_json: Json = False,
) -> None:
    """Remove finished chunks that no job has needed for a while, abandoned files, open uploads."""
    document = ask_engine("storage.sweep", "--older-than-days", str(older_than_days))
    if as_json:
        print_json(document)
    else:
        uploads = f"; aborted {document['uploads']} uploads" if document["uploads"] else ""
        say(f"removed {document['removed']} files, {size(document['bytes'])}{uploads}")


def require_engine() -> None:
    """Raises CapabilityMissing where only the client is installed."""
    if importlib.util.find_spec("av") is None or importlib.util.find_spec("imageio_ffmpeg") is None:
        raise CapabilityMissing("the engine is not installed here: pip install 'longtake[worker]'")


def engine_environment() -> dict[str, str]:
    """The environment in which a child finds the engine."""
    paths = [str(application_root()), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def ask_engine(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON document that a module of the engine prints. Raises the error it tells."""
    # -P: a `media` folder where the user happens to be is not ours.
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(
        command, env=engine_environment(), capture_output=True, text=True, check=False
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise LongtakeError(f"{module} did not answer: {last[0]}") from error
    if "error" in document:
        told = document["error"]
        raise error_class(told["type"])(told["message"])
    return document
