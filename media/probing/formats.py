"""What is read at all: containers by their first bytes, demuxers and decoders by name.

A protocol whitelist alone is no defence: playlists and scripts name other files, and FFmpeg
follows them. So the format is decided here, from the bytes, and pinned for FFmpeg.
"""

from __future__ import annotations

from pathlib import Path

from longtake.errors import InputCorrupt, InputForbidden, InputNotFound, InputUnsupported

ALLOWED_DEMUXERS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "mpegts", "mpeg", "avi"),
    *("flv", "asf", "dv", "wav", "w64", "aiff", "caf", "flac", "mp3", "ogg", "aac", "amr"),
)

OLD_DECODERS = (
    *("msmpeg4v2", "msmpeg4v3", "msmpeg4", "wmv1", "wmv2", "wmv3", "vc1", "flv", "vp6", "vp6f"),
    *("svq1", "svq3", "cinepak", "dvvideo", "jpeg2000", "cfhd", "v210"),
)
"""Of pictures as people keep them from old cameras, players and discs. Nobody has proven that what
they give from the middle of a film on is what they give from its start."""

ALLOWED_DECODERS = (
    *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg4", "mpeg1video", "mpeg2video"),
    *("h263", "prores", "dnxhd", "mjpeg", "ffv1", "huffyuv", "utvideo", "qtrle"),
    *("theora", "rawvideo", "png", *OLD_DECODERS),
    *("aac", "mp3", "mp3float", "mp2", "mp2float", "ac3", "eac3", "dca", "opus", "libopus"),
    *("vorbis", "flac", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le"),
    *("pcm_s32be", "pcm_u8", "pcm_s8", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_alaw"),
    *("pcm_f64be", "pcm_mulaw", "pcm_bluray", "pcm_dvd", "truehd", "mlp", "wmav1", "wmav2"),
    *("amrnb", "amrwb", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "nellymoser"),
    *("speex", "gsm_ms"),
    *("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"),
)

READER_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(ALLOWED_DEMUXERS),
    "codec_whitelist": ",".join(ALLOWED_DECODERS),
}
"""Of every file that PyAV opens: already as it looks for streams, it decodes."""

MAX_DURATION_S = 48 * 3600
"""Two frames that are a year apart would become a year of frames at a constant rate."""
MAX_PIXELS = 8192 * 8192
"""Of one picture: decoders refuse larger ones, also where a stream grows in the middle."""

_SIGNATURES = {
    b"FLV\x01": "flv",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"caff\x00\x01": "caf",
    b"#!AMR": "amr",
    b"\x1f\x07\x00": "dv",  # the header block of a sequence: SMPTE 314M, 5.2
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"): "asf",
    b"riff\x2e\x91\xcf\x11": "w64",
}
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot")


def open_for_reading(path: Path) -> bytes:
    """The first 8 KiB of a file. Raises InputNotFound, InputForbidden or InputUnsupported."""
    if path.is_dir():
        raise InputUnsupported(f"{path} is a folder; name a media file")
    try:
        with path.open("rb") as file:
            return file.read(8192)
    except FileNotFoundError as error:
        raise InputNotFound(f"there is no file {path}; check the path") from error
    except PermissionError as error:
        raise InputForbidden(f"{path} may not be read; check its permissions") from error
    except OSError as error:
        raise InputUnsupported(f"{path} cannot be read: {error.strerror}") from error


def sniff(path: Path) -> str:
    """FFmpeg's demuxer for a file, judged by its first bytes.

    Raises InputCorrupt for an empty file, InputUnsupported for what is not media we read.
    """
    head = open_for_reading(path)
    if not head:
        raise InputCorrupt(f"{path} is empty (0 bytes); its upload may have failed")
    demuxer = _demuxer(head)
    if demuxer is None:
        raise InputUnsupported(
            f"{path} is not a media file of a kind that Longtake reads "
            "(MP4, MOV, MKV, WebM, MPEG-TS, MPEG-PS, AVI, WMV, FLV, DV, WAV, AIFF, CAF, FLAC, MP3, "
            "Ogg, AAC, AMR)"
        )
    return demuxer


def _demuxer(head: bytes) -> str | None:
    if head[4:8] in _MP4_BOXES:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith((b"RIFF", b"RF64")):
        return {b"AVI ": "avi", b"WAVE": "wav"}.get(head[8:12])
    if head.startswith(b"FORM"):
        return "aiff" if head[8:12] in (b"AIFF", b"AIFC") else None
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head.startswith(b"\x00\x00\x01\xba"):
        return "mpeg"
    if _is_transport_stream(head):
        return "mpegts"
    if head.startswith(b"ID3") or (head[0] == 0xFF and len(head) > 1 and head[1] & 0xE6 == 0xE2):
        return "mp3"
    if head[0] == 0xFF and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def _is_transport_stream(head: bytes) -> bool:
    """Sync bytes every 188 bytes, or every 192 with a timestamp before each (M2TS)."""
    return any(
        len(head) > first + 2 * size
        and all(head[at] == 0x47 for at in range(first, len(head), size))
        for first, size in ((0, 188), (4, 192))
    )
