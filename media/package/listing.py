"""`package.json`: the list of what a streaming package consists of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from longtake.contracts.package import (
    Encryption,
    ListedEncryption,
    ListedFile,
    ListedRendition,
    Listing,
)
from media.package.keys import key_id
from media.package.renditions import Rendition, average_bps, peak_bps

LISTING = "package.json"
MASTER = "master.m3u8"
MANIFEST = "manifest.mpd"

_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",  # RFC 8216, 10
    ".mpd": "application/dash+xml",  # ISO/IEC 23009-1, annex C
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_MEDIA = {"video": "video/mp4", "audio": "audio/mp4", "captions": "application/mp4"}


def listing(
    folder: Path,
    renditions: Sequence[Rendition],
    target_s: int,
    encryption: Encryption | None,
    known: Mapping[str, str],
) -> Listing:
    """The list of a package that lies in `folder`, finished but for the list itself.

    `known`: the SHA-256 of files that were hashed already, by their paths in the package.
    """
    listed = tuple(_rendition(each, target_s) for each in renditions)
    return Listing(
        manifests=tuple(name for name in (MASTER, MANIFEST) if (folder / name).exists()),
        renditions=listed,
        encryption=_encryption(encryption) if encryption else None,
        files=_files(folder, listed, known),
    )


def write_listing(folder: Path, told: Listing) -> None:
    """Write it where it belongs."""
    text = told.model_dump_json(indent=1, exclude_none=True)
    (folder / LISTING).write_text(f"{text}\n", "utf-8")


def list_again(folder: Path) -> Listing:
    """Put files that were added to a finished package, such as its poster, on its list."""
    told = Listing.model_validate_json((folder / LISTING).read_bytes())
    known = {file.path: file.sha256 for file in told.files}
    told = told.model_copy(update={"files": _files(folder, told.renditions, known)})
    write_listing(folder, told)
    return told


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a folder, in hexadecimal digits, by name."""
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir())}


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(files: Mapping[str, str]) -> str:
    """SHA-256 over the names and hashes of a folder's files, in hexadecimal digits."""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _files(
    folder: Path, renditions: Sequence[ListedRendition], known: Mapping[str, str]
) -> tuple[ListedFile, ...]:
    kinds = {each.folder: each.kind for each in renditions}
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return tuple(
        ListedFile(
            path=path.as_posix(),
            bytes=(folder / path).stat().st_size,
            sha256=known.get(path.as_posix()) or sha256_of(folder / path),
            content_type=_TYPES.get(path.suffix) or _MEDIA[kinds[path.parts[0]]],
        )
        for path in sorted(paths)
        if path.as_posix() != LISTING
    )


def _rendition(rendition: Rendition, target_s: int) -> ListedRendition:
    width, height = rendition.resolution or (None, None)
    return ListedRendition(
        name=rendition.name,
        folder=rendition.folder,
        kind=rendition.kind,
        segments=len(rendition.segments),
        duration_s=round(float(sum(each.duration_s for each in rendition.segments)), 6),
        bandwidth_bps=peak_bps(rendition.segments, target_s),
        average_bandwidth_bps=average_bps(rendition.segments),
        codecs=rendition.codecs,
        language=rendition.language,
        title=rendition.title,
        group=rendition.group or None,
        default=rendition.default,
        width=width,
        height=height,
        frame_rate=round(float(rendition.frame_rate), 3) if rendition.frame_rate else None,
        video_range=rendition.video_range,
        channels=rendition.channels,
    )


def _encryption(encryption: Encryption) -> ListedEncryption:
    return ListedEncryption(
        scheme=encryption.scheme,
        key_uri=encryption.key_uri,
        key_id=key_id(encryption).hex() if encryption.scheme == "cbcs" else None,
    )
