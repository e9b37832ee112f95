"""Make a streaming package, for HLS and DASH, of finished tracks: no frame is encoded here.

Shaka Packager cuts the tracks into segments, encrypts them, and finds their I-frames; the tree that
is published is laid out of what it made (`media.package.tree`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.package import Encryption
from longtake.errors import InputCorrupt, InvalidJob, ProcessKilled
from longtake.keys import KEY_BYTES
from media.children.isolate import in_child
from media.children.process import Finished, Limits, OnTick, ProcessFailed, Tick
from media.package.keys import initialization_vector, key_id
from media.package.listing import MANIFEST, MASTER
from media.package.packager import Secret, run_packager
from media.package.renditions import Text, Track
from media.package.tree import lay_out

MAKING = ".making"
"""What is not finished, in the target: whoever is killed leaves nothing elsewhere."""
LAYING_S = 3600.0
"""Hashing, and encrypting, a film of hours on a slow disk."""

_LIMITS = Limits(memory_bytes=4 << 30)
_KILLED = "what lays out the package was killed, or crashed"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


async def make_package(
    tracks: Sequence[Track],
    texts: Sequence[Text],
    *,
    segment_s: Fraction | int,
    gop_s: Fraction | int,
    encryption: Encryption | None,
    key: bytes | None,
    target: Path,
    on_tick: OnTick,
) -> Finished:
    """Make the package of `tracks` and `texts` in `target`, an empty folder. All times are of one
    clock, on which the film begins at 0.

    Segments begin with the first keyframe at or after each multiple of `segment_s`, and keyframes
    are to be `gop_s` apart: so every segment of a rendition has its twin in the others. `key` is
    the key itself, where there is `encryption`. The same arguments give the same bytes.

    With `aes-128` there is no DASH, which does not know it, and no I-frame playlist: part of a
    segment cannot be decrypted without what stands before it. Captions stay in the clear.

    Raises InvalidJob, InputCorrupt (captions, or tracks of which samples got lost),
    CapabilityMissing, and what `run_child` and `in_child` raise.
    """
    _check([*tracks, *texts], encryption, key)
    making = target / MAKING
    making.mkdir(mode=0o700)
    try:
        for number, track in enumerate(tracks):
            (making / f"{number}.mp4").symlink_to(track.path.resolve())
        whole = encryption is not None and encryption.scheme == "aes-128"
        arguments = [
            *(_stream(number, track, i_frames=not whole) for number, track in enumerate(tracks)),
            *_flags(Fraction(segment_s), Fraction(gop_s)),
        ]
        secret = None
        if encryption is not None and key is not None and not whole:
            name = key_id(encryption)
            secret = Secret(key, name, initialization_vector(key, name))
            arguments += _encrypted(encryption)
        try:
            finished = await run_packager(arguments, making, target, secret)
        except ProcessFailed as error:
            raise InputCorrupt(f"the tracks cannot be packaged: {error.stderr}") from error
        on_tick(_tick(target))
        what = (making, tuple(tracks), tuple(texts), Fraction(segment_s), encryption, key)
        await in_child(
            lay_out, *what, timeout_s=LAYING_S, limits=_LIMITS, crash=ProcessKilled(_KILLED)
        )
        on_tick(_tick(target))
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return finished


def _check(parts: Sequence[Track | Text], encryption: Encryption | None, key: bytes | None) -> None:
    if not any(isinstance(part, Track) for part in parts):
        raise InvalidJob("there is neither picture nor sound to package")
    names = [part.name for part in parts]
    wrong = [name for name in names if not _NAME.fullmatch(name) or names.count(name) > 1]
    if wrong:
        raise InvalidJob(f"a rendition cannot be named {wrong[0]!r}, or two are")
    for part in parts:
        if part.language is not None and not _LANGUAGE.fullmatch(part.language):
            raise InvalidJob(f"{part.name}: {part.language!r} is no language (BCP 47), as `en` is")
    if (encryption is None) != (key is None):
        raise InvalidJob("a key and settings of encryption belong together")
    if key is not None and len(key) != KEY_BYTES:
        raise InvalidJob(f"a key has {KEY_BYTES} bytes; this one has {len(key)}")


def _stream(number: int, track: Track, *, i_frames: bool) -> str:
    """A stream descriptor. Names are numbers: a comma in one would end it."""
    words = {
        "in": f"{number}.mp4",
        "stream": track.kind,
        "init_segment": f"{number}/init.mp4",
        "segment_template": f"{number}/$Number%05d$.m4s",
        "playlist_name": f"{number}/playlist.m3u8",
    }
    if track.kind == "video" and i_frames:
        words["iframe_playlist_name"] = f"{number}/iframes.m3u8"
    if track.language not in (None, "und"):  # which it does not know
        words["language"] = track.language
    return ",".join(f"{name}={value}" for name, value in words.items())


def _flags(segment_s: Fraction, gop_s: Fraction) -> Iterator[str]:
    yield f"--segment_duration={float(segment_s)}"
    # A fragment begins at the first keyframe after so long, counted from its segment's begin. Where
    # frames do not fall on the grid, a GOP is shorter than it says by up to a frame: half of it
    # finds every keyframe, and each must have its fragment, or its I-frame cannot be read alone.
    yield f"--fragment_duration={float(gop_s / 2)}"
    yield f"--hls_master_playlist_output={MASTER}"
    yield f"--mpd_output={MANIFEST}"
    yield "--generate_static_live_mpd"  # segments as for a live stream, all of them there
    yield "--hls_playlist_type=VOD"
    yield "--use_fake_clock_for_muxer"  # no dates in the files
    yield f"--io_cache_size={1 << 20}"  # for each file; 32 MiB each took half a gigabyte
    yield "--quiet"  # errors alone


def _encrypted(encryption: Encryption) -> Iterator[str]:
    yield "--enable_raw_key_encryption"
    yield "--protection_scheme=cbcs"
    yield "--clear_lead=0"  # from the first segment on
    yield f"--hls_key_uri={encryption.key_uri}"


def _tick(target: Path) -> Tick:
    size = sum(path.lstat().st_size for path in target.rglob("*") if path.is_file())
    return Tick(frames=0, out_s=0.0, fps=None, speed=None, bytes=size)
