"""Media segments: fragments, their samples' times and flags (ISO/IEC 14496-12: moof, sidx)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from media.check.boxes import Box, Bytes, Malformed, boxes, find, full, need, number, unpack
from media.check.facts import Fragment, Segment, Track
from media.check.starts import HEAD_BYTES, start_kind

_NOT_SYNC = 0x10000
"""sample_is_non_sync_sample, of a sample's flags."""
_FROM_MOOF, _FROM_MOOF_ALONE = 0x020000, 0x020001
"""default-base-is-moof, of a tfhd's flags; and with it base-data-offset-present, which must not be.
"""
MOST_SAMPLES = 1 << 22
"""Of one run: a number in a damaged file must not become work without end."""


@dataclass(frozen=True)
class _Sample:
    duration: int
    size: int
    flags: int
    offset: int
    """Composition offset."""


@dataclass(frozen=True)
class _Defaults:
    duration: int
    size: int
    flags: int


def read_segment(data: Bytes, path: str, track: Track, begin: int, end: int) -> Segment:
    """The segment between two bytes of a file. Raises Malformed."""
    fragments: list[Fragment] = []
    index: tuple[int, int] | None = None
    moof: Box | None = None
    for box in boxes(data, begin, end):
        if box.kind == "sidx" and index is None:
            index = _read_index(data, box)
        elif box.kind == "moof":
            if moof is not None:
                raise Malformed(f"the moof at byte {moof.begin} has no mdat")
            moof = box
        elif box.kind == "mdat" and moof is not None:
            fragments.append(_read_fragment(data, moof, box, track))
            moof = None
    if moof is not None or not fragments:
        raise Malformed("a fragment without samples" if moof else "there is no fragment (moof)")
    first = fragments[0]
    head = bytes(data[first.data : first.data + min(first.first_size, HEAD_BYTES)])
    return Segment(
        path=path,
        begin=begin,
        bytes=end - begin,
        fragments=tuple(fragments),
        index=index,
        start_kind=start_kind(track, head),
    )


def _read_index(data: Bytes, sidx: Box) -> tuple[int, int]:
    """Earliest presentation time and whole duration of a sidx, in its ticks."""
    version, _, at = full(data, sidx)
    earliest = number(">Q" if version else ">I", data, at + 8, sidx.end)
    at += 8 + (16 if version else 8)
    count = number(">H", data, at + 2, sidx.end)
    lengths = (number(">I", data, at + 4 + 12 * i + 4, sidx.end) for i in range(count))
    return earliest, sum(lengths)


def _read_fragment(data: Bytes, moof: Box, mdat: Box, track: Track) -> Fragment:
    trafs = [box for box in boxes(data, moof.start, moof.end) if box.kind == "traf"]
    if len(trafs) != 1:
        raise Malformed(f"the moof at byte {moof.begin} has {len(trafs)} tracks; CMAF has one")
    (traf,) = trafs
    tfhd = need(data, traf.start, traf.end, "tfhd")
    if number(">I", data, tfhd.start + 4, tfhd.end) != track.number:
        raise Malformed("the fragment belongs to another track than the init segment's")
    tfdt = need(data, traf.start, traf.end, "tfdt")
    version, _, at = full(data, tfdt)
    start = number(">Q" if version else ">I", data, at, tfdt.end)
    defaults = _defaults(data, tfhd, track)
    samples: list[_Sample] = []
    place: int | None = None
    for trun in (box for box in boxes(data, traf.start, traf.end) if box.kind == "trun"):
        offset, run = _read_run(data, trun, defaults)
        if place is None:
            place = moof.begin + offset if offset is not None else mdat.start
        samples += run
    if not samples or place is None:
        raise Malformed(f"the fragment at byte {moof.begin} has no samples")
    if place < mdat.start or place + sum(sample.size for sample in samples) > mdat.end:
        raise Malformed(f"samples of the fragment at byte {moof.begin} lie outside its mdat")
    whole = _fragment(start, samples, place, (moof.begin, mdat.end))
    _, flags, _ = full(data, tfhd)
    is_relative = flags & _FROM_MOOF_ALONE == _FROM_MOOF
    return replace(whole, has_iv=_has_iv(data, traf), is_relative=is_relative)


def _fragment(start: int, samples: list[_Sample], place: int, edges: tuple[int, int]) -> Fragment:
    time, shown, keyframes = start, [], 0
    for sample in samples:
        shown.append(time + sample.offset)
        time += sample.duration
        keyframes += not sample.flags & _NOT_SYNC
    lengths = [sample.duration for sample in samples]
    return Fragment(
        begin=edges[0],
        end=edges[1],
        start=start,
        duration=time - start,
        samples=len(samples),
        keyframes=keyframes,
        starts_with_key=not samples[0].flags & _NOT_SYNC,
        first_time=shown[0],
        earliest=min(shown),
        shortest=min(lengths),
        longest=max(lengths),
        data=place,
        first_size=samples[0].size,
    )


def _defaults(data: Bytes, tfhd: Box, track: Track) -> _Defaults:
    """What samples have that do not say it themselves: of tfhd, or of trex."""
    _, flags, at = full(data, tfhd)
    at += 4 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    found = [track.sample_duration, track.sample_size, track.sample_flags]
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            found[place] = number(">I", data, at, tfhd.end)
            at += 4
    return _Defaults(*found)


def _read_run(data: Bytes, trun: Box, defaults: _Defaults) -> tuple[int | None, list[_Sample]]:
    """Data offset from the moof (None: not told), and the samples."""
    version, flags, at = full(data, trun)
    count = number(">I", data, at, trun.end)
    if count > MOST_SAMPLES:
        raise Malformed(f"a run of {count} samples")
    at += 4
    offset = number(">i", data, at, trun.end) if flags & 0x1 else None
    at += 4 if flags & 0x1 else 0
    first_flags = number(">I", data, at, trun.end) if flags & 0x4 else None
    at += 4 if flags & 0x4 else 0
    bits = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    form = ">" + "".join("i" if bit == 0x800 and version else "I" for bit in bits)
    run = []
    for place, values in enumerate(_rows(data, form, at, trun.end, count)):
        told = dict(zip(bits, values, strict=True))
        sample_flags = told.get(0x400, defaults.flags)
        if place == 0 and first_flags is not None:
            sample_flags = first_flags
        run.append(
            _Sample(
                duration=told.get(0x100, defaults.duration),
                size=told.get(0x200, defaults.size),
                flags=sample_flags,
                offset=told.get(0x800, 0),
            )
        )
    return offset, run


def _rows(data: Bytes, form: str, at: int, end: int, count: int) -> Iterator[tuple[int, ...]]:
    width = 4 * (len(form) - 1)
    for _ in range(count):
        yield unpack(form, data, at, end)
        at += width


def _has_iv(data: Bytes, traf: Box) -> bool:
    if find(data, traf.start, traf.end, "senc"):
        return True
    return all(find(data, traf.start, traf.end, kind) for kind in ("saiz", "saio"))
