"""What a cue says, with its tags: read from WebVTT, SubRip, ASS and MP4, written anew in WebVTT.

Of what stands there only tags that WebVTT knows come through (W3C WebVTT, 4.2.2), each in a form of
our own; everything else is words, and cannot be taken for a tag.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from media.captions.cue_colour import of_ass, of_html, tag_of

NAMES = frozenset(("b", "i", "u", "c", "v", "lang", "ruby", "rt"))
_SHORT = ("b", "i", "u")
_FONT = "font"
_GO_ON = (*_SHORT, _FONT)
"""Tags that go on where one around them ends too early, as players of SubRip have it."""
_DEEPEST = 16
_LONGEST = 100
"""Characters of a voice's name."""
_UNSEEN = frozenset("\u200c\u200d\u200e\u200f\u061c\u2066\u2067\u2068\u2069")
"""Not seen, but needed: what joins letters in Persian, in the scripts of India and in emoji, and
what orders words that are written from right to left."""
_UNBROKEN = frozenset("\u00a0\u202f")
"""Spaces at which no line ends."""

_TIME = r"(?:\d+:)?\d\d:\d\d\.\d{3}"
_TOKENS = re.compile(rf"(\{{\\[^}}]*\}}|</?[A-Za-z][^>]*>|<{_TIME}>)")
_ASS_TOKENS = re.compile(r"(\{[^}]*\})")
_TAG = re.compile(r"<(/?)([A-Za-z]+)((?:\.[^\s.>]*)*)(?:[ \t\n]+([^>]*))?/?>")
_OVERRIDE = re.compile(r"\\(?:(?P<flag>[biu])(?P<value>\d*)(?=[\\}\s]|$)|an(?P<pad>[1-9])|"
                       r"(?P<paint>1?c)(?:&H(?P<colour>[\dA-Fa-f]{1,8})&?)?(?=[\\}\s]|$)|"
                       r"a(?P<old>1[01]|[1-9])(?=[\\}\s]|$)|r(?P<style>[^\\}]*))")  # fmt: skip
_VOICE = re.compile(r"<v[.\s][^>]*>|</v>")


@dataclass(frozen=True)
class Look:
    """How a style of ASS or MP4 draws words; `alignment` as on the number pad, `colour` as
    `media.captions.cue_colour` has it."""

    bold: bool = False
    italic: bool = False
    underlined: bool = False
    alignment: int | None = None
    colour: str | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that draw so."""
        wanted = zip(_SHORT, (self.bold, self.italic, self.underlined), strict=True)
        return tuple(name for name, on in wanted if on)


PLAIN = Look()


@dataclass
class _Writer:
    """Writes words within tags that are properly nested; a tag without words is not written."""

    parts: list[str] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    wanted: list[tuple[str, str]] = field(default_factory=list)
    """Names and tags that are open, and those that have to be for the next words."""

    def begin(self, name: str, tag: str) -> None:
        if len(self.wanted) < _DEEPEST:
            self.wanted.append((name, tag))

    def end(self, name: str) -> None:
        """The innermost tag of this name, and what is within it."""
        at = next((n for n in reversed(range(len(self.wanted))) if self.wanted[n][0] == name), None)
        if at is not None:
            self.wanted[at:] = [each for each in self.wanted[at + 1 :] if each[0] in _GO_ON]

    def only(self, look: Look) -> None:
        """Words look so from here on, and no longer otherwise."""
        others = [each for each in self.wanted if each[0] not in _GO_ON]
        self.wanted = [*others, *((name, f"<{name}>") for name in look.tags)]
        self.paint(look.colour)

    def paint(self, colour: str | None) -> None:
        """This colour from here on."""
        self.wanted = [each for each in self.wanted if each[0] != _FONT]
        if colour:
            self.begin(_FONT, tag_of(colour))

    def turn(self, name: str, on: bool) -> None:
        """A short tag on or off."""
        if on and not any(each[0] == name for each in self.wanted):
            self.begin(name, f"<{name}>")
        elif not on:
            self.end(name)

    def say(self, words: str) -> None:
        words = "".join(map(_kept, words))
        if not words:
            return
        self._close(self.wanted)
        if words.strip():
            self.parts += [tag for _, tag in self.wanted[len(self.written) :]]
            self.written = list(self.wanted)
        self.parts.append(html.escape(words, quote=False))

    def _close(self, wanted: list[tuple[str, str]]) -> None:
        """What is open and not wanted, and what is within it."""
        both = zip(self.written, wanted, strict=False)
        alike = sum(1 for _ in takewhile(lambda each: each[0] == each[1], both))
        closed = reversed(self.written[alike:])
        self.parts += [f"</{'c' if name == _FONT else name}>" for name, tag in closed if tag]
        del self.written[alike:]

    def text(self) -> str:
        """All of it: without empty lines, which would end the cue."""
        self._close([])
        one_space = re.sub(" {2,}", " ", "".join(self.parts))
        return re.sub(r" *\n[ \n]*", "\n", one_space).strip()


def _kept(character: str) -> str:
    if character.isprintable() or character in _UNSEEN or character in _UNBROKEN:
        return character
    return "\n" if character == "\n" else " " if character.isspace() else ""


def from_tags(text: str) -> tuple[str, int | None]:
    """Of WebVTT or SubRip, which has tags of HTML and, as players understand them, of ASS, too; and
    the alignment that one of these asks for."""
    return _read(_TOKENS.split(text), PLAIN, {})


def from_ass(text: str, look: Look, looks: Mapping[str, Look]) -> tuple[str, int | None]:
    """Of an event of ASS in this style, with the others by name."""
    text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", "\u00a0")
    tagged, alignment = _read(_ASS_TOKENS.split(text), look, looks)
    return tagged, alignment or look.alignment


def from_runs(runs: Iterable[tuple[str, Look]]) -> str:
    """Of words in different styles."""
    writer = _Writer()
    for words, look in runs:
        writer.only(look)
        writer.say(words)
    return writer.text()


def _read(tokens: list[str], look: Look, looks: Mapping[str, Look]) -> tuple[str, int | None]:
    """`tokens`: words and, between each two of them, a tag."""
    writer, alignment = _Writer(), None
    writer.only(look)
    for number, token in enumerate(tokens):
        if number % 2 == 0:
            writer.say(html.unescape(token))
        elif token.startswith("{"):
            for asked in _OVERRIDE.finditer(token):
                alignment = alignment or _alignment(asked)
                _override(writer, asked, look, looks)
        elif found := _TAG.fullmatch(token):
            _tag(writer, *found.groups())
    return writer.text(), alignment


def _tag(writer: _Writer, end: str, name: str, classes: str, about: str | None) -> None:
    name = name.lower()
    if name == _FONT:
        if end:
            writer.end(name)
        else:  # also of one without a colour, for it has an end, too
            writer.begin(name, tag_of(of_html(about or "")))
        return
    if name not in NAMES:
        return
    if end:
        writer.end(name)
        return
    kept = "".join(f".{each}" for each in classes.split(".") if re.fullmatch(r"[\w-]{1,40}", each))
    told = words(about or "").replace("\n", " ")[:_LONGEST]
    if name == "lang" and not re.fullmatch(r"[A-Za-z0-9-]{1,35}", told):
        return
    if name == "v" and not told:
        return
    told = f" {html.escape(told, quote=False)}" if name in ("v", "lang") else ""
    writer.begin(name, f"<{name}{kept[:_LONGEST]}{told}>")


def _override(writer: _Writer, found: re.Match[str], look: Look, looks: Mapping[str, Look]) -> None:
    """A command of ASS that turns a tag on or off; others are not obeyed."""
    flag, style = found["flag"], found["style"]
    if flag:
        usual = flag in look.tags
        # Of \b also the weight of a font may be told.
        on = found["value"] not in ("0", "400") if found["value"] else usual
        writer.turn(flag, on)
    elif style is not None:
        writer.only(looks.get(style.strip(), look))
    elif found["paint"]:
        writer.paint(of_ass(found["colour"]) if found["colour"] else look.colour)


def _alignment(found: re.Match[str]) -> int | None:
    return int(found["pad"]) if found["pad"] else number_pad(int(found["old"] or 0))


def number_pad(old: int) -> int | None:
    """An alignment of SSA, where 4 more is above and 8 more in the middle, as on the number pad."""
    column = old & 3
    return column + (6 if old & 4 else 3 if old & 8 else 0) if column else None


def words(text: str) -> str:
    """Words and line ends alone, without tags, and with nothing that ASS would obey. Two voices
    never share a line."""
    text = re.sub(rf"</?[A-Za-z][^>]*>|<{_TIME}>", "", _VOICE.sub("\n", text))
    text = html.unescape(text).translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"})
    return "\n".join(line for line in map(shown, text.split("\n")) if line)


def shown(line: str) -> str:
    """What of a line is shown, with plain spaces, one between two words."""
    kept = (c for c in " ".join(line.split()) if c.isprintable() or c in _UNSEEN)
    return "".join(kept).strip()
