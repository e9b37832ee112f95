"""Local places as jobs name them: plain paths and `file:` URIs, made absolute."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from longtake.errors import InvalidJob


def local_path(uri: str) -> Path | None:
    """The local path that `uri` names; None for another scheme, such as `s3://`.

    Raises InvalidJob for a `file:` URI of another host.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise InvalidJob(f"{uri}: a file: URI names no host; write file:///path")
        return Path(unquote(parts.path))
    if "://" in uri and uri.startswith(f"{parts.scheme}://"):
        return None
    return Path(uri)


def scheme_of(uri: str) -> str | None:
    """The scheme of a URI that names no local path, such as `s3`."""
    return None if local_path(uri) is not None else urlsplit(uri).scheme


def shown(uri: str) -> str:
    """A URI for messages and logs: without user, password, query and fragment of a link, in
    which secrets and signatures stand."""
    if scheme_of(uri) not in ("http", "https"):
        return uri
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def absolute(uri: str) -> str:
    """One spelling for one place: an absolute path, against the current folder.

    Links stay as they are, for a link may be moved on purpose. Other schemes are not touched.
    """
    path = local_path(uri)
    return uri if path is None else os.path.abspath(path)  # noqa: PTH100 - resolves no links


def name_of(uri: str) -> str:
    """The last part of a path or URI, for people to read."""
    return shown(uri).rstrip("/").rpartition("/")[2] if "://" in uri else Path(uri).name


def version_of(uri: str) -> str | None:
    """What a local file's size and time of change say of its content; None if not seen here."""
    path = local_path(uri)
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return f"{found.st_size:x}-{found.st_mtime_ns:x}" if found else None
