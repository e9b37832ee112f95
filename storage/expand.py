"""What a pattern, a folder, a prefix or a list of files stands for."""

# ruff: noqa: PTH110, PTH112, PTH113 - os.path says no where it may not look, Path raises

from __future__ import annotations

import asyncio
import csv
import functools
import glob
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from longtake.batches import ITS_OWN, LISTS, Entry, merged
from longtake.contracts.batch import MOST_ITEMS
from longtake.errors import (
    InputForbidden,
    InputNotFound,
    InputUnsupported,
    InvalidJob,
    LongtakeError,
)
from longtake.identity import with_files
from longtake.kinds import DEFAULT_KIND
from longtake.paths import local_path, name_of, scheme_of, shown
from storage.base import Storage

MOST_BYTES = 256 << 20
"""Of a list."""
MOST_CHARACTERS = 4096
"""Of an address, as `Uri` has it."""

_WILD = re.compile(r"[*?\[]")


class Storages(Protocol):
    """Finds the storage of an address."""

    def __call__(self, uri: str) -> Storage:
        """The storage that holds `uri`. Raises InvalidJob if none does."""


async def expand(
    uri: str, output: str, storages: Storages, kind: str = DEFAULT_KIND
) -> list[Entry]:
    """The files that `uri` stands for, in the order of their names; a list's, in its own.

    `kind` is the items' own: files that a list names for it count from where the list lies.
    What lies under `output` is no input: a batch that runs again must not read what it made.
    Raises InvalidJob with the place in a list, InputNotFound where there is nothing, and
    InputForbidden for a folder that may not be read.
    """
    if uri.lower().endswith(LISTS) and not _is_wild(uri):
        text = await _bytes_of(uri, storages)
        all_found = await asyncio.to_thread(_read_list, uri, text, kind)
    elif scheme_of(uri) == "s3":
        all_found = await asyncio.to_thread(list, _objects(uri))
    elif (path := local_path(uri)) is not None:
        all_found = await asyncio.to_thread(list, _files(path))
    else:
        raise InvalidJob(f"{shown(uri)}: links cannot be listed; write them into a list")
    found = await asyncio.to_thread(_outside, output, all_found)
    if not found and all_found:
        raise InputNotFound(
            f"what {shown(uri)} stands for lies in the output's folder, {output}, where nothing is "
            "an input: write to another folder"
        )
    if not found:
        raise InputNotFound(f"{shown(uri)} stands for no file; check the pattern, or the list")
    if len(found) > MOST_ITEMS:
        raise InvalidJob(
            f"{shown(uri)} stands for {len(found)} files, and a batch takes {MOST_ITEMS} at most: "
            "make several batches of it"
        )
    return found


def _is_wild(uri: str) -> bool:
    path = local_path(uri)
    return bool(_WILD.search(uri)) and not (path is not None and os.path.exists(path))


def _outside(output: str, found: list[Entry]) -> list[Entry]:
    """Those that do not lie in the output's folder, by whatever links."""
    place = local_path(output)
    if place is None:
        folder = output.rstrip("/") + "/"
        return [entry for entry in found if not entry.input.startswith(folder)]
    made = os.path.realpath(place)

    @functools.cache
    def is_made(folder: str) -> bool:
        return os.path.commonpath((made, os.path.realpath(folder))) == made

    return [
        entry
        for entry in found
        if scheme_of(entry.input) or not is_made(entry.input.rpartition("/")[0])
    ]


def _files(path: Path) -> Iterator[Entry]:
    if os.path.isfile(path):
        yield Entry(str(path), path.name)
        return
    pattern = str(path)
    root = pattern if os.path.isdir(path) else _root(pattern) or "/"
    if os.path.isdir(root) and not _may_be_read(root):
        raise InputForbidden(f"{root} may not be read; check its permissions")
    refused: list[str] = []
    found: Iterable[str] = _below(root, refused)
    if root != pattern and "**" in pattern:
        found = filter(_matcher(pattern).fullmatch, found)
    elif root != pattern:
        # Not Path.glob, which finds hidden files, too.
        found = filter(os.path.isfile, glob.iglob(pattern))  # noqa: PTH207
    for name in sorted(found):
        yield Entry(name, os.path.relpath(name, root))
    for name in refused:
        words = f"{name} may not be read; check its permissions"
        yield Entry(name, os.path.relpath(name, root), problem=words)


def _may_be_read(folder: str) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def _below(
    folder: str, refused: list[str], above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[str]:
    """Files below a folder, but hidden ones. Folders that may not be read are `refused`; a link
    that leads back to a folder above is not followed."""
    if not _may_be_read(folder):
        refused.append(folder)
        return
    try:
        stat = os.stat(folder)  # noqa: PTH116
        with os.scandir(folder) as entries:
            inside = [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return  # it was there a moment ago
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        return
    for entry in inside:
        if os.path.isdir(entry.path):
            yield from _below(entry.path, refused, above | {here})
        elif os.path.isfile(entry.path):
            yield entry.path


def _objects(uri: str) -> Iterator[Entry]:
    from storage.s3_listing import keys  # boto3 takes a second to import

    bucket, _, wanted = uri.removeprefix("s3://").partition("/")
    if not bucket or _WILD.search(bucket):
        raise InvalidJob(f"{uri} names no bucket; write s3://bucket/folder/*.mp4")
    if wanted and not _WILD.search(wanted) and not wanted.endswith("/"):
        yield Entry(uri, name_of(uri))
        return
    root = _root(wanted)
    fits = _matcher(wanted) if _WILD.search(wanted) else None
    for key in keys(bucket, _WILD.split(wanted)[0]):
        if not key.endswith("/") and (fits is None or fits.fullmatch(key)):
            yield Entry(f"s3://{bucket}/{key}", key.removeprefix(root).lstrip("/"))


def _root(pattern: str) -> str:
    """The folder that a pattern begins with, as far as it names one."""
    return _WILD.split(pattern)[0].rpartition("/")[0]


def _matcher(pattern: str) -> re.Pattern[str]:
    """`**/` is any number of folders, `*` and `?` stay in one."""
    written = ""
    for part in re.findall(r"\*\*/|\*+|\?|\[!?[^\]]+\]|.", pattern, re.DOTALL):
        if part == "**/":
            written += "(?:[^/]+/)*"
        elif part.startswith("**"):
            written += ".*"
        elif part in "*?":
            written += "[^/]*" if part == "*" else "[^/]"
        elif part.startswith("[") and len(part) > 1:
            inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            written += f"[{'^' + inner[1:] if inner.startswith('!') else inner}]"
        else:
            written += re.escape(part)
    return re.compile(written, re.DOTALL)


async def _bytes_of(uri: str, storages: Storages) -> str:
    storage = storages(uri)
    source = await storage.fingerprint(uri)
    if source.bytes > MOST_BYTES:
        raise InvalidJob(f"{shown(uri)} is larger than a list of {MOST_ITEMS} files can be")
    try:
        return (await storage.localize(source)).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputUnsupported(
            f"{shown(uri)} is no text in UTF-8, save it as such: {error}"
        ) from error


def _read_list(uri: str, text: str, kind: str) -> list[Entry]:
    form = uri.lower().rpartition(".")[2]
    rows = {"csv": _csv, "jsonl": _jsonl, "txt": _txt}[form](text)
    found = []
    try:
        for line, row in rows:
            where = f"{name_of(uri)}:{line}"
            found.append(_entry(uri, where, row, kind))
    except csv.Error as error:
        raise InvalidJob(f"{name_of(uri)} is no CSV: {error}") from error
    return found


def _txt(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Not splitlines, which ends a line at characters that names may have.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield number, {"input": line.strip()}


def _csv(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True, restkey="")
    columns = [column for column in reader.fieldnames or () if column]
    if twice := {column for column in columns if columns.count(column) > 1}:
        raise csv.Error(f"column {min(twice)!r} is there twice")
    for row in reader:
        told: dict[str, object] = {}
        for column, value in row.items():
            if value not in (None, ""):
                field = value if column else f"the first line names no column for {value!r}"
                told = merged(told, _nested(column, field))
        if told:
            yield reader.line_num, told


def _nested(column: str, value: object) -> dict[str, object]:
    """The column `video.crf` is the field `crf` of `video`."""
    head, dot, rest = column.strip().partition(".")
    return {head: _nested(rest, value) if dot else value}


def _jsonl(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except (ValueError, RecursionError) as error:
            told = error
        if isinstance(told, str):
            told = {"input": told}
        yield number, told if isinstance(told, dict) else {"": told}


def _entry(uri: str, where: str, row: Mapping[str, object], kind: str) -> Entry:
    if "" in row:
        raise InvalidJob(f"{where} cannot be read: {row['']}; docs/batch.md shows how a list looks")
    address, output = row.get("input"), row.get("output")
    if not isinstance(address, str) or not address:
        raise InvalidJob(f"{where} has no input: name it `input`, the address of a file")
    if output is not None and not isinstance(output, str):
        raise InvalidJob(f"{where}: output must be a name, or an address")
    if "\0" in address:
        raise InvalidJob(f"{where} has a character of zero: write one file a line, as text")
    if len(address) > MOST_CHARACTERS or len(output or "") > MOST_CHARACTERS:
        raise InvalidJob(f"{where}: an address has at most {MOST_CHARACTERS} characters")
    options = {name: value for name, value in row.items() if name not in ("input", "output")}
    for name in ("kind", *ITS_OWN - {"input", "output"}):
        if name in options:
            raise InvalidJob(f"{where}: {name} is the batch's, not an item's: leave it out")
    try:
        options = with_files(options, kind, partial(_joined, uri))
        place = _joined(uri, address)
        if not name_of(place):
            raise InvalidJob(f"{address} names no file")
        return Entry(place, name_of(place), output, options, where)
    except LongtakeError as error:
        raise InvalidJob(f"{where}: {error.message}") from error


def _joined(uri: str, address: str) -> str:
    """An address of a list, which counts from where the list lies."""
    if scheme_of(address):
        return address
    path = local_path(address)
    assert path is not None
    if path.is_absolute():
        return os.path.normpath(path)
    home = local_path(uri)
    if home is None:
        return f"{uri.rpartition('/')[0]}/{address}"
    return os.path.normpath(home.parent / path)
