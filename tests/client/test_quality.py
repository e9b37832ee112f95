"""The CRFs of a film's chunks: the whole reaches its target, the same way each time."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from longtake.contracts import Transcode
from longtake.errors import InvalidJob
from longtake.presets import resolve
from longtake.quality import (
    MOST_TRIES,
    SCALES,
    TOLERANCE,
    TOO_COARSE,
    Tried,
    Wave,
    in_words,
    next_wave,
    reached,
    unreached,
)


class Film:
    """Each chunk's loss, 100 - VMAF, grows by its own factor with each step of CRF; scenes last
    some chunks, and lie up to 20 VMAF apart."""

    def __init__(self, codec: str, frames: list[int], crf_of_95: float, seed: int) -> None:
        chance = random.Random(seed)
        self.codec, self.frames = codec, frames
        growth = SCALES[codec].growth
        scene = 1.0
        self.chunks = []
        for _ in frames:
            if chance.random() < 0.6:
                scene = math.exp(chance.gauss(0, 0.5))
            self.chunks.append((scene, growth * chance.uniform(0.75, 1.35)))
        hardness = self.lost(crf_of_95, crf_of_95) / 5
        self.chunks = [(scene / hardness, own) for scene, own in self.chunks]
        self.crf_of_95 = crf_of_95

    def lost(self, crf: float, known: float) -> float:
        of_each = [scene * 5 * math.exp(own * (crf - known)) for scene, own in self.chunks]
        weighted = sum(a * b for a, b in zip(of_each, self.frames, strict=True))
        return weighted / sum(self.frames)

    def chunk(self, number: int, crf: float) -> float:
        scene, own = self.chunks[number]
        return round(max(0.0, 100 - scene * 5 * math.exp(own * (crf - self.crf_of_95))), 2)

    def vmaf(self, crfs: dict[int, float]) -> float:
        scores = [own * self.chunk(n, crfs[n]) for n, own in enumerate(self.frames)]
        return sum(scores) / sum(self.frames)


def aim(film: Film, target: float) -> tuple[list[Wave], list[Tried]]:
    waves: list[Wave] = []
    tried: list[Tried] = []
    while wave := next_wave(film.codec, target, film.frames, tried):
        waves.append(wave)
        for number in wave.chunks:
            vmaf = film.chunk(number, wave.crf)
            tried.append(Tried(number=number, crf=wave.crf, vmaf=vmaf))
    return waves, tried


def lengths(count: int) -> list[int]:
    """As a film is cut: even, and shorter toward its end."""
    return [120] * (count - count // 2) + [max(48, 120 - 10 * n) for n in range(count // 2)]


@given(
    codec=st.sampled_from(sorted(SCALES)),
    target=st.floats(80, 97),
    count=st.integers(8, 90),
    place=st.floats(0.35, 0.55),
    seed=st.integers(0, 1000),
)
@example(codec="h264", target=80.0, count=12, place=0.5, seed=12)  # a chunk scores 0 both times
def test_the_whole_reaches_its_target_however_much_scenes_differ(
    codec: str, target: float, count: int, place: float, seed: int
) -> None:
    scale = SCALES[codec]
    film = Film(codec, lengths(count), place * scale.coarsest, seed)
    waves, tried = aim(film, target)
    assert aim(film, target) == (waves, tried)
    crfs = {each.number: each.crf for each in tried}
    assert sorted(crfs) == list(range(count)), "a chunk was left out"
    assert all(crf * scale.parts == int(crf * scale.parts) for crf in crfs.values())
    if all(scale.finest < crf < scale.coarsest for crf in crfs.values()):
        assert abs(film.vmaf(crfs) - target) <= TOLERANCE
    assert max([each.number for each in tried].count(n) for n in crfs) <= MOST_TRIES


@pytest.mark.parametrize(("count", "extra", "most"), [(16, 0.03, 0.08), (60, 0.018, 0.09)])
def test_few_frames_are_encoded_twice(count: int, extra: float, most: float) -> None:
    """The mean over films whose CRF nobody could guess, and the worst of ten."""
    costs = []
    for seed in range(60):
        crf = 23 + random.Random(seed).gauss(0, 3.5)
        film = Film("h264", lengths(count), crf, seed)
        _, tried = aim(film, 95)
        costs.append(sum(film.frames[each.number] for each in tried) / sum(film.frames) - 1)
    assert sum(costs) / len(costs) <= extra
    assert sorted(costs)[54] <= most


def test_an_even_film_that_is_as_usual_has_one_crf() -> None:
    film = Film("h264", [120] * 30, 23, 0)
    film.chunks = [(1.0, SCALES["h264"].growth)] * 30
    waves, tried = aim(film, 95)
    assert {wave.crf for wave in waves} == {23}
    assert len(tried) == 30
    assert len(waves[0].chunks) <= 3, "the first wave is small: it knows nothing"


def test_the_first_chunks_come_from_all_over_the_film_and_the_shortest_last() -> None:
    frames = lengths(32)
    waves, _ = aim(Film("h264", frames, 23, 3), 95)
    order = [number for wave in waves for number in wave.chunks][:32]
    assert {number // 8 for number in order[:8]} >= {0, 1, 2}
    assert min(frames[n] for n in order[:20]) >= max(frames[n] for n in order[-4:])


def test_one_chunk_is_encoded_until_it_is_right() -> None:
    film = Film("h264", [250], 29, 0)
    waves, tried = aim(film, 95)
    assert 2 <= len(waves) <= MOST_TRIES
    assert abs(tried[-1].vmaf - 95) <= TOLERANCE


def test_no_chunk_stays_far_too_coarse() -> None:
    """However wrong the guess was with which the first ones were encoded."""
    for seed in range(30):
        film = Film("h264", lengths(40), 14, seed)
        waves, tried = aim(film, 95)
        assert waves[0].crf == 23
        crfs = {each.number: each.crf for each in tried}
        even = min(range(80, 480), key=lambda n: abs(film.vmaf(dict.fromkeys(crfs, n / 10)) - 95))
        assert max(crfs.values()) - even / 10 <= TOO_COARSE + 1


def test_a_target_out_of_reach_ends_at_the_finest_and_is_told() -> None:
    film = Film("h264", [120] * 4, 2, 0)
    waves, tried = aim(film, 97)
    end = reached("vmaf:97", film.frames, waves, tried)
    assert end.finest == end.coarsest == SCALES["h264"].finest
    assert any("vmaf:97 is not met" in warning and "worse" in warning for warning in unreached(end))


def test_a_picture_that_scores_the_same_at_every_crf_is_not_encoded_for_ever() -> None:
    film = Film("h264", lengths(20), 23, 0)
    film.chunks = [(0.5, 0.0)] * 20
    waves, tried = aim(film, 95)
    assert len(tried) <= 1.6 * 20
    assert "which is better" in unreached(reached("vmaf:95", film.frames, waves, tried))[0]


def test_the_result_says_how_it_was_reached() -> None:
    film = Film("h264", lengths(16), 26, 1)
    waves, tried = aim(film, 95)
    end = reached("vmaf:95", film.frames, waves, tried)
    assert abs(end.vmaf - 95) <= TOLERANCE
    assert not unreached(end)
    assert end.finest < end.crf < end.coarsest
    assert sum(wave.chunks for wave in end.waves) == 16 + end.again
    assert f"{end.finest:g} to {end.coarsest:g}" in in_words(end)


def job(output: str = "/b.mp4", **video: object) -> Transcode:
    return Transcode.model_validate({"input": "/a.mov", "output": output, "video": video})


@pytest.mark.parametrize("quality", ["vmaf:101", "vmaf:5", "ssim:3", "vmaf", "95"])
def test_a_quality_that_is_none_is_refused_with_words(quality: str) -> None:
    with pytest.raises(ValidationError, match="vmaf:95"):
        job(quality=quality)


@pytest.mark.parametrize(
    "video",
    [
        {"crf": 20},
        {"bitrate_bps": 1_000_000},
        {"codec": "ffv1"},
        {"codec": "prores"},
        {"codec": "copy"},
    ],
)
def test_quality_goes_with_nothing_else_that_decides_it(video: dict[str, object]) -> None:
    output = "/b.mkv" if video.get("codec") != "prores" else "/b.mov"
    with pytest.raises(InvalidJob, match=r"quality|crf"):
        resolve(job(output, quality="vmaf:95", **video))


def test_a_quality_replaces_the_preset_s_crf_and_a_crf_may_have_fractions() -> None:
    assert resolve(job(quality="vmaf:95")).video.crf is None
    for crf, said in ((23, "23"), (23.0, "23"), (22.75, "22.75")):
        assert str(resolve(job(crf=crf)).video.crf) == said
    with pytest.raises(InvalidJob, match="whole number"):
        resolve(job("/b.webm", codec="vp9", crf=30.5))
