"""Ways to break what players choose by: offers of streams, groups, and DASH's sets."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

from tests.media.mutations import (
    Change,
    Mutation,
    all_of,
    data,
    master,
    mpd,
    no_idr,
    playlist,
    rename_boxes,
    text,
)
from tests.media.packages import X264, packager, picture
from tests.patience import WAIT_S


def second(kind: str, *changes: tuple[str, str], before: bool = False) -> Change:
    """A copy of the first EXT-X-MEDIA of a kind, changed, behind or before it."""

    def change(out: Path) -> None:
        path = out / "master.m3u8"
        found = re.search(rf"^#EXT-X-MEDIA:TYPE={kind}.*$", path.read_text(), re.MULTILINE)
        assert found is not None
        copy = found[0]
        for pattern, to in changes:
            copy, done = re.subn(pattern, to, copy)
            assert done, f"{pattern} is not in {copy}"
        both = f"{copy}\n{found[0]}" if before else f"{found[0]}\n{copy}"
        path.write_text(path.read_text().replace(found[0], both))

    return change


def other_captions(out: Path) -> None:
    """Forced captions, of which one stands in no others."""
    shutil.copytree(out / "c", out / "c2")
    text("c2/00001.vtt", "01.000 --> 00:00:02.500", "02.600 --> 00:00:02.800")(out)
    changes = (("c/playlist", "c2/playlist"), ('"English"', '"Signs"'))
    second("SUBTITLES", *changes, ("DEFAULT=YES", "DEFAULT=NO,FORCED=YES"))(out)


def interlaced(out: Path) -> None:
    """The smaller rendition again, in fields."""
    film = out.parent / "fields.mp4"
    picture(film, "160x96", (*X264, "-x264-params", "interlaced=1"))
    stream = f"in={film},stream=video,init_segment=v90/init.mp4"
    options = ("--segment_duration=4", "--fragment_duration=1", "--quiet")
    command = (packager(), f"{stream},segment_template=v90/$Number%05d$.m4s", *options)
    subprocess.run(command, cwd=out, check=True, timeout=WAIT_S)


def without_base(found: bytearray) -> bytearray:
    """Flags of the first tfhd, without default-base-is-moof."""
    found[found.index(b"tfhd") + 5] &= ~2
    return found


def six_channels(found: bytearray) -> bytearray:
    struct.pack_into(">H", found, found.index(b"mp4a") + 4 + 16, 6)
    return found


def he_aac(found: bytearray) -> bytearray:
    """The first five bits of AudioSpecificConfig are the object type: SBR for LC."""
    at = found.index(b"\x11\x90", found.index(b"esds"))
    found[at] = 5 << 3 | found[at] & 7
    return found


def bt2020(found: bytearray) -> bytearray:
    at = found.index(b"colrnclx") + 8
    struct.pack_into(">H", found, at, 9)
    return found


_STREAM = r"(#EXT-X-STREAM-INF.*)"
_HEARS = 'CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog'
_SEES = ',CHARACTERISTICS="public.accessibility.describes-video"'
_ALONE = '#EXT-X-STREAM-INF:BANDWIDTH=132000,CODECS="mp4a.40.2",AUDIO="audio"\\na/playlist.m3u8\\n'
OFFER = [
    Mutation("hls-syntax", master(r",CODECS=\"avc1", ',CODECS="avc1.64000d",CODECS="avc1')),
    Mutation("hls-syntax", master(r'AUDIO="audio"', "AUDIO=audio")),
    Mutation("hls-syntax", master("RESOLUTION=160x90", "RESOLUTION=160")),
    Mutation("hls-syntax", master("AUTOSELECT=YES", "AUTOSELECT=TRUE")),
    Mutation("hls-map", playlist(r"^#EXT-X-MAP.*\n", "", "v180/iframes.m3u8")),
    Mutation("hls-score", master(_STREAM + r"VIDEO-RANGE", r"\1SCORE=2.0,VIDEO-RANGE")),
    Mutation("hls-closed-captions", master(_STREAM + ",CLOSED-CAPTIONS=NONE", r"\1")),
    Mutation("hls-groups-everywhere", master(_STREAM + ',SUBTITLES="text"', r"\1")),
    Mutation("hls-interlaced", interlaced),
    Mutation("hls-picture-codec", master(r"avc1\.64000d", "vp09.00.10.08")),
    Mutation("hls-common-level", master(r"avc1\.64000d", "avc1.640033", count=0)),
    Mutation("hls-high-profile", master(r"avc1\.64000d", "avc1.4d000d")),
    Mutation("hls-level", master(r"avc1\.64000d", "avc1.64001f")),
    Mutation("hls-hdr-depth", master("VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ")),
    Mutation("hls-hdr10", master("VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ")),
    Mutation("hls-colour", data("v90/init.mp4", bt2020)),
    Mutation("hls-uhd-rate", master(r"AVERAGE-BANDWIDTH=\d+(.*)=320x180",
                                    r"AVERAGE-BANDWIDTH=16000000\1=3840x2160")),
    Mutation("hls-compatible", master(r"(I-FRAME.*)avc1", r"\1hvc1", count=0)),
    Mutation("hls-aac", data("a/init.mp4", six_channels)),
    Mutation("hls-aac", all_of(data("a/init.mp4", six_channels),
                               rename_boxes("a/init.mp4", b"mp4a", to=b"Opus"))),
    Mutation("hls-he-aac", data("a/init.mp4", he_aac)),
    Mutation("hls-sound-codec", master(r"mp4a\.40\.2", "opus")),
    Mutation("hls-ac3", master(r"mp4a\.40\.2", "mp4a.40.2,ec-3")),
    Mutation("hls-audio-only", master(r"^(#EXT-X-STREAM-INF)", _ALONE + r"\1")),
    Mutation("hls-several-rates", master(_STREAM + r"avc1\.64000d", r"\1hvc1.1.6.L30.90")),
    Mutation("iframe-missing", master(_STREAM + "avc1", r"\1hvc1")),
    Mutation("iframe-several-rates", master(r"^#EXT-X-I-FRAME.*v90.*\n")),
    Mutation("iframe-hdr-sizes", all_of(master("=SDR", "=PQ", count=0),
                                        master("(I-FRAME.*)=PQ(.*v90)", r"\1=SDR\2"))),
    Mutation("segment-relative", data("v180/00002.m4s", without_base)),
    Mutation("cmaf-brand", rename_boxes("v180/init.mp4", b"cmfc")),
    Mutation("hls-bandwidth", text("c/00001.vtt", r"\Z", "\nNOTE " + "x" * 90_000)),
    Mutation("hls-average-bandwidth", text("c/00001.vtt", r"\Z", "\nNOTE " + "x" * 90_000)),
]  # fmt: skip
PEOPLE = [
    Mutation("hls-media-attributes", master("(AUDIO.*)AUTOSELECT", r"\1FORCED=YES,AUTOSELECT")),
    Mutation("hls-media-attributes", master("(SUBTITLES.*)AUTO", r'\1CHANNELS="2",AUTO')),
    Mutation("hls-media-attributes", master("TYPE=SUBTITLES", "TYPE=CLOSED-CAPTIONS")),
    Mutation("hls-media-order", second(
        "SUBTITLES", ("NAME=", f'{_HEARS}",NAME='), ("English", "Sounds"),
        ("DEFAULT=YES", "DEFAULT=NO"), before=True,
    )),
    Mutation("hls-autoselect", second("SUBTITLES", ("English", "More"), ("T=YES,", "T=NO,"))),
    Mutation("hls-accessible", master("(AUDIO.*),DEFAULT=YES,AUTOSELECT=YES", rf"\1{_SEES}")),
    Mutation("hls-accessible", master("(SUBTITLES.*),DEFAULT", rf'\1,{_HEARS}",DEFAULT')),
    Mutation("hls-forced", master("(SUBTITLES.*),DEFAULT=YES,AUTO.*", r"\1,FORCED=YES")),
    Mutation("language-tag", master('(AUDIO.*)LANGUAGE="en"', r'\1LANGUAGE="en_US"')),
    Mutation("language-tag", mpd('lang="en"', 'lang="en_US"')),
    Mutation("captions-forced", other_captions),
]  # fmt: skip
_SOUND = r'(<AdaptationSet [^>]*"audio"(?:.|\n)*?</AdaptationSet>)'
SETS = [
    Mutation("dash-longest-segment", mpd("minBuffer", 'maxSegmentDuration="PT2S" minBuffer')),
    Mutation("dash-period", mpd('<Period id="0"', '<Period id="0" duration="PT8S"')),
    Mutation("dash-sets", mpd('AdaptationSet id="1"', 'AdaptationSet id="0"')),
    Mutation("dash-content-type", mpd('contentType="audio"', 'contentType="video"')),
    Mutation("dash-role", mpd('2011" value="main"', '2011" value="principal"')),
    Mutation("dash-main", all_of(mpd('"main"', '"dub"'), mpd(_SOUND, r"\1\n\1"))),
    Mutation("dash-sap", all_of(mpd("contentType", 'startWithSAP="1" contentType'),
                                data("v180/00002.m4s", no_idr))),
    Mutation("dash-sap", mpd('startWithSAP="1"', 'startWithSAP="9"')),
    Mutation("dash-aspect", mpd('par="16:9"', 'par="4:3"')),
    Mutation("dash-aspect", mpd('sar="1:1"', 'sar="4:3"')),
    Mutation("dash-most", mpd('maxWidth="320"', 'maxWidth="160"')),
    Mutation("dash-most", mpd("contentType", 'maxFrameRate="25" contentType')),
    Mutation("dash-colour", mpd('Characteristics" value="1"', 'Characteristics" value="16"')),
]  # fmt: skip
CHOICE = [*OFFER, *PEOPLE, *SETS]
