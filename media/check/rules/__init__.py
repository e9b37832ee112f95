"""The rules, and who states them. Each module here holds a family; a rule's function is pure."""

from __future__ import annotations

from dataclasses import dataclass

from longtake.contracts.check import RuleFinding, Severity


@dataclass(frozen=True)
class Rule:
    """What a package must be (error), or had better be (warning)."""

    severity: Severity
    says: str
    source: str


APPLE = "Apple HLS Authoring Specification"
HLS = "RFC 8216bis"
DASH = "ISO/IEC 23009-1"
IOP = "DASH-IF IOP"
CMAF = "ISO/IEC 23000-19"
CENC = "ISO/IEC 23001-7"
OURS = "Longtake"


def _error(says: str, source: str) -> Rule:
    return Rule("error", says, source)


def _warning(says: str, source: str) -> Rule:
    return Rule("warning", says, source)


RULES = {
    # Files
    "uri-outside": _error(
        "URIs are relative and stay in the package, so that it can be moved as a whole", OURS
    ),
    "file-missing": _error("Every file that a manifest names is there", f"{HLS} 4.1, {DASH} 5.3.9"),
    "listing-syntax": _error("package.json is a list of files with bytes and sha256", OURS),
    "listing-files": _error("package.json lists the files that are there, and no other", OURS),
    "listing-size": _error("Each file is as long as package.json says", OURS),
    "listing-sha256": _error("Each file has the SHA-256 that package.json says", OURS),
    # HLS: what is written
    "hls-syntax": _error("Playlists follow the grammar: UTF-8, #EXTM3U first, known values",
                         f"{HLS} 4"),
    "hls-once": _error("Tags of a whole playlist stand in it once", f"{HLS} 4.4.2, 4.4.3"),
    "hls-version": _error("EXT-X-VERSION is at least what the tags need", f"{HLS} 8"),
    "hls-vod": _error("A finished playlist says PLAYLIST-TYPE:VOD and ENDLIST", f"{APPLE} 8.6"),
    "hls-map": _error("Playlists of fragmented MP4 name their init segment (EXT-X-MAP)",
                      f"{HLS} 3.1.2, {APPLE} 8.20"),
    "hls-target-duration": _error(
        "No EXTINF, rounded to whole seconds, is longer than TARGETDURATION", f"{HLS} 4.4.3.1"
    ),
    "hls-target-duration-same": _error(
        "All playlists of picture and sound have one TARGETDURATION", f"{APPLE} 8.2"
    ),
    "hls-segment-too-long": _error(
        "No segment lasts longer than TARGETDURATION and half a second", f"{APPLE} 7.7"
    ),
    "hls-extinf": _error(
        "EXTINF sums are within a frame of the real duration, over any run of segments",
        f"{APPLE} 8.1",
    ),
    # HLS: the master playlist
    "hls-attributes": _error(
        "Streams tell BANDWIDTH, AVERAGE-BANDWIDTH and CODECS; of picture, RESOLUTION and "
        "FRAME-RATE, too",
        f"{HLS} 4.4.6.2, {APPLE} 9.1-9.4, 9.14, 9.15",
    ),
    "hls-codecs": _error("CODECS names what is in the segments", f"{HLS} 4.4.6.2, RFC 6381"),
    "hls-resolution": _error("RESOLUTION is that of the picture", f"{HLS} 4.4.6.2"),
    "hls-frame-rate": _error("FRAME-RATE is that of the picture, to 3 decimals", f"{HLS} 4.4.6.2"),
    "hls-frame-rate-60": _error("No frame rate is above 60", f"{APPLE} 1.19"),
    "hls-video-range": _error(
        "VIDEO-RANGE is SDR, HLG or PQ as the picture is; without it, the picture is SDR",
        f"{HLS} 4.4.6.2, {APPLE} 9.16",
    ),
    "hls-bandwidth": _error(
        "BANDWIDTH is not less than the peak segment bit rate, with those of sound and captions",
        f"{HLS} 4.4.6.2, {APPLE} 9.13",
    ),
    "hls-bandwidth-over": _error("BANDWIDTH is within 10 % of the measured peak", f"{APPLE} 1.27"),
    "hls-average-bandwidth": _error(
        "AVERAGE-BANDWIDTH is within 10 % of the measured mean", f"{APPLE} 1.26"
    ),
    "hls-peak": _warning("The peak bit rate is at most twice the mean", f"{APPLE} 1.30"),
    "hls-independent": _error(
        "EXT-X-INDEPENDENT-SEGMENTS stands in the master, or in every playlist of picture",
        f"{APPLE} 9.11, 9.12",
    ),
    "hls-group": _error("Groups that streams name are there", f"{HLS} 4.4.6.2.1"),
    "hls-groups-alike": _error(
        "Groups of one type have the same members", f"{HLS} 4.4.6.1.1"
    ),
    "hls-media-attributes": _error(
        "EXT-X-MEDIA tells TYPE, GROUP-ID, NAME and LANGUAGE; subtitles a URI, sound CHANNELS",
        f"{HLS} 4.4.6.1, {APPLE} 8.10",
    ),
    "hls-media-name": _error("Names in a group differ", f"{HLS} 4.4.6.1.1"),
    "hls-media-default": _error(
        "At most one member of a group is DEFAULT, and that is AUTOSELECT, too",
        f"{HLS} 4.4.6.1, 4.4.6.1.1",
    ),
    "hls-no-default": _warning(
        "One of the sounds is DEFAULT: else players choose by their own language", f"{HLS} 4.4.6.1"
    ),
    "hls-channels": _error("CHANNELS is the number of channels of the sound", f"{HLS} 4.4.6.1"),
    "hls-media-order": _warning(
        "Of a language's members of a group, the general one stands before those with "
        "CHARACTERISTICS",
        f"{APPLE} 9.17",
    ),
    "hls-autoselect": _warning(
        "Members of a group that players may choose differ in language, FORCED or CHARACTERISTICS",
        f"{HLS} 4.4.6.1.1",
    ),
    "hls-accessible": _error(
        "What is for people who do not see or hear is AUTOSELECT, and captions for them tell both "
        "speech and sounds",
        f"{APPLE} 2.13, 4.5, 4.6",
    ),
    "hls-forced": _warning("Forced captions are AUTOSELECT", f"{APPLE} 5.11"),
    "language-tag": _error(
        "Languages are tags as BCP 47 has them", f"{HLS} 4.4.6.1, {DASH} 5.3.3.2, RFC 5646 2.1"
    ),
    "hls-score": _error("SCORE stands in every stream or in none", f"{APPLE} 9.19"),
    "hls-closed-captions": _error(
        "CLOSED-CAPTIONS=NONE stands in every stream or in none", f"{HLS} 4.4.6.2"
    ),
    "hls-groups-everywhere": _warning(
        "Where a stream names sounds or captions, all do: switching must not lose them",
        f"{HLS} 6.2.4",
    ),
    "hls-interlaced": _error("The picture is progressive", f"{APPLE} 1.14"),
    "hls-picture-codec": _error(
        "The picture is H.264, HEVC, AV1 or Dolby Vision", f"{APPLE} 1.1"
    ),
    "hls-profile": _warning(
        "H.264 is at most High, level 5.2; HEVC Main 10, level 5.1; AV1 level 6.2",
        f"{APPLE} 1.3b, 1.6b, 1.37",
    ),
    "hls-common-level": _warning(
        "Some H.264 is at most High, level 4.1; some HEVC Main 10, level 4.0, Main tier",
        f"{APPLE} 1.3a, 1.6a",
    ),
    "hls-high-profile": _warning("H.264 is High profile, not Main or Baseline", f"{APPLE} 1.4"),
    "hls-level": _warning(
        "The level of H.264 and HEVC is not far above what size, frame rate and bit rate need",
        f"{APPLE} 1.11",
    ),
    "hls-hdr-depth": _error("PQ and HLG have 10 bits at least", f"{APPLE} 1.7, ITU-R BT.2100"),
    "hls-hdr10": _warning(
        "PQ tells its mastering display or its light levels: screens guess without",
        f"{APPLE} 1.35",
    ),
    "hls-colour": _warning("Pictures of one VIDEO-RANGE have one colour space", f"{APPLE} 1.21"),
    "hls-uhd-rate": _warning(
        "Of UHD one stream takes at most 15 Mbit/s on average", f"{APPLE} 1.34"
    ),
    "hls-compatible": _warning(
        "There is H.264 in SDR, which all play, of I-frames, too",
        f"{APPLE} 1.12, 1.24, 6.14, 6.16",
    ),
    "hls-aac": _warning(
        "Where there is sound, there is AAC in stereo or mono; and in more channels, where others "
        "than Dolby's have more",
        f"{APPLE} 2.3, 2.26",
    ),
    "hls-he-aac": _warning("HE-AAC takes at most 64 kbit/s", f"{APPLE} 2.4"),
    "hls-sound-codec": _warning(
        "Sound is AAC, Apple Lossless, FLAC, AC-3 or E-AC-3", f"{APPLE} 2.2, 2.5"
    ),
    "hls-ac3": _warning("Where there is E-AC-3, there is AC-3", f"{APPLE} 2.6"),
    "hls-audio-only": _warning(
        "Beside pictures there is no stream of sound alone", f"{APPLE} 9.20 (tvOS)"
    ),
    "hls-several-rates": _warning(
        "There are several bit rates of picture, of each codec", f"{APPLE} 1.23, 9.9"
    ),
    "hls-aspect": _warning("All variants have one aspect ratio", f"{APPLE} 1.33"),
    # Segments
    "segment-syntax": _error(
        "Segments are fragments of one track with tfdt, and samples inside their mdat",
        f"{CMAF} 7.3, ISO/IEC 14496-12",
    ),
    "segment-relative": _error(
        "Fragments tell places from their moof on: browsers refuse others",
        "W3C MSE ISO BMFF byte stream 4, ISO/IEC 23000-19 7.5",
    ),
    "segment-continuity": _error(
        "Each fragment begins where the last one ended: no gap or overlap of a frame or more",
        f"{APPLE} 7.1, 7.3, {CMAF} 7.3.2",
    ),
    "segment-drift": _warning(
        "Each fragment begins where the last one ended, to the tick", f"{CMAF} 7.3.2"
    ),
    "segment-keyframe": _error(
        "Segments of picture begin with a keyframe of a closed GOP, by flags and by bytes",
        f"{HLS} 4.4.2.1, {APPLE} 7.4",
    ),
    "segment-alignment": _error(
        "Renditions of picture have the same segment boundaries, within a frame",
        f"{HLS} 6.2.4, {APPLE} 8.22, {CMAF} 7.3.4",
    ),
    "segment-alignment-sound": _warning(
        "Sound has the segment boundaries of the picture, within a frame of both", f"{APPLE} 8.22"
    ),
    "keyframe-interval": _warning("Keyframes are at most 2 s apart", f"{APPLE} 1.13"),
    "track-start": _error(
        "Renditions of a kind begin together, within a frame", f"{APPLE} 8.7"
    ),
    "track-start-sound": _warning(
        "Picture and sound begin together, within a frame of both", f"{APPLE} 8.7"
    ),
    "track-duration": _error(
        "Renditions of a kind last equally long, within a frame", f"{APPLE} 8.3, 8.7"
    ),
    "track-duration-sound": _warning(
        "Picture and sound end together, within a frame of picture and two of sound",
        f"{APPLE} 8.3, 8.7",
    ),
    "sample-entry": _warning(
        "Parameter sets stand in the init segment: avc1 and hvc1, not avc3 and hev1",
        f"{APPLE} 1.10",
    ),
    "cmaf-brand": _warning("Init segments name a brand of CMAF: cmfc or cmf2", f"{CMAF} 7.2"),
    # I-frames
    "iframe-playlist": _error(
        "I-frame playlists say EXT-X-I-FRAMES-ONLY, and their segments are byte ranges",
        f"{HLS} 4.4.3.6, {APPLE} 6.8",
    ),
    "iframe-range": _error(
        "Each byte range lies in its segment and holds a moof and exactly its one keyframe",
        f"{HLS} 4.4.3.6, {APPLE} 6.10",
    ),
    "iframe-extinf": _error(
        "EXTINF of an I-frame is the time to the next one", f"{HLS} 4.4.3.6"
    ),
    "iframe-decode": _error("Each I-frame decodes to one picture", f"{HLS} 4.4.3.6"),
    "iframe-missing": _warning(
        "There are I-frame playlists, to scrub with, of each codec", f"{APPLE} 6.1, 6.13"
    ),
    "iframe-hdr-sizes": _warning(
        "Where there are I-frames in HDR, there are of each of its sizes", f"{APPLE} 6.15"
    ),
    "iframe-several-rates": _warning(
        "Where there are several bit rates, there are of I-frames, too", f"{APPLE} 6.6"
    ),
    # Encryption
    "hls-key": _error(
        "EXT-X-KEY has a known METHOD, a URI, and an IV of 128 bits where it has one",
        f"{HLS} 4.4.4.4, {APPLE} 13.2",
    ),
    "hls-key-ctr": _error("SAMPLE-AES-CTR is not used", f"{APPLE} 13.11"),
    "key-in-package": _error("No key lies in the package, nor in a manifest", OURS),
    "encryption-boxes": _error(
        "Init segment, fragments and EXT-X-KEY agree on whether and how samples are encrypted",
        f"{CENC} 8, {HLS} 4.4.4.4",
    ),
    "encryption-iv": _error("The IV of EXT-X-KEY is the constant one of tenc", f"{HLS} 4.4.4.4"),
    "encryption-pattern": _error(
        "cbcs encrypts one block of ten of the picture (1:9)", f"{APPLE} 13.7, {CENC} 10.4"
    ),
    "encryption-size": _error(
        "Segments under AES-128 are whole blocks of 16 bytes", f"{HLS} 4.4.4.4"
    ),
    # Captions
    "captions-syntax": _error("WebVTT parses: its header, and cues that end behind their begin",
                              f"W3C WebVTT, {HLS} 3.1.4"),
    "captions-timestamp-map": _error(
        "X-TIMESTAMP-MAP is well-formed, and there where the media's clock does not begin at 0",
        f"{HLS} 3.1.4",
    ),
    "captions-cues": _error(
        "Each segment holds all cues that are shown in its time, and no other", f"{HLS} 3.1.4"
    ),
    "captions-forced": _warning(
        "What is in forced captions is in the others of their language, too", f"{APPLE} 5.8"
    ),
    "captions-cover": _error("Captions last as long as the film", f"{APPLE} 5.5, 8.7"),
    # DASH
    "dash-syntax": _error("The manifest is XML without DTD, an MPD with its required parts", DASH),
    "dash-static": _error(
        "A finished manifest is static, with mediaPresentationDuration, minBufferTime, profiles",
        f"{DASH} 5.3.1.2",
    ),
    "dash-period": _error(
        "There is one period, from 0 to the end", f"{IOP} (timing model) 8.1"
    ),
    "dash-longest-segment": _error(
        "No segment is longer than maxSegmentDuration", f"{DASH} 5.3.1.2"
    ),
    "dash-duration": _error(
        "mediaPresentationDuration is the film's, within a frame", f"{IOP} (timing model) 6"
    ),
    "dash-addressing": _error(
        "Segments are named by SegmentTemplate and SegmentTimeline, with a timescale",
        f"{IOP} (timing model) 9.1, explicit addressing",
    ),
    "dash-timeline": _error(
        "SegmentTimeline tells each segment's tfdt and duration, within a frame",
        f"{DASH} 5.3.9.6",
    ),
    "dash-cover": _error(
        "Each representation has segments for the whole period", f"{IOP} (timing model) 9.2.1"
    ),
    "dash-gap": _error("SegmentTimeline has neither gaps nor overlaps",
                       f"{IOP}, explicit addressing"),
    "dash-sidx": _error("A sidx tells its segment's time and duration", "ISO/IEC 14496-12 8.16.3"),
    "dash-bandwidth": _error(
        "At @bandwidth, with minBufferTime ahead, no segment comes late", f"{DASH} 5.3.5.2"
    ),
    "dash-codecs": _error("@codecs names what is in the segments", f"{DASH} 5.3.7.2"),
    "dash-mime": _error("@mimeType is that of the track", f"{DASH} 5.3.7.2"),
    "dash-picture": _error("width, height and frameRate are those of the picture",
                           f"{DASH} 5.3.7.2"),
    "dash-sound": _error(
        "audioSamplingRate and AudioChannelConfiguration are those of the sound",
        f"{DASH} 5.3.7.2",
    ),
    "dash-sets": _error(
        "Sets and representations have ids of their own; representations of a set one kind, codec "
        "family and time scale, and segmentAlignment",
        f"{DASH} 5.3.3.1, 5.3.5.2, {IOP}",
    ),
    "dash-content-type": _error("contentType is that of the tracks", f"{DASH} 5.3.3.2"),
    "dash-role": _error(
        "Roles of DASH's own scheme are values that it knows", f"{DASH} 5.8.5.5"
    ),
    "dash-main": _warning("Of several sets of sound, one has the role main", IOP),
    "dash-sap": _error(
        "Segments begin as startWithSAP says: 1 or 2 is a closed GOP",
        f"{DASH} 5.3.7.2, ISO/IEC 14496-12 annex I",
    ),
    "dash-aspect": _error(
        "par and sar are the shapes of the picture and of its pixels", f"{DASH} 5.3.3.2, 5.3.7.2"
    ),
    "dash-most": _error(
        "maxWidth, maxHeight and maxFrameRate are not below a representation's",
        f"{DASH} 5.3.3.2",
    ),
    "dash-colour": _error(
        "TransferCharacteristics are those of the picture, and told of HDR",
        f"{DASH} 5.8.5.14, ISO/IEC 23091-2",
    ),
    "dash-lang": _warning(
        "Sets of sound and of captions tell their language (`und` where it is not known)",
        f"{DASH} 5.3.3.2",
    ),
    "dash-protection": _error(
        "Encrypted sets tell the scheme, and nothing else does", f"{DASH} 5.8.4.1, {CENC} 11.2"
    ),
    "dash-default-kid": _error("cenc:default_KID is that of tenc", f"{CENC} 11.2"),
    # Both
    "same-segments": _error("HLS and DASH name the same segments of picture and sound", OURS),
}  # fmt: skip


def finding(rule: str, where: str, message: str) -> RuleFinding:
    """That a rule is broken, and where."""
    return RuleFinding(rule=rule, severity=RULES[rule].severity, where=where, message=message)
