"""Write tags of loudness into files, each kind in its own way, by mutagen.

Loaded in a child process alone: the files are not trusted, and mutagen is under the GPL. Of what
told the loudness before, nothing stays; everything else does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mutagen import FileType, MutagenError
from mutagen.apev2 import APENoHeaderError, APEv2
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TXXX, Encoding
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, MP4FreeForm
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from longtake.errors import InputUnsupported
from media.tags.gains import tells_loudness

Tags = dict[str, str]
_ITUNES = "----:com.apple.iTunes:"


def write_tags(path: str, kind: str, tags: Tags) -> None:
    """Tag a file of a kind that `media.tags.gains` names. Raises InputUnsupported."""
    try:
        _WRITERS[kind](path, tags)
    except MutagenError as error:
        raise InputUnsupported(f"its tags cannot be written: {error}") from error


def _write_comments(file_type: type[FileType], path: str, tags: Tags) -> None:
    """Vorbis comments, in FLAC as in Ogg."""
    file = file_type(path)
    if file.tags is None:
        file.add_tags()
    for key in {key for key, _ in file.tags if tells_loudness(key)}:
        del file.tags[key]
    for name, value in tags.items():
        file.tags[name] = [value]
    file.save()


def _write_id3(file_type: type[FileType], path: str, tags: Tags) -> None:
    file = file_type(path)
    if file.tags is None:
        file.add_tags()
    id3 = file.tags
    for key, frame in list(id3.items()):
        if tells_loudness(getattr(frame, "desc", "")) or frame.FrameID in ("RVA2", "RGAD"):
            del id3[key]
    for name, value in tags.items():
        id3.add(TXXX(encoding=Encoding.LATIN1, desc=name, text=[value]))
    file.save(v2_version=_version(id3))


def _version(id3: ID3) -> int:
    """The file's own; where there was none, 3, for Windows reads no 4."""
    if id3.size and id3.version >= (2, 4):
        return 4
    id3.update_to_v23()
    return 3


def _write_mp3(path: str, tags: Tags) -> None:
    _write_id3(MP3, path, tags)
    try:
        apev2 = APEv2(path)  # at the end of the file; some players believe it first
    except APENoHeaderError:
        return
    untrue = [key for key in apev2 if tells_loudness(key)]
    for key in untrue:
        del apev2[key]
    if untrue:
        apev2.save()


def _write_mp4(path: str, tags: Tags) -> None:
    file = MP4(path)
    if file.tags is None:
        file.add_tags()
    for key in [key for key in file.tags if tells_loudness(key.removeprefix(_ITUNES))]:
        del file.tags[key]
    for name, value in tags.items():
        # In lower case, as foobar2000 and Picard write them; readers mind no case.
        file.tags[f"{_ITUNES}{name.lower()}"] = [MP4FreeForm(value.encode())]
    file.save()


_WRITERS: dict[str, Callable[[str, Tags], None]] = {
    "mp3": _write_mp3,
    "flac": partial(_write_comments, FLAC),
    "ogg/vorbis": partial(_write_comments, OggVorbis),
    "ogg/flac": partial(_write_comments, OggFLAC),
    "ogg/opus": partial(_write_comments, OggOpus),
    "mov": _write_mp4,
    "wav": partial(_write_id3, WAVE),
}
