"""A programme is as long as its parts to the sample, joined without clicks, and at its level."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from longtake.errors import InputUnsupported, InvalidJob
from media.programme.timeline import Placed
from tests.conftest import CORPUS
from tests.media.engine import run
from tests.media.meter import independent_lufs, loudness
from tests.media.programme import Made, channel, decoded, largest_step, rms_db, stitch

RATE = 44_100


def tone(path: Path, hertz: float, seconds: str, *, rate: int = RATE, volume: float = 0.25) -> str:
    """A sine that begins and ends anywhere in its wave."""
    wave = f"{volume}*sin(2*PI*{hertz}*t+1)"
    source = ("-f", "lavfi", "-i", f"aevalsrc='{wave}':s={rate}:d={seconds}")
    run(*source, "-c:a", "pcm_f32le" if path.suffix == ".wav" else "libmp3lame", path)
    return str(path)


def talk(path: Path, *, seconds: int = 4, rate: int = RATE, channels: int = 1) -> str:
    """Noise in syllables over a faint noise floor."""
    word = "(0.002+0.2*gt(sin(2*PI*1.3*t),-0.6)*abs(sin(2*PI*4*t)))*(2*random(0)-1)"
    words = "|".join([word] * channels)
    run("-f", "lavfi", "-i", f"aevalsrc='{words}':s={rate}:d={seconds}", path)
    return str(path)


async def test_lossless_programmes_are_exact_and_lossy_ones_to_a_frame(tmp_path: Path) -> None:
    parts = [
        {"source": tone(tmp_path / "a.wav", 440, "1.2345", rate=48_000)},
        {"source": talk(tmp_path / "b.wav", channels=2), "join": {"crossfade_s": "0.3333"}},
        {"source": tone(tmp_path / "c.mp3", 300, "2.1", rate=24_000), "join": {"gap_s": "0.25"}},
        {"source": tone(tmp_path / "d.wav", 500, "1"), "start": "0.1", "end": "0.6"},
    ]
    suffixes = ("wav", "flac", "mp3", "m4a", "opus")
    made = await stitch(
        tmp_path,
        timeline=parts,
        outputs=[{"uri": str(tmp_path / f"out.{suffix}")} for suffix in suffixes],
        sample_rate=RATE,
    )
    lengths = [part.sound.samples for part in made.parts]
    assert lengths[0] == pytest.approx(1.2345 * RATE, abs=1)
    assert lengths[1] == 4 * RATE
    assert lengths[3] == RATE // 2
    whole = sum(lengths) - round(0.3333 * RATE) + RATE // 4
    assert made.timeline.samples == whole
    found = {path.suffix[1:]: len(decoded(path, tmp_path, RATE, 2)) // 2 for path in made.outputs}
    assert found["wav"] == found["flac"] == whole
    assert found["mp3"] == whole, "LAME's header tells the true length"
    assert abs(found["m4a"] - whole) <= 1024
    assert abs(found["opus"] - whole * 48_000 / RATE) <= 960
    assert [facts.audio[0].channels for facts in made.facts] == [2] * 5
    for path, result in zip(made.outputs, made.results, strict=True):
        assert not result.warnings
        level = await loudness(path, RATE)
        assert level.integrated_lufs == pytest.approx(-16, abs=0.1)
        assert level.true_peak_dbtp is not None
        assert level.true_peak_dbtp <= -1
    other = independent_lufs(tmp_path / "out.mp3", tmp_path, RATE, 2)
    assert other == pytest.approx(-16, abs=0.15)


@pytest.mark.parametrize(
    ("preset", "output", "rate", "lufs"),
    [
        ("voice-memo", {"uri": "memo.mp3"}, 24_000, -19),
        ("audiobook-chapter", {"uri": "chapter.m4a"}, RATE, -20),
        ("audiobook-chapter", {"uri": "chapter.mp3", "vbr": 4}, RATE, -20),
    ],
    ids=["memo", "book", "variable bit rate"],
)
async def test_mono_presets_are_exact_and_at_their_level(
    preset: str, output: dict[str, Any], rate: int, lufs: float, tmp_path: Path
) -> None:
    made = await stitch(
        tmp_path,
        preset=preset,
        timeline=[
            {"source": talk(tmp_path / "a.wav", channels=2)},
            {"source": talk(tmp_path / "b.wav", rate=16_000)},
        ],
        outputs=[output | {"uri": str(tmp_path / output["uri"])}],
    )
    (path,) = made.outputs
    gap = round(made.plan.job.join.gap_s * rate) if made.plan.job.join else 0
    whole = sum(part.sound.samples for part in made.parts) + gap
    assert gap
    assert made.plan.rate_hz == rate
    found = len(decoded(path, tmp_path, rate))
    assert found == whole if path.suffix == ".mp3" else abs(found - whole) <= 1024
    assert made.facts[0].audio[0].channels == 1
    level = await loudness(path, rate)
    assert level.integrated_lufs == pytest.approx(lufs, abs=0.1)
    assert level.true_peak_dbtp is not None
    assert level.true_peak_dbtp <= (-1 if preset == "voice-memo" else -3.5)


@pytest.mark.parametrize(
    "join",
    [{}, {"gap_s": 0.2}, {"crossfade_s": 0.5}, {"crossfade_s": 0.5, "curve_in": "tri"}],
    ids=["butt", "gap", "crossfade", "curves"],
)
async def test_no_join_clicks(join: dict[str, Any], tmp_path: Path) -> None:
    made = await stitch(
        tmp_path,
        timeline=[
            {"source": tone(tmp_path / "a.wav", 440, "1.0003")},
            {"source": tone(tmp_path / "b.wav", 440, "1.1007", rate=48_000), "join": join},
        ],
        outputs=[{"uri": str(tmp_path / "out.wav"), "bit_depth": 24}],
    )
    for samples in (channel(made.mix), decoded(tmp_path / "out.wav", tmp_path, 48_000)):
        one, other = (
            largest_step(samples, placed.first + 12_000, placed.first + 24_000)
            for placed in (made.timeline.placed[0], made.timeline.placed[1])
        )
        # Where both sound, their slopes add up.
        own = one + other if made.timeline.placed[1].overlap else max(one, other)
        assert largest_step(samples, 0, len(samples)) < 1.05 * own


async def test_a_recording_that_was_cut_is_joined_as_it_was(tmp_path: Path) -> None:
    source = talk(tmp_path / "whole.wav")
    cuts = ("0", "0.7", "1.9", "4")
    pieces = [
        {"source": source, "start": a, "end": b, "loudness_lufs": "keep"}
        for a, b in itertools.pairwise(cuts)
    ]
    made = await stitch(
        tmp_path, timeline=pieces, outputs=[{"uri": str(tmp_path / "out.flac")}], channels=1
    )
    original = decoded(Path(source), tmp_path, RATE)
    assert made.timeline.samples == len(original)
    inner = slice(RATE // 100, -RATE // 100)  # both ends may be faded
    assert list(channel(made.mix)[inner]) == list(original[inner])


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
async def test_a_clip_of_another_rate_begins_and_ends_where_it_should(
    rate: int, tmp_path: Path
) -> None:
    source = tmp_path / "clicks.wav"
    click = "0.5*between(t,2,2.01)*sin(2*PI*1000*t)"
    run("-f", "lavfi", "-i", f"aevalsrc='{click}':s={rate}:d=4", "-c:a", "pcm_s24le", source)
    made = await stitch(
        tmp_path,
        timeline=[{"source": str(source), "start": "1.5", "end": "3.25", "loudness_lufs": "keep"}],
        outputs=[{"uri": str(tmp_path / "out.wav")}],
        sample_rate=RATE,
    )
    samples, hertz = channel(made.mix), made.plan.rate_hz
    assert made.timeline.samples == 1.75 * hertz
    loudest = max(range(len(samples)), key=lambda n: abs(samples[n]))
    assert loudest / hertz == pytest.approx(0.505, abs=0.006)


async def test_parts_of_other_rates_channels_and_levels_join_without_a_step(
    tmp_path: Path,
) -> None:
    sources = [
        talk(tmp_path / "a.wav", rate=44_100, channels=1),
        talk(tmp_path / "b.wav", rate=16_000, channels=2),
        talk(tmp_path / "c.wav", rate=48_000, channels=6),
    ]
    run("-i", sources[1], "-af", "volume=-22dB", tmp_path / "quiet.wav")
    sources[1] = str(tmp_path / "quiet.wav")
    made = await stitch(
        tmp_path,
        timeline=[{"source": source} for source in sources[:2]]
        + [{"source": sources[2], "end": 99}],
        outputs=[{"uri": str(tmp_path / "out.wav")}],
        join={"gap_s": 0.1},
    )
    assert made.plan.channels == 2
    (ends,) = [each for each in made.plan.warnings if "asked for until" in each]
    assert ends.startswith("part 3 (c.wav) is ")
    assert ends.endswith("s long and is asked for until 99 s: it is taken to its end")
    assert "part 3 (c.wav): 6 channels are mixed down to 2" in made.plan.warnings
    run("-i", tmp_path / "out.wav", "-c:a", "pcm_f32le", tmp_path / "float.wav")
    for number, placed in enumerate(made.timeline.placed):
        piece = tmp_path / f"piece-{number}.wav"
        trim = f"atrim=start_sample={placed.first}:end_sample={placed.end}"
        run("-i", tmp_path / "float.wav", "-af", trim, piece)
        assert (await loudness(piece, RATE)).integrated_lufs == pytest.approx(-16, abs=0.3)


async def test_pitch_stays_where_the_rate_changes(tmp_path: Path) -> None:
    parts = [
        {"source": tone(tmp_path / f"{rate}.wav", 441, "1", rate=rate)} for rate in (16_000, 48_000)
    ]
    made = await stitch(
        tmp_path, timeline=parts, outputs=[{"uri": str(tmp_path / "out.wav")}], channels=1
    )
    samples, rate = channel(made.mix), made.plan.rate_hz
    assert rate == 48_000
    for placed in made.timeline.placed:
        inner = samples[placed.first + rate // 10 : placed.first + 9 * rate // 10]
        ups = sum(a < 0 <= b for a, b in itertools.pairwise(inner))
        assert ups == pytest.approx(441 * 0.8, abs=1)


async def test_silence_is_taken_out_of_a_part(tmp_path: Path) -> None:
    source = tmp_path / "call.wav"
    voice = "(0.001+0.3*(between(t,1,2)+between(t,4,5)))*(2*random(0)-1)"
    run("-f", "lavfi", "-i", f"aevalsrc='{voice}':s={RATE}:d=7", source)
    made = await stitch(
        tmp_path,
        timeline=[{"source": str(source), "trim": {"longest_pause_s": 0.5, "keep_s": 0.1}}],
        outputs=[{"uri": str(tmp_path / "out.wav")}],
    )
    (part,) = made.parts
    assert part.decoded == 7 * RATE
    assert part.sound.samples == pytest.approx(RATE * (1 + 0.5 + 1 + 0.2), abs=RATE // 20)
    samples = channel(part.sound)
    assert rms_db(samples[RATE // 5 : RATE]) > -20
    assert rms_db(samples[int(1.2 * RATE) : int(1.5 * RATE)]) < -55


async def test_fades_and_gains_are_those_asked_for(tmp_path: Path) -> None:
    source = tone(tmp_path / "a.wav", 440, "2")
    made = await stitch(
        tmp_path,
        timeline=[
            {
                "source": source,
                "loudness_lufs": "keep",
                "gain_db": -6,
                "fade_in": {"length_s": 0.5},
                "fade_out": {"length_s": 1, "curve": "qsin"},
            }
        ],
        outputs=[{"uri": str(tmp_path / "out.wav")}],
    )
    samples = channel(made.mix)
    full = rms_db(samples[int(0.6 * RATE) : int(0.9 * RATE)])
    assert full == pytest.approx(20 * math.log10(0.25 / math.sqrt(2)) - 6, abs=0.05)
    middle_in = rms_db(samples[int(0.245 * RATE) : int(0.255 * RATE)])
    assert middle_in - full == pytest.approx(-6, abs=0.3)
    middle_out = rms_db(samples[int(1.495 * RATE) : int(1.505 * RATE)])
    assert middle_out - full == pytest.approx(-3, abs=0.3)


async def test_a_crossfade_longer_than_a_part_is_shortened_and_told(tmp_path: Path) -> None:
    made = await stitch(
        tmp_path,
        timeline=[
            {"source": tone(tmp_path / "a.wav", 440, "2")},
            {"source": tone(tmp_path / "b.wav", 550, "0.6"), "join": {"crossfade_s": 1}},
        ],
        outputs=[{"uri": str(tmp_path / "out.wav")}],
    )
    assert made.timeline.samples == round(2.3 * RATE)
    assert any("part 2 (b.wav): its crossfade was shortened" in w for w in made.warnings)


@pytest.mark.parametrize("speech_is", [{}, {"loudness_lufs": "keep", "gain_db": -14}])
async def test_a_music_bed_goes_down_under_speech_and_comes_back(
    speech_is: dict[str, Any], tmp_path: Path
) -> None:
    bed, seconds = tone(tmp_path / "bed.wav", 1000, "1.5"), 4
    made = await stitch(
        tmp_path,
        timeline=[
            {"source": bed, "role": "music-bed", "duck_db": 12, "loudness_lufs": -30},
            {"source": tone(tmp_path / "in.wav", 150, "3"), "role": "bumper"},
            {"source": talk(tmp_path / "talk.wav", seconds=seconds), **speech_is},
            {"source": tone(tmp_path / "out.mp3", 150, "4"), "role": "bumper"},
        ],
        outputs=[{"uri": str(tmp_path / "show.wav")}],
        channels=1,
    )
    before, speech, after = (
        heard(made.mix.path, placed, tmp_path) for placed in made.timeline.placed
    )
    assert before[1] == pytest.approx(before[2], abs=0.5), "a bumper does not duck"
    assert speech[1] - before[2] == pytest.approx(-12, abs=4)
    assert after[2] == pytest.approx(before[2], abs=0.5), "it comes back"
    assert made.timeline.samples == made.mix.samples


@pytest.mark.parametrize("channels", [1, 2])
async def test_a_music_bed_goes_down_as_far_as_told(channels: int, tmp_path: Path) -> None:
    """Under a steady sound, of which nobody can say that it is louder here and softer there."""
    bed, speech = tone(tmp_path / "bed.wav", 1000, "1.5"), tone(tmp_path / "talk.wav", 150, "4")
    levels = []
    for duck_db in (0, 10):
        timeline = [{"source": bed, "role": "music-bed", "duck_db": duck_db}, {"source": speech}]
        made = await stitch(
            tmp_path,
            timeline=timeline,
            outputs=[{"uri": str(tmp_path / "show.wav")}],
            channels=channels,
        )
        levels.append(heard(made.mix.path, made.timeline.placed[0], tmp_path, channels)[2])
    assert levels[1] - levels[0] == pytest.approx(-10, abs=0.5)


@pytest.mark.parametrize(
    ("seconds", "period"),
    # The first ends in the middle of a wave; the second was made to be repeated.
    [("0.8007", round(0.8007 * RATE) - RATE // 100), ("0.8", round(0.8 * RATE))],
    ids=["cut anywhere", "seamless"],
)
async def test_a_music_bed_is_repeated_without_a_click(
    seconds: str, period: int, tmp_path: Path
) -> None:
    run("-f", "lavfi", "-i", f"anullsrc=r={RATE}:cl=mono:d=3", tmp_path / "nobody.wav")
    made = await stitch(
        tmp_path,
        timeline=[
            {"source": tone(tmp_path / "bed.wav", 440, seconds), "role": "music-bed"},
            {"source": str(tmp_path / "nobody.wav")},
        ],
        outputs=[{"uri": str(tmp_path / "out.wav")}],
    )
    samples = channel(made.mix)
    assert len(samples) == 3 * RATE
    inner = samples[RATE // 100 : -RATE // 100]  # both ends are faded, and it lasts to the last one
    own = largest_step(inner, 0, RATE // 2)
    # Two sines in step add up by 3 dB where they are blended; a cut would be a step of 10 times.
    assert largest_step(inner, 0, len(inner)) < 1.45 * own
    levels = [rms_db(inner[at : at + 441]) for at in range(0, len(inner) - 441, 441)]
    assert min(levels) > max(levels) - 3.5, "a blend of equal power leaves no hole"
    behind = RATE // 100  # what a blend takes of the first pass
    assert samples[behind:][:20_000] == samples[behind + period :][:20_000], "it comes again"


def heard(mix: Path, placed: Placed, folder: Path, channels: int = 1) -> list[float]:
    """Level of 1000 Hz in quarters of a part, in dB."""
    raw = folder / "band.f32"
    band = "bandpass=f=1000:width_type=h:w=20," * 3
    trim = f"atrim=start_sample={placed.first}:end_sample={placed.end}"
    arguments = ("-f", "f32le", "-ar", RATE, "-ac", channels, "-i", mix, "-af", band + trim)
    run(*arguments, "-ac", 1, "-f", "f32le", "-c:a", "pcm_f32le", raw)
    from media.sound.pcm import floats

    samples = floats(raw.read_bytes())
    quarter = len(samples) // 4
    return [rms_db(samples[n * quarter : (n + 1) * quarter]) for n in range(4)]


async def test_what_cannot_be_joined_is_refused_in_words(tmp_path: Path) -> None:
    film, song = tmp_path / "film.mp4", tone(tmp_path / "a.wav", 440, "1")
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-c:v", "libx264", film)
    outputs = [{"uri": str(tmp_path / "out.wav")}]
    with pytest.raises(InputUnsupported, match=r"part 2 \(film.mp4\) has no sound: leave"):
        await stitch(tmp_path, timeline=[{"source": song}, {"source": str(film)}], outputs=outputs)
    with pytest.raises(InvalidJob, match=r"part 1 \(a.wav\): start"):
        await stitch(tmp_path, timeline=[{"source": song, "start": 2}], outputs=outputs)


async def test_a_call_in_show_of_the_corpus(corpus: Path, tmp_path: Path) -> None:
    made = await show(tmp_path)
    lengths = [part.sound.samples for part in made.parts]
    overlaps = [placed.overlap for placed in made.timeline.placed]
    assert overlaps == [0, *[min(RATE, *pair) for pair in halves(lengths)]]
    whole = sum(lengths) - sum(overlaps)
    assert len(decoded(made.outputs[0], tmp_path, RATE, 2)) // 2 == whole
    level = await loudness(made.outputs[0], RATE)
    assert level.integrated_lufs == pytest.approx(-16, abs=0.1)
    assert level.true_peak_dbtp is not None
    assert level.true_peak_dbtp <= -1
    samples = channel(made.mix)
    for placed in made.timeline.placed[1:]:
        around = largest_step(samples, placed.first - RATE, placed.first - 1000)
        behind = placed.first + placed.overlap
        around = max(around, largest_step(samples, behind + 1000, behind + RATE))
        for edge in (placed.first, behind):
            assert largest_step(samples, edge - 20, edge + 20) <= around
    assert made.facts[0].audio[0].bitrate_bps == pytest.approx(128_000, rel=0.02)
    assert made.results[0].rounds == 1, "the limiter's gain and LAME's own are known before"
    assert [chapter.title for chapter in made.facts[0].chapters] == ["The call", "The answer"]


def halves(lengths: list[int]) -> list[tuple[int, int]]:
    return [(a // 2, b // 2) for a, b in itertools.pairwise(lengths)]


async def show(folder: Path) -> Made:
    """Intro, caller, interstitial, response, outro."""
    return await stitch(
        folder,
        preset="podcast-episode",
        timeline=[
            {"source": str(CORPUS / "bumper-intro.mp3"), "role": "bumper"},
            {"source": str(CORPUS / "caller.wav"), "chapter": "The call"},
            {"source": str(CORPUS / "bumper-interstitial.mp3"), "role": "bumper"},
            {"source": str(CORPUS / "voice-zeus.mp3"), "chapter": "The answer"},
            {"source": str(CORPUS / "bumper-outro.mp3"), "role": "bumper"},
        ],
        outputs=[{"uri": str(folder / "episode.mp3")}],
    )
