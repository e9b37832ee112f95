"""FFmpeg's filter graphs: read into their parts, checked, and written anew.

What FFmpeg gets is the graph that is written here from the parts, never the text that came in:
so nothing can hide in a reading of quotes and backslashes that differs from FFmpeg's.
Syntax: ffmpeg-filters(1), "Filtergraph description", and ffmpeg-utils(1), "Quoting and escaping".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from longtake.errors import InvalidJob

_NAME = re.compile(r"([a-z][a-z0-9_]*)(@\w+)?")
_LABEL = re.compile(r"[\w:.#-]+")
_KEY = re.compile(r"\s*([\w./-]+)\s*=", re.ASCII)
_SPECIAL_IN_OPTION = "\\':= \t\n"
_SPECIAL_IN_GRAPH = "\\'[],;= \t\n"

PURE = frozenset(
    (
        # picture: geometry and time
        *("scale", "crop", "pad", "transpose", "hflip", "vflip", "rotate", "setsar", "setdar"),
        *("fps", "framerate", "framestep", "minterpolate", "setpts", "settb", "trim", "tpad"),
        *("select", "loop", "tile", "zoompan", "perspective", "lenscorrection", "thumbnail"),
        # picture: fields
        *("yadif", "bwdif", "estdif", "fieldorder", "fieldmatch", "decimate", "mpdecimate"),
        *("telecine", "detelecine", "pullup", "interlace", "tinterlace", "separatefields"),
        *("weave", "setfield", "idet", "dejudder"),
        # picture: colour
        *("format", "setparams", "setrange", "colorspace", "colormatrix", "zscale", "tonemap"),
        *("eq", "hue", "curves", "colorbalance", "colorchannelmixer", "colorlevels", "vibrance"),
        *("exposure", "colortemperature", "lutyuv", "lutrgb", "negate", "normalize", "histeq"),
        # picture: noise and sharpness
        *("hqdn3d", "nlmeans", "atadenoise", "deband", "deflicker", "unsharp", "cas", "gblur"),
        *("boxblur", "avgblur", "smartblur", "noise", "tmix", "tblend", "lagfun"),
        # picture: joining and drawing
        *("split", "concat", "overlay", "blend", "hstack", "vstack", "xstack", "xfade", "fade"),
        *("drawbox", "drawgrid", "vignette", "delogo", "palettegen", "paletteuse", "chromakey"),
        *("colorkey", "alphaextract", "alphamerge", "premultiply", "extractplanes"),
        *("mergeplanes", "swapuv", "null", "copy"),
        # sound
        *("aresample", "aformat", "atrim", "asetpts", "asettb", "asetrate", "asetnsamples"),
        *("volume", "pan", "amix", "amerge", "join", "channelmap", "channelsplit", "asplit"),
        *("afade", "acrossfade", "adelay", "apad", "atempo", "rubberband", "aselect", "aloop"),
        *("loudnorm", "dynaudnorm", "speechnorm", "acompressor", "alimiter", "agate", "compand"),
        *("sidechaincompress", "highpass", "lowpass", "bandpass", "bandreject", "equalizer"),
        *("anequalizer", "bass", "treble", "highshelf", "lowshelf", "afftdn", "anlmdn"),
        *("adeclick", "adeclip", "deesser", "silenceremove", "dialoguenhance", "stereotools"),
        *("extrastereo", "stereowiden", "crossfeed", "aecho", "chorus", "aphaser", "dcshift"),
        *("anull", "acopy"),
    )
)
"""Filters that compute from what flows into them, and reach for nothing else."""

FILES_OF: Mapping[str, frozenset[str]] = {
    "curves": frozenset(("psfile", "plot")),
    "loudnorm": frozenset(("stats_file",)),
    "paletteuse": frozenset(("debug_kdtree",)),
}
"""Options of pure filters that read or write files. Their filters take named options only, for
an option without a name is known by its place alone."""

_REACHES: Mapping[str, str] = {
    **dict.fromkeys(("movie", "amovie"), "it opens files"),
    **dict.fromkeys(("subtitles", "ass"), "it opens files; captions are burnt in by other jobs"),
    **dict.fromkeys(("lut3d", "lut1d", "removelogo", "arnndn", "find_rect"), "it opens a file"),
    **dict.fromkeys(("metadata", "ametadata", "psnr", "ssim", "xpsnr"), "it can write files"),
    **dict.fromkeys(("libvmaf", "signature", "vidstabdetect", "fsync"), "it can write files"),
    **dict.fromkeys(("sendcmd", "asendcmd"), "it opens a file, and changes other filters"),
    **dict.fromkeys(("zmq", "azmq"), "it opens a network socket"),
    **dict.fromkeys(("frei0r", "ladspa", "lv2", "libplacebo"), "it loads code from files"),
    "drawtext": "it opens fonts and text files",
    **dict.fromkeys(("reverse", "areverse"), "it holds the whole film in memory"),
}


@dataclass(frozen=True)
class Filter:
    """One filter: its name, and its options in order. An option without a name has key None."""

    name: str
    instance: str
    options: tuple[tuple[str | None, str], ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        words = [
            f"{key}={_escaped(value, _SPECIAL_IN_OPTION)}"
            if key
            else _escaped(value, _SPECIAL_IN_OPTION)
            for key, value in self.options
        ]
        # The "=" between key and value is the graph's own; those in values are escaped twice.
        arguments = ":".join(_escaped(word, _SPECIAL_IN_GRAPH.replace("=", "")) for word in words)
        labels = ["".join(f"[{label}]" for label in side) for side in (self.inputs, self.outputs)]
        body = f"{self.name}{self.instance}" + (f"={arguments}" if arguments else "")
        return f"{labels[0]}{body}{labels[1]}"


def checked(text: str) -> str:
    """The same graph, read, checked and written anew. Raises InvalidJob that names the filter."""
    chains = parse(text)
    for chain in chains:
        for each in chain:
            _check(each)
    return ";".join(",".join(map(str, chain)) for chain in chains)


def parse(text: str) -> list[list[Filter]]:
    """Chains of filters. Raises InvalidJob with words where it is no filter graph."""
    reader = _Reader(text)
    chains: list[list[Filter]] = [[]]
    while True:
        chains[-1].append(_filter(reader))
        following = reader.next()
        if not following:
            return chains
        if following == ";":
            chains.append([])
        elif following != ",":
            raise InvalidJob(f"the filter graph {text!r} is not closed before {following!r}")


def _check(each: Filter) -> None:
    if each.name not in PURE:
        why = _REACHES.get(each.name, "it is not among the filters that are known to reach nothing")
        raise InvalidJob(f"filter {each.name!r} is refused: {why}")
    files = FILES_OF.get(each.name, frozenset())
    for key, _ in each.options:
        if key is None and files:
            raise InvalidJob(
                f"filter {each.name!r} is refused: name its options (key=value), for some of "
                "them open files"
            )
        if key is not None and (key in files or "/" in key):
            raise InvalidJob(f"filter option {each.name}.{key} is refused: it opens a file")


def _filter(reader: _Reader) -> Filter:
    inputs = reader.labels()
    head = reader.token("=,;[")
    named = _NAME.fullmatch(head)
    if not named:
        raise InvalidJob(f"{head!r} is no name of a filter in {reader.text!r}")
    arguments = ""
    if reader.peek() == "=":
        reader.next()
        arguments = reader.token("[],;")
    return Filter(
        name=named[1],
        instance=named[2] or "",
        options=_options(arguments),
        inputs=inputs,
        outputs=reader.labels(),
    )


def _options(text: str) -> tuple[tuple[str | None, str], ...]:
    if not text:
        return ()
    reader, found = _Reader(text), []
    while True:
        key = reader.key()
        found.append((key, reader.token(":")))
        if not reader.next():
            return tuple(found)


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{letter}" if letter in special else letter for letter in text)


class _Reader:
    """Reads as FFmpeg's `av_get_token` does: backslash and quotes protect, outer space goes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0

    def peek(self) -> str:
        while self.text[self._at : self._at + 1].isspace():
            self._at += 1
        return self.text[self._at : self._at + 1]

    def next(self) -> str:
        letter = self.peek()
        self._at += len(letter)
        return letter

    def token(self, ends: str) -> str:
        self.peek()
        letters, kept = [], 0
        while self._at < len(self.text) and self.text[self._at] not in ends:
            letter = self.text[self._at]
            self._at += 1
            if letter == "\\" and self._at < len(self.text):
                letters.append(self.text[self._at])
                self._at += 1
                kept = len(letters)
            elif letter == "'":
                end = self.text.find("'", self._at)
                if end < 0:
                    raise InvalidJob(f"a quote is not closed in {self.text!r}")
                letters += self.text[self._at : end]
                self._at = end + 1
                kept = len(letters)
            else:
                letters.append(letter)
        return "".join(letters[:kept]) + "".join(letters[kept:]).rstrip()

    def key(self) -> str | None:
        found = _KEY.match(self.text, self._at)
        if not found:
            return None
        self._at = found.end()
        return found[1]

    def labels(self) -> tuple[str, ...]:
        found = []
        while self.peek() == "[":
            self.next()
            label = self.token("]")
            if self.next() != "]" or not _LABEL.fullmatch(label):
                raise InvalidJob(f"{label!r} is no label in the filter graph {self.text!r}")
            found.append(label)
        return tuple(found)
