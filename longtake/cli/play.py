"""`longtake play`: a package in a browser, for a person to look at."""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longtake.cli.console import out, say
from longtake.cli.engine import engine_environment, require_engine
from longtake.errors import InputNotFound, InvalidJob
from longtake.keys import read_key
from longtake.paths import absolute, local_path, name_of, scheme_of, shown

if TYPE_CHECKING:
    from longtake.player.files import Files


def play(
    package: Annotated[
        str, typer.Argument(help="Folder of a package, or its s3:// prefix.", metavar="PACKAGE")
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the page. Default: one that is free.")
    ] = 0,
    key_file: Annotated[
        Path | None, typer.Option(help="The key of an encrypted package, in a file.")
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address, and open no browser.")
    ] = False,
) -> None:
    """Show a package of HLS in a browser, until Ctrl-C. Only this machine can see it."""
    from longtake.player.files import Folder

    place = absolute(package)
    path = local_path(place)
    if path is not None:
        show(Folder(path), place, port, key_file, opens=not no_open)
        return
    if scheme_of(place) != "s3":
        raise InvalidJob(f"{shown(place)}: play shows folders and s3:// prefixes")
    require_engine()
    command = [sys.executable, "-P", "-m", "storage.play", place, str(port)]
    command += ["--no-open"] if no_open else []
    command += [f"--key-file={key_file.absolute()}"] if key_file else []
    os.execve(command[0], command, engine_environment())


def show(files: Files, place: str, port: int, key_file: Path | None, *, opens: bool) -> None:
    """Serve a package until Ctrl-C or SIGTERM. Raises InvalidJob if the port is taken, or the key
    is none, and InputNotFound if it is not there."""
    from longtake.player.server import PlayerServer

    key = _key(key_file) if key_file else None
    # Also where it was begun in the background of a script, which passes on an ignored SIGINT.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        server = PlayerServer(files, name_of(place), port, key)
    except OSError as error:
        raise InvalidJob(f"port {port} cannot be had ({error.strerror}); take another") from error
    with server:
        out.print(server.address, markup=False)
        say("Ctrl-C ends it")
        if opens and _has_display():
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


def _key(path: Path) -> bytes:
    try:
        return read_key(path.read_bytes())
    except OSError as error:
        raise InputNotFound(f"{path} cannot be read ({error.strerror})") from error


def _has_display() -> bool:
    """Without one, Python would start a browser for terminals."""
    windows = sys.platform == "darwin" or "DISPLAY" in os.environ
    return windows or "WAYLAND_DISPLAY" in os.environ or "BROWSER" in os.environ
