"""Whatever the index looks like, chunks tile the timeline exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media.probing.index import Index
from media.transcode.chunks import chunk_length, cut, halves, heaviest_first, whole


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    """Frames with any rising times, keyframes at any of them, any time base."""
    start = draw(st.integers(-(10**6), 10**10))
    steps = draw(st.lists(st.integers(1, 5000), min_size=1, max_size=200))
    pts = [start]
    for step in steps:
        pts.append(pts[-1] + step)
    keyframes = draw(st.sets(st.sampled_from(pts), max_size=40))
    base = Fraction(*draw(st.sampled_from([(1, 90_000), (1, 1000), (1001, 30_000), (1, 25)])))
    return Index(
        stream=0,
        time_base=base,
        pts=tuple(pts),
        sizes=tuple(draw(st.integers(1, 10**6)) for _ in pts),
        keyframes=tuple(sorted(keyframes)),
        closed=frozenset(draw(st.sets(st.sampled_from(sorted(keyframes)))))
        if keyframes
        else frozenset(),
        end_pts=pts[-1] + 1,
        origin_s=pts[0] * base,
    )


@given(indexes(), st.fractions(Fraction(1, 100), 60), st.data())
def test_chunks_tile_the_frames_exactly(
    index: Index, length: Fraction, data: st.DataObject
) -> None:
    times = st.none() | st.integers(index.pts[0] - 10, index.pts[-1] + 10)
    start, end = data.draw(times), data.draw(times)
    wanted = index.slice(start, end)
    chunks = cut(index, start, end, length)
    tiles = [pts for chunk in chunks for pts in index.slice(chunk.start_pts, chunk.end_pts)]
    assert tuple(tiles) == wanted
    assert all(index.slice(chunk.start_pts, chunk.end_pts) for chunk in chunks)


@given(indexes(), st.fractions(Fraction(1, 100), 60))
def test_inner_boundaries_are_keyframes_and_chunks_are_long_enough(
    index: Index, length: Fraction
) -> None:
    chunks = cut(index, None, None, length)
    edges = [chunk.start_pts for chunk in chunks[1:]]
    assert set(edges) <= set(index.keyframes)
    for before, after in zip([index.pts[0], *edges], edges, strict=False):
        assert before is not None
        assert after is not None
        assert (after - before) * index.time_base >= length


@given(indexes(), st.fractions(Fraction(1, 100), 60))
def test_decoding_begins_at_a_closed_keyframe_or_one_gop_early(
    index: Index, length: Fraction
) -> None:
    for chunk in cut(index, None, None, length):
        if chunk.seek_pts is None:
            continue
        assert chunk.start_pts is not None
        assert chunk.seek_pts in index.keyframes
        between = [k for k in index.keyframes if chunk.seek_pts < k <= chunk.start_pts]
        assert len(between) == (0 if chunk.seek_pts in index.closed and not between else 1)
        if between:
            assert between[0] not in index.closed


@given(indexes(), st.fractions(Fraction(1, 100), 60))
def test_the_heaviest_chunk_is_encoded_first(index: Index, length: Fraction) -> None:
    chunks = cut(index, None, None, length)
    order = heaviest_first(index, chunks)
    assert sorted(order) == list(range(len(chunks)))
    frames, sizes = len(index.pts), index.size(None, None)
    weights = [
        len(index.slice(chunks[n].start_pts, chunks[n].end_pts)) * sizes
        + index.size(chunks[n].start_pts, chunks[n].end_pts) * frames
        for n in order
    ]
    assert weights == sorted(weights, reverse=True)


@given(indexes())
def test_an_index_survives_the_work_store(index: Index) -> None:
    assert Index.from_bytes(index.to_bytes()) == index


@given(indexes())
def test_one_chunk_holds_everything(index: Index) -> None:
    (chunk,) = whole(index, None, None)
    assert index.slice(chunk.start_pts, chunk.end_pts) == index.pts
    assert chunk.seek_pts is None


@given(indexes(), st.fractions(1, 60), st.fractions(Fraction(1, 100), 1))
def test_chunks_become_shorter_toward_the_end_and_never_too_short(
    index: Index, length: Fraction, shortest: Fraction
) -> None:
    chunks = cut(index, None, None, length, shortest)
    tiles = [pts for chunk in chunks for pts in index.slice(chunk.start_pts, chunk.end_pts)]
    assert tuple(tiles) == index.pts
    edges = [index.pts[0], *(chunk.start_pts for chunk in chunks[1:] if chunk.start_pts)]
    assert all((b - a) * index.time_base >= shortest for a, b in pairwise(edges))


def test_the_last_chunks_of_a_minute_are_half_as_long_as_the_first() -> None:
    frames = tuple(range(60 * 24))
    index = Index(
        stream=0,
        time_base=Fraction(1, 24),
        pts=frames,
        sizes=(1,) * len(frames),
        keyframes=frames[::24],
        closed=frozenset(),
        end_pts=len(frames),
        origin_s=Fraction(),
    )
    chunks = cut(index, None, None, Fraction(5), Fraction(5, 2))
    seconds = [len(index.slice(chunk.start_pts, chunk.end_pts)) / 24 for chunk in chunks]
    assert seconds[:4] == [5, 5, 5, 5]
    assert seconds[-4:-1] == [3, 3, 3]


@given(indexes())
def test_halves_tile_what_cannot_be_cut_and_decode_from_where_it_does(index: Index) -> None:
    pieces = halves(index, whole(index, None, None)[0])
    tiles = [pts for piece in pieces for pts in index.slice(piece.start_pts, piece.end_pts)]
    assert tuple(tiles) == index.pts
    assert all(piece.seek_pts is None for piece in pieces)
    assert len(pieces) == (2 if (index.pts[-1] - index.pts[0]) * index.time_base >= 1 else 1)


def test_chunk_length_grows_with_the_film() -> None:
    lengths = [chunk_length(Fraction(s)) for s in (2, 12, 30, 60, 600, 1200, 10_800)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 5
    assert lengths[-1] == 30
