"""Rules of DASH: the manifest against the segments that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.check import RuleFinding
from media.check.codecs import same_codec
from media.check.facts import AdaptationSet, Master, Mpd, Package, Representation, Track
from media.check.manifests import seconds
from media.check.renditions import Rendition, of_dash, of_hls, of_representation
from media.check.rules import finding
from media.check.rules.dash_sets import dash_sets

_ROUNDING = Fraction(1001, 1000)
_MIME = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
_END_S = Fraction(1, 10)


def dash(package: Package) -> Iterator[RuleFinding]:
    """What is wrong with the manifest."""
    mpd = package.mpd
    if mpd is None:
        return
    yield from _manifest(mpd)
    yield from _duration(package, mpd)
    yield from dash_sets(package, mpd)
    for group in mpd.sets:
        yield from _cover(mpd, group)
        for each in group.representations:
            yield from _addressing(each)
            rendition = of_representation(package, each)
            if rendition is not None and rendition.track is not None:
                yield from _segments(package, each, rendition.track)
                yield from _described(package, each, rendition, rendition.track)
                yield from _bandwidth(mpd, each, rendition)
    if package.master is not None:
        yield from _same(package, mpd, package.master)


def _manifest(mpd: Mpd) -> Iterator[RuleFinding]:
    told = mpd.attributes
    if told.get("type", "static") != "static":
        yield finding("dash-static", mpd.path, f"type is {told['type'][:40]!r}")
    wanted = ("mediaPresentationDuration", "minBufferTime", "profiles")
    if missing := [name for name in wanted if name not in told]:
        yield finding("dash-static", mpd.path, f"{', '.join(missing)} is missing")
    if mpd.periods != 1:
        yield finding("dash-period", mpd.path, f"there are {mpd.periods} periods")
    if seconds(mpd.period.get("start", "PT0S")) != 0:
        yield finding("dash-period", mpd.path, f"the period starts at {mpd.period['start'][:40]}")
    lasts, whole = seconds(mpd.period.get("duration")), seconds(told.get(wanted[0]))
    if lasts is not None and whole is not None and lasts != whole:
        yield finding("dash-period", mpd.path, f"the period lasts {_s(lasts)} of {_s(whole)}")
    longest = seconds(told.get("maxSegmentDuration"))
    for each in (each for group in mpd.sets for each in group.representations):
        length = max((span.duration for span in each.spans), default=0)
        if longest is not None and each.timescale and Fraction(length, each.timescale) > longest:
            words = f"{_s(Fraction(length, each.timescale))}; maxSegmentDuration is {_s(longest)}"
            yield finding("dash-longest-segment", each.name, words)


def _duration(package: Package, mpd: Mpd) -> Iterator[RuleFinding]:
    """Against the longest representation, from presentationTimeOffset on."""
    told = seconds(mpd.attributes.get("mediaPresentationDuration"))
    lengths, frame_s = [], Fraction()
    for each in (each for group in mpd.sets for each in group.representations):
        rendition = of_representation(package, each)
        if rendition and rendition.is_timed and rendition.kind != "text":
            lengths.append(rendition.end_s - Fraction(each.offset, each.timescale or 1))
            frame_s = max(frame_s, rendition.frame_s)
    if told is not None and lengths and abs(told - max(lengths)) > frame_s:
        yield finding(
            "dash-duration",
            mpd.path,
            f"mediaPresentationDuration is {_s(told)}; the film lasts {_s(max(lengths))}",
        )


def _cover(mpd: Mpd, group: AdaptationSet) -> Iterator[RuleFinding]:
    """Segments up to the end of the period; a film's sound may end behind its picture."""
    period = seconds(mpd.attributes.get("mediaPresentationDuration"))
    if period is None:
        return
    ends = [_end(each) for told in mpd.sets for each in told.representations if each.spans]
    own = [_end(each) for each in group.representations if each.spans]
    wanted = period if period > max(ends, default=period) + _END_S else max(own, default=period)
    for each in group.representations:
        if not each.spans:
            continue
        end = _end(each)
        if end < wanted - _END_S:
            message = f"its segments end at {_s(end)}; the period at {_s(wanted)}"
            yield finding("dash-cover", each.name, message)


def _end(told: Representation) -> Fraction:
    last = told.spans[-1]
    return Fraction(last.start + last.duration - told.offset, told.timescale or 1)


def _addressing(each: Representation) -> Iterator[RuleFinding]:
    if not each.addressed or each.init_uri is None:
        message = "no SegmentTemplate with media, initialization and a SegmentTimeline"
        yield finding("dash-addressing", each.name, f"{message}: its segments were not checked")
    elif each.timescale is None:
        yield finding("dash-addressing", each.name, "timescale is missing")
    for before, span in pairwise(each.spans):
        if span.start != before.start + before.duration:
            kind = "a gap" if span.start > before.start + before.duration else "an overlap"
            yield finding("dash-gap", each.name, f"{kind} before t={span.start}")


def _segments(package: Package, told: Representation, track: Track) -> Iterator[RuleFinding]:
    timescale = told.timescale or 1
    for number, span in enumerate(told.spans, 1):
        segment = package.segments.get(span.path or "")
        if segment is None or not segment.fragments:
            continue
        where = f"{told.name}, segment {number}"
        frame = Fraction(segment.end - segment.start, segment.samples * track.timescale)
        begin, end = segment.presented(track)
        start, length = Fraction(begin, track.timescale), Fraction(end - begin, track.timescale)
        wanted = Fraction(span.start, timescale), Fraction(span.duration, timescale)
        if abs(start - wanted[0]) >= frame or abs(length - wanted[1]) >= frame:
            yield finding(
                "dash-timeline",
                where,
                f"SegmentTimeline: {_s(wanted[0])} for {_s(wanted[1])}; the segment: {_s(start)} "
                f"for {_s(length)}",
            )
        index = segment.index
        if index and any(
            abs(Fraction(a - b, track.timescale)) >= frame
            for a, b in zip(index, (begin, end - begin), strict=True)
        ):
            message = (
                f"sidx: {index[0]} for {index[1]} ticks; the segment: {begin} for {end - begin}"
            )
            yield finding("dash-sidx", where, message)


def _described(
    package: Package, told: Representation, rendition: Rendition, track: Track
) -> Iterator[RuleFinding]:
    """Attributes of a representation against its track."""
    attributes = told.attributes
    codecs = attributes.get("codecs", "")
    if not same_codec(codecs, track.codec):
        yield finding("dash-codecs", told.name, f"codecs {codecs!r}; it holds {track.codec!r}")
    if attributes.get("mimeType") != _MIME[track.kind]:
        message = f"mimeType {attributes.get('mimeType')!r}; it is {_MIME[track.kind]!r}"
        yield finding("dash-mime", told.name, message)
    if track.kind == "video":
        yield from _picture(package, told, rendition, track)
    elif track.kind == "audio":
        wanted = str(track.sample_rate), str(track.channels)
        given = attributes.get("audioSamplingRate"), told.channels
        # As in HLS, sample entries of AC-3 do not tell the channels; nor do DASH's schemes for it.
        if given[0] != wanted[0] or (track.entry not in ("ac-3", "ec-3") and given[1] != wanted[1]):
            yield finding(
                "dash-sound",
                told.name,
                f"{given[0]} Hz, {given[1]} channels; it has {wanted[0]} Hz, {wanted[1]}",
            )


def _picture(
    package: Package, told: Representation, rendition: Rendition, track: Track
) -> Iterator[RuleFinding]:
    picture = package.pictures.get(told.init or "")
    size = (picture.width, picture.height) if picture else (track.width, track.height)
    given = told.attributes.get("width"), told.attributes.get("height")
    if given != (str(size[0]), str(size[1])):
        message = f"{given[0]}x{given[1]}; the picture has {size[0]}x{size[1]}"
        yield finding("dash-picture", told.name, message)
    rate = told.attributes.get("frameRate", "")
    if not re.fullmatch(r"[1-9]\d{0,8}(?:/[1-9]\d{0,8})?", rate):
        yield finding("dash-picture", told.name, f"frameRate {rate[:40]!r}")
    elif rendition.is_timed and not rendition.has_rate(Fraction(rate)):
        message = f"frameRate {rate}; the picture has {float(1 / rendition.frame_s):.3f}"
        yield finding("dash-picture", told.name, message)


def _bandwidth(mpd: Mpd, told: Representation, rendition: Rendition) -> Iterator[RuleFinding]:
    """Whatever segment playing begins with, at @bandwidth bit/s each one comes before its end and
    minBufferTime (5.3.5.2): for all i <= j, bits(i..j) <= bandwidth * (end(j) - start(i) + buffer).
    """
    written = told.attributes.get("bandwidth", "")
    rate = int(written) if re.fullmatch(r"\d{1,15}", written, re.ASCII) else 0
    buffer_s = seconds(mpd.attributes.get("minBufferTime")) or Fraction()
    time = bits = Fraction()
    least, worst = Fraction(), Fraction()
    for size, length in zip(rendition.sizes, rendition.lengths, strict=True):
        least = min(least, bits - rate * _ROUNDING * time)
        time, bits = time + length, bits + size * 8
        worst = max(worst, bits - rate * _ROUNDING * time - least)
    if not rate or worst > rate * buffer_s:
        mean = f"{float(rendition.mean_bps):.0f}"
        yield finding(
            "dash-bandwidth",
            told.name,
            f"bandwidth {written or 'is missing'}; the mean is {mean}, the peak "
            f"{float(rendition.peak_bps):.0f}",
        )


def _same(package: Package, mpd: Mpd, master: Master) -> Iterator[RuleFinding]:
    """Segments of picture and sound; captions are WebVTT there and fragments here."""
    hls, here = (
        {segment.path for each in found if each.kind != "text" for segment in each.segments}
        for found in (of_hls(package), of_dash(package))
    )
    for names, other in ((hls - here, mpd.path), (here - hls, master.path)):
        if names:
            message = f"{len(names)} are missing, such as {min(names)}"
            yield finding("same-segments", other, message)


def _s(value: Fraction) -> str:
    return f"{float(value):.6g} s"
