"""FFmpeg arguments that people write themselves: read one by one, and held to a list.

Allowed is what computes; refused is everything else, so that an option which is not known here
cannot open a file, write one or reach the network. Filter graphs: `longtake.filtergraph`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from longtake import filtergraph
from longtake.errors import InvalidJob

MUXERS: Mapping[str, str] = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".m4a": "ipod",
    ".mov": "mov",
    ".mkv": "matroska",
    ".mka": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".avi": "avi",
    ".flv": "flv",
    ".mp3": "mp3",
    ".aac": "adts",
    ".ogg": "ogg",
    ".opus": "opus",
    ".flac": "flac",
    ".wav": "wav",
}
"""FFmpeg's muxer by the output's suffix: those whose files Longtake can read back and verify."""

INPUT = "{input}"
"""Stands for the job's input behind `-i`."""


@dataclass(frozen=True)
class Arguments:
    """Arguments that were checked: options of the input, and options of the output."""

    reading: tuple[str, ...]
    writing: tuple[str, ...]


Check = Callable[[str], str]
"""Takes an option's value, and gives the value to use. Raises InvalidJob."""


def check(arguments: Sequence[str]) -> Arguments:
    """Arguments as they stand between `ffmpeg` and the output, with or without `-i {input}`.

    Raises InvalidJob that names the first argument that is refused, and why.
    """
    before, after = _around_the_input(tuple(arguments))
    return Arguments(
        reading=tuple(_checked(before, _READING, "an option of the input")),
        writing=tuple(_checked(after, _WRITING, "an option")),
    )


def muxer(output: str) -> str:
    """The muxer that the output's suffix asks for. Raises ValueError that lists the suffixes."""
    suffix = PurePosixPath(output).suffix.lower()
    if suffix not in MUXERS:
        ends = f"ends in {suffix!r}" if suffix else "has no suffix"
        raise ValueError(f"output {ends}: use one of {', '.join(MUXERS)}")
    return MUXERS[suffix]


def _around_the_input(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "-i" not in arguments:
        return (), arguments
    at = arguments.index("-i")
    if arguments[at + 1 : at + 2] != (INPUT,):
        raise _refused("-i", f"write `-i {INPUT}`, which is the job's one input, or leave it out")
    return arguments[:at], arguments[at + 2 :]


def _checked(arguments: Sequence[str], known: Mapping[str, Check | None], kind: str) -> list[str]:
    return [word for pair in _pairs(arguments, known, kind) for word in pair]


def _pairs(
    arguments: Sequence[str], known: Mapping[str, Check | None], kind: str
) -> Iterator[tuple[str, ...]]:
    words = iter(arguments)
    for word in words:
        name, specifier = _option(word)
        if name not in known:
            raise _refused(word, _WHY.get(name, f"{name!r} is not {kind} that is allowed here"))
        validate = known[name]
        if validate is None:
            yield (f"-{name}{specifier}",)
            continue
        value = next(words, None)
        if value is None:
            raise _refused(word, "its value is missing")
        try:
            yield f"-{name}{specifier}", validate(value)
        except InvalidJob as error:
            raise _refused(f"{word} {value}", error.message) from error


_OPTION = re.compile(r"-([A-Za-z0-9][\w-]*)((?::[\w#:]+)?)", re.ASCII)


def _option(word: str) -> tuple[str, str]:
    if not word.startswith("-") or word == "-":
        raise _refused(word, "it would name a second output; `-o` names the only one")
    if word.startswith("-/"):
        raise _refused(word, "it reads its value from a file")
    found = _OPTION.fullmatch(word)
    if not found:
        raise _refused(word, "it is no option of FFmpeg's")
    return found[1], found[2]


def _refused(word: str, why: str) -> InvalidJob:
    return InvalidJob(f"argument {word!r} is refused: {why}")


def _any(value: str) -> str:
    return value


def _matching(pattern: str, words: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)

    def validate(value: str) -> str:
        if not compiled.fullmatch(value):
            raise InvalidJob(f"expected {words}")
        return value

    return validate


def _one_of(names: frozenset[str], words: str) -> Check:
    def validate(value: str) -> str:
        if value not in names:
            raise InvalidJob(f"{value!r} is not among the {words} that are allowed here")
        return value

    return validate


def _parameters(known: frozenset[str], separator: str, encoder: str) -> Check:
    """`key=value:key=value`, as x264 and its like take them; some of their keys open files."""

    def validate(value: str) -> str:
        for part in value.split(separator):
            key = part.partition("=")[0].strip()
            if key.removeprefix("no-") not in known:
                raise InvalidJob(f"{key!r} of {encoder} is not known to reach no file")
        return value

    return validate


def _bitstream_filters(value: str) -> str:
    for part in value.split(","):
        name = part.partition("=")[0].strip()
        if name not in _BITSTREAM_FILTERS:
            raise InvalidJob(f"bitstream filter {name!r} is not allowed here")
    return value


_TIME = _matching(r"-?[\d:.]+(us|ms|s)?", "a time, such as 90.5 or 1:30.5")
_LENGTH = _matching(r"[\d:.]+(us|ms|s)?", "a time of 0 or more, such as 90.5 or 1:30.5")
_WORD = _matching(r"[\w+.:/%,~()*-]*", "a number or a word")
_FLAGS = _matching(r"[\w+-]+", "flags, such as +faststart")
_INTEGER = _matching(r"-?\d+", "a whole number")
_THREADS = _matching(r"[1-9]|1[0-6]", "1 to 16 threads")
_RATE = _matching(r"[\d./]+|[a-z-]+", "a rate, such as 25 or 30000/1001")
_MAP = _matching(r"-?0(:[\w#:]+)?\??|\[[\w:.#-]+\]", "a stream of input 0, or a [label]")
_METADATA = _matching(r"0(:[\w:]+)?|-1", "0 (the input) or -1 (none)")
_BOUNDED_LOOP = _matching(r"\d{1,4}", "how often at most: 0 to 9999")
_KEYFRAMES = _matching(r"(expr:)?[\w.,:+*/() -]+", "times, `source` or `expr:…`")

_ENCODERS = frozenset(
    (
        *("copy", "libx264", "libx264rgb", "libx265", "libsvtav1", "libaom-av1", "libvpx"),
        *("libvpx-vp9", "prores", "prores_ks", "prores_aw", "dnxhd", "ffv1", "huffyuv"),
        *("utvideo", "mjpeg", "mpeg4", "mpeg2video", "rawvideo", "qtrle"),
        *("aac", "libopus", "libmp3lame", "libvorbis", "flac", "alac", "ac3", "eac3", "mp2"),
        *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le"),
        *("mov_text", "srt", "subrip", "webvtt"),
        # FFmpeg takes a codec's name for its default encoder.
        *("h264", "hevc", "av1", "vp8", "vp9", "opus", "mp3", "vorbis"),
    )
)
_BITSTREAM_FILTERS = frozenset(
    (
        *("h264_mp4toannexb", "hevc_mp4toannexb", "aac_adtstoasc", "extract_extradata"),
        *("dump_extra", "h264_metadata", "hevc_metadata", "av1_metadata", "vp9_superframe"),
        *("vp9_metadata", "prores_metadata", "setts", "null"),
    )
)
_X264 = frozenset(
    (
        *("aq-mode", "aq-strength", "b-adapt", "b-bias", "b-pyramid", "bframes", "bluray-compat"),
        *("cabac", "chroma-qp-offset", "colormatrix", "colorprim", "constrained-intra", "crf"),
        *("cpu-independent", "crf-max", "deadzone-inter", "deadzone-intra", "deblock"),
        *("direct", "fast-pskip", "force-cfr", "fullrange", "intra-refresh", "ipratio"),
        *("keyint", "level", "lookahead-threads", "mbtree", "me", "merange", "min-keyint"),
        *(
            "mixed-refs",
            "mvrange",
            "nal-hrd",
            "nr",
            "open-gop",
            "partitions",
            "pbratio",
            "pic-struct",
        ),
        *("psy", "psy-rd", "qcomp", "qp", "qpmax", "qpmin", "qpstep", "ratetol", "rc-lookahead"),
        *("ref", "scenecut", "slices", "sliced-threads", "stitchable", "subme", "sync-lookahead"),
        *("threads", "transfer", "trellis", "vbv-bufsize", "vbv-init", "vbv-maxrate", "weightb"),
        *("weightp", "8x8dct", "chroma-me", "dct-decimate", "bitrate", "overscan", "videoformat"),
    )
)
_X265 = frozenset(
    (
        *("annexb", "amp", "aq-mode", "aq-strength", "aq-motion", "b-adapt", "b-intra"),
        *("b-pyramid", "bframe-bias", "bframes", "bitrate", "cbqpoffs", "chromaloc", "colormatrix"),
        *("colorprim", "crf", "crf-max", "crf-min", "crqpoffs", "ctu", "cutree", "deblock"),
        *("early-skip", "frame-threads", "gop-lookahead", "hdr10", "hdr10-opt", "high-tier", "hrd"),
        *("info", "intra-refresh", "ipratio", "keyint", "level-idc", "limit-modes", "limit-refs"),
        *("limit-tu", "log-level", "lookahead-slices", "lossless", "master-display", "max-cll"),
        *("max-merge", "me", "merange", "min-keyint", "open-gop", "overscan", "pbratio"),
        *("pmode", "pools", "psy-rd", "psy-rdoq", "qcomp", "qg-size", "qp", "range", "rc-grain"),
        *("rc-lookahead", "rd", "rd-refine", "rdoq-level", "rect", "ref", "repeat-headers", "sao"),
        *("scenecut", "scenecut-bias", "selective-sao", "sar", "slices", "strong-intra-smoothing"),
        *(
            "subme",
            "temporal-mvp",
            "transfer",
            "tskip",
            "tu-inter-depth",
            "tu-intra-depth",
            "uhd-bd",
        ),
        *("vbv-bufsize", "vbv-init", "vbv-maxrate", "videoformat", "weightb", "weightp", "wpp"),
    )
)
_SVT = frozenset(
    (
        *("aq-mode", "crf", "enable-cdef", "enable-dlf", "enable-overlays", "enable-qm"),
        *("enable-restoration", "enable-tf", "enable-variance-boost", "fast-decode", "film-grain"),
        *(
            "film-grain-denoise",
            "hierarchical-levels",
            "irefresh-type",
            "keyint",
            "lookahead",
            "lp",
        ),
        *(
            "mbr",
            "pred-struct",
            "preset",
            "qm-max",
            "qm-min",
            "qp",
            "rc",
            "scd",
            "scm",
            "sharpness",
        ),
        *("tbr", "tile-columns", "tile-rows", "tune", "variance-boost-strength", "variance-octile"),
        *("color-primaries", "color-range", "content-light", "mastering-display"),
        *("matrix-coefficients", "transfer-characteristics"),
    )
)

_BOTH: Mapping[str, Check | None] = {
    **dict.fromkeys(("ss", "to"), _TIME),
    "t": _LENGTH,
    **dict.fromkeys(("vn", "an", "sn", "dn", "copyts", "start_at_zero"), None),
    "fflags": _FLAGS,
    "r": _RATE,
}

_READING: Mapping[str, Check | None] = {
    **_BOTH,
    **dict.fromkeys(("sseof", "itsoffset"), _TIME),
    **dict.fromkeys(("accurate_seek", "noaccurate_seek", "autorotate", "noautorotate"), None),
    "seek_timestamp": _INTEGER,
    "stream_loop": _BOUNDED_LOOP,
    "err_detect": _FLAGS,
    "display_rotation": _TIME,
}

_WRITING: Mapping[str, Check | None] = {
    **_BOTH,
    "map": _MAP,
    **dict.fromkeys(("map_metadata", "map_chapters"), _METADATA),
    "metadata": _any,
    "disposition": _FLAGS,
    **dict.fromkeys(("c", "codec", "vcodec", "acodec", "scodec"), _one_of(_ENCODERS, "encoders")),
    **dict.fromkeys(
        ("vf", "af", "filter", "filter_complex", "lavfi"), lambda text: filtergraph.checked(text)
    ),
    **dict.fromkeys(("b", "ab", "maxrate", "minrate", "bufsize"), _WORD),
    **dict.fromkeys(
        ("crf", "qp", "q", "qscale", "qmin", "qmax", "qdiff", "compression_level"), _WORD
    ),
    **dict.fromkeys(("preset", "tune", "profile", "level", "tier", "speed", "deadline"), _WORD),
    **dict.fromkeys(("quality", "cpu-used", "row-mt", "lag-in-frames", "auto-alt-ref"), _WORD),
    **dict.fromkeys(("tile-columns", "tile-rows", "aq-mode", "aq-strength", "lossless"), _WORD),
    **dict.fromkeys(("rc-lookahead", "trellis", "me_method", "subq", "psy-rd", "slices"), _WORD),
    **dict.fromkeys(("g", "keyint_min", "bf", "refs", "sc_threshold", "b_strategy"), _INTEGER),
    **dict.fromkeys(("pix_fmt", "s", "aspect", "field_order", "tag", "vtag", "atag"), _WORD),
    **dict.fromkeys(("color_primaries", "color_trc", "colorspace", "color_range"), _WORD),
    **dict.fromkeys(
        ("chroma_sample_location", "alpha_mode", "sample_fmt", "channel_layout"), _WORD
    ),
    **dict.fromkeys(("vendor", "qmax", "mbd", "coder", "context", "slicecrc"), _WORD),
    **dict.fromkeys(("vbr", "application", "frame_duration", "packet_loss", "cutoff"), _WORD),
    **dict.fromkeys(("abr", "reservoir", "joint_stereo", "aac_coder", "id3v2_version"), _WORD),
    **dict.fromkeys(("ar", "ac", "frames", "vframes", "aframes", "write_id3v1"), _INTEGER),
    **dict.fromkeys(("video_track_timescale", "max_muxing_queue_size"), _INTEGER),
    **dict.fromkeys(("max_interleave_delta", "frag_duration", "muxdelay", "muxpreload"), _WORD),
    **dict.fromkeys(("flags", "flags2", "movflags", "avoid_negative_ts", "write_tmcd"), _FLAGS),
    **dict.fromkeys(("fps_mode", "strict", "enc_time_base", "timecode", "async"), _WORD),
    "force_key_frames": _KEYFRAMES,
    "shortest": None,
    "bitexact": None,
    "threads": _THREADS,
    "bsf": _bitstream_filters,
    **dict.fromkeys(("x264-params", "x264opts"), _parameters(_X264, ":", "x264")),
    "x265-params": _parameters(_X265, ":", "x265"),
    "svtav1-params": _parameters(_SVT, ":", "SVT-AV1"),
}

_WHY: Mapping[str, str] = {
    "i": "a job reads its one declared input",
    "f": "the output's suffix decides its format",
    **dict.fromkeys(("y", "n"), "`--overwrite` decides"),
    **dict.fromkeys(
        ("hide_banner", "loglevel", "v", "nostdin", "stats", "nostats"), "Longtake sets it itself"
    ),
    **dict.fromkeys(
        ("filter_script", "filter_complex_script", "attach", "pre", "vpre", "apre", "fpre"),
        "it opens a file",
    ),
    **dict.fromkeys(
        ("report", "vstats", "vstats_file", "dump_attachment", "sdp_file", "progress"),
        "it writes a file or to the network",
    ),
    **dict.fromkeys(
        ("pass", "passlogfile", "stats_file"), "the statistics of two passes are a file"
    ),
    **dict.fromkeys(
        ("init_hw_device", "filter_hw_device", "hwaccel", "hwaccel_device", "vaapi_device"),
        "it opens a device",
    ),
    **dict.fromkeys(
        ("protocol_whitelist", "format_whitelist", "codec_whitelist", "safe"), "it guards the input"
    ),
    **dict.fromkeys(("re", "readrate"), "a job is not a live stream"),
}
