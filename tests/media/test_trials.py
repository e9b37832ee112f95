"""Test encodes tell an easy film from a rich one, and choose a ladder by it."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import av
import pytest

from longtake.contracts.ladder import LadderChoice, LadderRecord, Trial
from longtake.contracts.package import Package
from longtake.packages import resolve_package
from media.package.hull import mean_trials
from media.package.ladder import auto_ladder
from media.package.ladder_plot import HEIGHT, WIDTH, plot
from media.package.plan import grid_step
from media.package.rungs import encode_rungs
from media.package.trial_plan import TrialPlan, in_words, plan_trials, record_of, why_not_tried
from media.package.trials import measure_trials
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.transcode.fragments import frame_sizes
from tests.media.engine import no_tick, run
from tests.media.made import make
from tests.media.test_colour import hdr

QUICK = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", 12, "-pix_fmt", "yuv420p", "-g", 50)
FILMS = {
    "easy": "smptehdbars=s=640x360:r=25:d=4",
    "rich": "mandelbrot=s=640x360:r=25:end_pts=100,noise=alls=12:allf=t,trim=duration=4",
}


def film(name: str, folder: Path) -> Path:
    path = folder / f"{name}.mp4"
    run("-f", "lavfi", "-i", FILMS[name], *QUICK, path)
    return path


async def planned(path: Path, **options: Any) -> tuple[TrialPlan, Index, Package]:
    job = resolve_package(
        Package(input=str(path), output="out", preset="convert-to-hls", ladder="auto", **options)
    )
    facts, index = await inspect_in_child(path)
    assert index is not None
    assert why_not_tried(facts, index) is None
    return plan_trials(facts, index, job), index, job


async def measured(path: Path, folder: Path, **options: Any) -> list[list[Trial]]:
    trials, index, _ = await planned(path, **options)
    samples = []
    for number in range(trials.count):
        sample = trials.at(number)
        finished, found = await measure_trials(path, sample, index, folder / "draft", no_tick)
        assert finished.cpu_s > 0
        samples.append(found)
    assert not await asyncio.to_thread(lambda: list(folder.glob("draft*"))), "nothing is left"
    return samples


async def chosen(path: Path, folder: Path) -> LadderChoice:
    facts, index = await inspect_in_child(path)
    assert index is not None
    (choice,) = auto_ladder(facts.video[0], ("h264",), await measured(path, folder), {})
    return choice


async def test_an_easy_film_gets_lower_rates_than_a_rich_one(tmp_path: Path) -> None:
    easy = await chosen(film("easy", tmp_path), tmp_path)
    rich = await chosen(film("rich", tmp_path), tmp_path)
    assert easy.rungs[0].bps < rich.rungs[0].bps / 4
    assert easy.rungs[0].max_bitrate_bps < rich.rungs[0].max_bitrate_bps
    assert len(easy.rungs) < len(rich.rungs)
    assert {rung.height for rung in rich.rungs} <= {360, 240}


async def test_the_same_film_is_measured_alike_each_time(tmp_path: Path) -> None:
    path = film("rich", tmp_path)
    assert await measured(path, tmp_path) == await measured(path, tmp_path)


async def test_finer_is_dearer_and_looks_better(tmp_path: Path) -> None:
    (first, *_) = await measured(film("rich", tmp_path), tmp_path)
    sizes = {height: [t for t in first if t.height == height] for height in (360, 240)}
    assert [len(trials) for trials in sizes.values()] == [3, 2]
    for trials in sizes.values():
        assert [t.crf for t in trials] == sorted(t.crf for t in trials)
        assert [t.bps for t in trials] == sorted((t.bps for t in trials), reverse=True)
        assert [t.vmaf for t in trials] == sorted((t.vmaf for t in trials), reverse=True)
    assert sizes[240][0].bps < sizes[360][0].bps
    assert sizes[240][0].vmaf < sizes[360][0].vmaf


async def test_each_encode_gets_the_score_that_libvmaf_gives_it_alone(tmp_path: Path) -> None:
    path = film("rich", tmp_path)
    trials, index, _ = await planned(path)
    (first, *_) = await measured(path, tmp_path)
    sample = trials.at(0)
    assert sample.chunk.start_pts in (None, index.pts[0]), "the film's first frames"
    targets = {n: tmp_path / f"{n}.mp4" for n in range(len(first))}
    await encode_rungs(path, sample.plan, index, sample.chunk, targets, no_tick)
    for number, target in targets.items():
        report = tmp_path / "alone.json"
        run(
            *("-i", target, "-i", path, "-filter_complex"),
            f"[0:v]scale=640:360:flags=lanczos[a];[a][1:v]libvmaf=shortest=1:log_fmt=json:log_path={report}",
            *("-f", "null", "-"),
        )
        scores = [each["metrics"]["vmaf"] for each in json.loads(report.read_text())["frames"]]
        middle = (scores[4] + scores[5]) / 2
        assert first[number].vmaf == pytest.approx(middle, abs=0.7)


@pytest.mark.parametrize(
    ("speed", "picture"),
    [
        ("medium", "testsrc2=s=640x360:r=25:d=4"),
        ("ultrafast", "testsrc2=s=640x360:r=25:d=4"),
        # Hardly moves: its encoder spends more on what stays.
        ("medium", "mandelbrot=s=640x360:r=25:end_pts=4000,trim=duration=4"),
    ],
)
async def test_rates_are_those_that_the_jobs_own_encoder_has(
    tmp_path: Path, speed: str, picture: str
) -> None:
    """Of films that are alike all along."""
    path = tmp_path / "even.mp4"
    run("-f", "lavfi", "-i", picture, *QUICK, path)
    means = mean_trials(await measured(path, tmp_path, speed={"h264": speed}))
    for trial in (each for each in means if each.height == 360):
        whole = tmp_path / "whole.mp4"
        run("-i", path, "-c:v", "libx264", "-preset", speed, "-crf", trial.crf, "-g", 50, whole)
        assert trial.bps == pytest.approx(whole.stat().st_size * 8 / 4, rel=0.3)


@pytest.mark.parametrize("codec", ["hevc", "av1"])
async def test_other_codecs_are_tested_by_themselves(tmp_path: Path, codec: str) -> None:
    source = tmp_path / "small.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", *QUICK, source)
    trials, *_ = await planned(source, codecs=["h264", codec])
    samples = await measured(source, tmp_path, codecs=["h264", codec])
    count = len(trials.plans[0].chunks)
    assert len(samples) == trials.count == 2 * count
    first, other = mean_trials(samples[:count]), mean_trials(samples[count:])
    assert {trial.crf for trial in first} != {trial.crf for trial in other}
    assert all(40 < trial.vmaf <= 100 for trial in (*first, *other))


async def test_hdr_is_measured_as_it_looks_in_sdr(tmp_path: Path) -> None:
    source = hdr(tmp_path / "hdr.mov", "smpte2084", seconds=1)
    trials, *_ = await planned(source, codecs=["hevc"])
    assert trials.plans[0].picture.files.tone is not None
    samples = await measured(source, tmp_path, codecs=["hevc"])
    assert all(trial.vmaf > 60 for sample in samples for trial in sample[:1])


async def test_samples_come_from_all_over_the_film_and_from_its_usual_moments(
    tmp_path: Path,
) -> None:
    """Black at both ends and in between says nothing of the film."""
    source = tmp_path / "dark.mp4"
    dark = "drawbox=c=black:t=fill:enable='lt(t,8)+between(t,30,36)+gt(t,84)'"
    run(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=s=160x90:r=10:d=90,noise=alls=9:allf=t,{dark}",
        *QUICK[:-1],
        20,
        source,
    )
    trials, index, job = await planned(source)
    starts = [float((chunk.start_pts or 0) * index.time_base) for chunk in trials.plans[0].chunks]
    assert len(starts) == 2
    assert 8 <= starts[0] < 45 <= starts[1] < 84
    assert not 30 <= starts[0] < 36
    assert all(start % float(job.gop_s or 2) == 0 for start in starts)


async def test_a_sample_ends_with_its_gop(tmp_path: Path) -> None:
    """Where GOPs are no whole number of frames long, some are shorter than others."""
    source = tmp_path / "uneven.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=160x90:r=11/3:d=90", *QUICK[:-1], 9, source)
    trials, index, _ = await planned(source)
    (proof,) = trials.proofs
    for gop in proof.chunks:
        steps = {
            grid_step(proof.picture, pts, proof.gop_s)
            for pts in index.slice(gop.start_pts, gop.end_pts)
        }
        assert len(steps) == 1


async def test_a_source_that_cannot_be_sampled_says_why(tmp_path: Path) -> None:
    facts, index = await inspect_in_child(make("h264.avi", tmp_path))
    assert index is not None
    assert "do not decode by themselves" in (why_not_tried(facts, index) or "")
    tiny = tmp_path / "tiny.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=2x2:r=25:d=0.2", *QUICK, tiny)
    facts, index = await inspect_in_child(tiny)
    assert index is not None
    assert "2x2 pixels" in (why_not_tried(facts, index) or "")


@pytest.mark.parametrize("source", ["s=160x90:r=25:d=0.04", "s=32x200:r=5:d=1", "s=90x160:d=0.2"])
async def test_the_shortest_and_smallest_film_has_a_ladder(tmp_path: Path, source: str) -> None:
    path = tmp_path / "least.mp4"
    run("-f", "lavfi", "-i", f"testsrc2={source}", *QUICK, path)
    choice = await chosen(path, tmp_path)
    assert choice.rungs


async def test_bytes_of_frames_are_those_of_the_packets(tmp_path: Path) -> None:
    path = tmp_path / "fragments.mp4"
    run(
        *("-f", "lavfi", "-i", FILMS["rich"], "-t", 1, "-c:v", "libx264", "-g", 10, "-movflags"),
        *("+cmaf+frag_keyframe+default_base_moof", path),
    )
    with av.open(str(path)) as container:
        packets = [packet.size for packet in container.demux(video=0) if packet.size]
    assert frame_sizes(path) == packets


async def test_the_record_tells_and_shows_what_was_tested_and_chosen(tmp_path: Path) -> None:
    path = film("rich", tmp_path)
    trials, index, _ = await planned(path)
    choice = await chosen(path, tmp_path)
    record = record_of(trials, index, [choice])
    assert LadderRecord.model_validate_json(record.model_dump_json()) == record
    assert len(record.samples_s) == len(trials.plans[0].chunks)
    words = in_words(record)["ladder h264"]
    for rung in choice.rungs:
        assert f"{rung.height}p at crf {rung.crf:g}" in words
    picture = ET.fromstring(plot(record))
    circles = picture.findall(".//{*}circle")
    assert len(circles) == len(choice.trials) + len(choice.rungs)
    assert all(0 < float(c.attrib["cx"]) < WIDTH for c in circles)
    assert all(0 < float(c.attrib["cy"]) < HEIGHT for c in circles)
    at = {c.findtext("{*}title"): c.attrib for c in circles if c.find("{*}title") is not None}
    dearest = max(choice.trials, key=lambda trial: trial.bps)
    (told,) = (title for title in at if title and f"{dearest.bps / 1000:.0f} kbit/s" in title)
    assert float(at[told]["cx"]) == max(float(each["cx"]) for each in at.values())
    texts = [text.text for text in picture.findall(".//{*}text")]
    assert {"640x360", "426x240", "kbit/s"} <= set(texts)
