"""The search for a CRF: few probes, the same answer each time, and no answer beyond its bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longtake.contracts import Transcode
from longtake.errors import InvalidJob
from longtake.presets import resolve
from longtake.quality import MOST_PROBES, SCALES, Found, Score, Tried, found, next_probe

SAMPLES = tuple(range(1, 21, 2))


class Film:
    """Its loss, 100 - VMAF, grows by a factor with each step of CRF, from a floor that is left at
    the finest; samples differ by up to a fifth of the loss and half a VMAF to both sides."""

    def __init__(self, codec: str, pace: float, crf_of_95: float, floor: float) -> None:
        self.growth, self.floor = SCALES[codec].growth * pace, floor
        self.begin = crf_of_95 - math.log(5 - floor) / self.growth

    def sample(self, number: int, crf: float) -> float:
        loss = self.floor + math.exp(self.growth * (crf - self.begin))
        return min(max(0.0, 100 - loss * (1 + (number % 5 - 2) / 10) + (number % 3 - 1) / 2), 100)

    def vmaf(self, crf: float) -> float:
        return sum(self.sample(number, crf) for number in SAMPLES) / len(SAMPLES)


def search(codec: str, target: float, film: Film) -> tuple[Found, list[Tried]]:
    tried = list[Tried]()
    while probe := next_probe(codec, target, tried, SAMPLES):
        scores = [Score(number=n, vmaf=film.sample(n, probe.crf), frames=12) for n in probe.samples]
        tried.append(Tried(crf=probe.crf, scores=tuple(scores)))
    return found(codec, target, tried), tried


@given(
    codec=st.sampled_from(sorted(SCALES)),
    target=st.floats(80, 97),
    pace=st.floats(0.6, 1.5),
    crf_of_95=st.floats(0.25, 0.6),
    floor=st.floats(0, 2),
)
def test_the_search_ends_at_its_target_or_at_a_bound(
    codec: str, target: float, pace: float, crf_of_95: float, floor: float
) -> None:
    scale = SCALES[codec]
    film = Film(codec, pace, crf_of_95 * scale.coarsest, floor)
    end, tried = search(codec, target, film)
    assert len(tried) <= MOST_PROBES
    assert sum(len(probe.scores) == len(SAMPLES) for probe in tried) <= 2
    assert end == search(codec, target, film)[0]
    assert end.crf * scale.parts == int(end.crf * scale.parts)
    if scale.finest < end.crf < scale.coarsest:
        # No value of the scale is nearer than half a step of it; the search may miss by 0.5 more.
        half = 0.5 / scale.parts
        unavoidable = (film.vmaf(end.crf - half) - film.vmaf(end.crf + half)) / 2
        assert abs(film.vmaf(end.crf) - target) <= 0.5 + unavoidable
        assert abs(film.vmaf(end.crf) - end.vmaf) <= 0.5


def test_a_film_that_is_as_usual_takes_two_probes() -> None:
    film = Film("h264", 1, 23.5, 0)
    end, tried = search("h264", 95, film)
    assert [len(probe.scores) for probe in tried] == [3, len(SAMPLES)]
    assert abs(film.vmaf(end.crf) - 95) <= 0.25


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
