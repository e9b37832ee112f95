"""HLS playlists: written from a package's renditions, and the little that is read of others'.

RFC 8216, and Apple's authoring specification where it asks for more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from media.package.languages import language_name
from media.package.renditions import Rendition, Segment, average_bps, peak_bps, places

VERSION = 6
"""EXT-X-MAP in playlists of whole segments needs it (RFC 8216, 7)."""

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_CAPTIONS = "captions"


def media_playlist(
    segments: Sequence[Segment], target_s: int, *, init: str | None = None, key: str | None = None
) -> str:
    """A playlist of segments, or of I-frames where they are byte ranges.

    `init` is clear, so it stands before `key`, the attributes of EXT-X-KEY.
    """
    i_frames = segments[0].byte_range is not None
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_s}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *(["#EXT-X-I-FRAMES-ONLY"] if i_frames else []),
        *([f'#EXT-X-MAP:URI="{init}"'] if init else []),
        *([f"#EXT-X-KEY:{key}"] if key else []),
    ]
    for segment in segments:
        # Microseconds: in milliseconds two hours of 4.0107 s segments would be half a second off.
        lines.append(f"#EXTINF:{float(segment.duration_s):.6f},")
        if segment.byte_range is not None:
            lines.append(f"#EXT-X-BYTERANGE:{segment.byte_range}")
        lines.append(segment.uri)
    return "\n".join((*lines, "#EXT-X-ENDLIST", ""))


def key_attributes(method: str, uri: str, iv: bytes) -> str:
    """What stands behind EXT-X-KEY. `identity`: the key is sent as 16 bytes, as they are."""
    return f'METHOD={method},URI="{uri}",IV=0x{iv.hex()},KEYFORMAT="identity"'


def i_frames(playlist: str) -> tuple[Segment, ...]:
    """The I-frames of a playlist that the packager wrote: byte ranges, and their durations."""
    found, duration_s, byte_range = list[Segment](), Fraction(), ""
    for line in playlist.splitlines():
        if line.startswith("#EXTINF:"):
            duration_s = Fraction(line.removeprefix("#EXTINF:").partition(",")[0])
        elif line.startswith("#EXT-X-BYTERANGE:"):
            byte_range = line.removeprefix("#EXT-X-BYTERANGE:")
        elif line and not line.startswith("#"):
            size = int(byte_range.partition("@")[0])
            found.append(Segment(line, duration_s, size, byte_range))
    return tuple(found)


def variants(master: str) -> dict[str, dict[str, str]]:
    """Attributes of EXT-X-STREAM-INF by the address of the playlist that they tell of."""
    found, told = dict[str, dict[str, str]](), dict[str, str]()
    for line in master.splitlines():
        if line.startswith("#EXT-X-STREAM-INF:"):
            told = {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line)}
        elif line and not line.startswith("#"):
            found.setdefault(line, told)
    return found


def master_playlist(renditions: Sequence[Rendition], target_s: int) -> str:
    """The master playlist: every picture with every group of sounds, and all captions."""
    pictures = [each for each in renditions if each.kind == "video"]
    captions = [each for each in renditions if each.kind == "captions"]
    groups = audio_groups([each for each in renditions if each.kind == "audio"])
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    names = _names(next(iter(groups.values()), []))
    # A single sound without a picture is the variant itself.
    told = groups if pictures or len(names) > 1 or len(groups) > 1 else {}
    for group, members in told.items():
        lines += _media("AUDIO", group, members, names)
    lines += _media("SUBTITLES", _CAPTIONS, captions, _names(captions))
    for group, members in groups.items() or [("", [])]:
        for picture in pictures:
            lines += _variant(picture, ([picture], members, captions), group, target_s)
        if not pictures:
            sound = _default(members) or members[0]
            lines += _variant(sound, (members, captions), group if told else "", target_s)
    lines += [_i_frame_variant(each, target_s) for each in pictures if each.i_frames]
    return "\n".join((*lines, ""))


def audio_groups(sounds: Sequence[Rendition]) -> dict[str, list[Rendition]]:
    """Sounds by their groups.

    Groups must have the same members (RFC 8216, 4.3.4.1.1): where one lacks a sound, such as 5.1
    that only one language has, the first group's stands in.
    """
    place = places(sounds)
    groups: dict[str, dict[object, Rendition]] = {}
    for sound in sounds:
        groups.setdefault(sound.group, {})[place[sound.name]] = sound
    every = {what: sound for group in reversed(groups.values()) for what, sound in group.items()}
    wanted = dict.fromkeys(place.values())
    return {
        name: [group.get(what, every[what]) for what in wanted] for name, group in groups.items()
    }


def _names(members: Sequence[Rendition]) -> list[str]:
    """A name for each member, no two alike."""
    names: list[str] = []
    for member in members:
        told = member.title or (member.language and language_name(member.language)) or member.name
        name = told.replace('"', "'")
        name = "".join(c if c.isprintable() else " " for c in name)
        names.append(name if name not in names else f"{name} ({member.name})")
    return names


def _media(
    kind: str, group: str, members: Sequence[Rendition], names: Sequence[str]
) -> Iterable[str]:
    """EXT-X-MEDIA of each member. One sound of a group is the default; captions need not be shown,
    so none of them may be. Of a language's members, one is chosen for those who speak it; what is
    for people who do not see or hear, and what all need, always may be (Apple, 2.13, 4.6, 5.11).
    The general one of a language stands before them (9.17)."""
    default = _default(members)
    if default is None and kind == "AUDIO":
        default = members[0]
    chosen = {_choice(default): default} if default else {}
    for member, name in _general_first(list(zip(members, names, strict=True))):
        if not member.commentary:
            chosen.setdefault(_choice(member), member)
        words = [f"TYPE={kind}", f'GROUP-ID="{group}"', f'NAME="{name}"']
        if member.language:
            words.append(f'LANGUAGE="{member.language}"')
        words.append(f"DEFAULT={_yes(member is default)}")
        is_chosen = chosen.get(_choice(member)) is member
        is_needed = member.forced or bool(_characteristics(member))
        words.append(f"AUTOSELECT={_yes(is_chosen or is_needed)}")
        if kind == "SUBTITLES":
            words.append(f"FORCED={_yes(member.forced)}")
        if characteristics := _characteristics(member):
            words.append(f'CHARACTERISTICS="{characteristics}"')
        if member.channels:
            words.append(f'CHANNELS="{member.channels}"')
        yield f'#EXT-X-MEDIA:{",".join(words)},URI="{member.folder}/playlist.m3u8"'
    if members:
        yield ""


def _general_first(told: list[tuple[Rendition, str]]) -> list[tuple[Rendition, str]]:
    """In the places of each language, its members without characteristics first."""
    languages = [member.language for member, _ in told]
    found = list(told)
    for language in dict.fromkeys(languages):
        at = [place for place, each in enumerate(languages) if each == language]
        own = sorted(
            (told[place] for place in at), key=lambda each: bool(_characteristics(each[0]))
        )
        for place, each in zip(at, own, strict=True):
            found[place] = each
    return found


def _choice(member: Rendition) -> tuple[object, ...]:
    """What a player chooses one of for a viewer, by the viewer's own settings."""
    return member.language, member.forced, member.hearing_impaired, member.described


def _characteristics(member: Rendition) -> str:
    """Whom a rendition is for (RFC 8216bis, 4.4.6.1)."""
    if member.described:
        return "public.accessibility.describes-video"
    if member.hearing_impaired:
        return ",".join(
            f"public.accessibility.{what}"
            for what in ("transcribes-spoken-dialog", "describes-music-and-sound")
        )
    return ""


def _default(members: Sequence[Rendition]) -> Rendition | None:
    return next((each for each in members if each.default), None)


def _yes(value: bool) -> str:
    return "YES" if value else "NO"


def _variant(
    shown: Rendition, parts: Sequence[Sequence[Rendition]], group: str, target_s: int
) -> list[str]:
    """EXT-X-STREAM-INF of what is `shown` with one rendition of each of the `parts`.

    Rates hold for whatever a player chooses: each part's greatest, added.
    """
    parts = [part for part in parts if part]
    media = [each for part in parts for each in part if each.kind != "captions"]
    peak = sum(max(peak_bps(each.segments, target_s) for each in part) for part in parts)
    average = sum(max(average_bps(each.segments) for each in part) for part in parts)
    words = [
        f"BANDWIDTH={peak}",
        f"AVERAGE-BANDWIDTH={average}",
        f'CODECS="{",".join(dict.fromkeys(each.codecs for each in media))}"',
        *_picture(shown),
        *([f'AUDIO="{group}"'] if group else []),
        *([f'SUBTITLES="{_CAPTIONS}"'] if parts[-1][0].kind == "captions" else []),
        *(["CLOSED-CAPTIONS=NONE"] if shown.kind == "video" else []),
    ]
    return [f"#EXT-X-STREAM-INF:{','.join(words)}", f"{shown.folder}/playlist.m3u8"]


def _picture(rendition: Rendition) -> list[str]:
    if rendition.resolution is None or rendition.frame_rate is None:
        return []
    width, height = rendition.resolution
    return [
        f"RESOLUTION={width}x{height}",
        f"FRAME-RATE={float(rendition.frame_rate):.3f}",
        f"VIDEO-RANGE={rendition.video_range}",
    ]


def _i_frame_variant(rendition: Rendition, target_s: int) -> str:
    words = [
        f"BANDWIDTH={peak_bps(rendition.i_frames, target_s)}",
        f"AVERAGE-BANDWIDTH={average_bps(rendition.i_frames)}",
        f'CODECS="{rendition.codecs}"',
        *(word for word in _picture(rendition) if not word.startswith("FRAME-RATE")),
        f'URI="{rendition.folder}/iframes.m3u8"',
    ]
    return f"#EXT-X-I-FRAME-STREAM-INF:{','.join(words)}"
