"""Levels are met in what was encoded, or it is said what was reached."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from longtake.contracts.loudness import Aim, LevelMode, Loudness
from media.children.process import Finished
from media.ffmpeg.command import Ffmpeg
from media.probing.formats import sniff
from media.sound.encoders import ENCODERS
from media.sound.level import ROUNDS, Result, bring_to_level
from media.sound.limiter import LevelStage
from media.sound.loudness import encode_measured, measure
from media.sound.pcm import floats
from storage.local import sha256_of
from tests.media.engine import no_tick, run
from tests.media.meter import independent_lufs, loudness
from tests.media.programme import rms_db

NOTHING = Finished(0.0, 0.0, 0, "", 0)
RATE = 44_100


class Encoder:
    """Stands for an encoder: it takes some loudness away, raises peaks, and its limiter gives
    ever less of the gain that goes into it: 12.5 LU at most."""

    def __init__(self, before: Loudness, *, loses_lu: float, overshoot_db: float) -> None:
        self._before, self._loses, self._overshoot = before, loses_lu, overshoot_db
        self._made: dict[str, LevelStage] = {}

    async def encode(self, stage: LevelStage, path: Path) -> tuple[Loudness, Finished]:
        return self.make(stage, path), NOTHING

    def make(self, stage: LevelStage, path: Path) -> Loudness:
        path.write_text(repr(stage))
        self._made[repr(stage)] = stage
        return self.level(path)

    def level(self, path: Path) -> Loudness:
        stage, before = self._made[path.read_text()], self._before
        if before.integrated_lufs is None or before.true_peak_dbtp is None:
            return before
        peak = before.true_peak_dbtp + stage.gain_db
        lufs = before.integrated_lufs + stage.gain_db - self._loses
        if stage.ceiling_dbtp is not None and peak > stage.ceiling_dbtp:
            driven = peak - stage.ceiling_dbtp
            lufs -= driven**2 / 50 if driven < 25 else driven - 12.5
            peak = stage.ceiling_dbtp
        return Loudness(integrated_lufs=lufs, true_peak_dbtp=peak + self._overshoot)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def simulate(
    folder: Path, lufs: float | None, peak: float | None, mode: LevelMode, target: float = -16
) -> Result:
    before = Loudness(integrated_lufs=lufs, true_peak_dbtp=peak, sample_peak_dbfs=peak)
    encoder = Encoder(before, loses_lu=0.5, overshoot_db=0.6)
    aim = Aim(integrated_lufs=target, true_peak_dbtp=-1, mode=mode)
    path = folder / "out"
    made = await bring_to_level(encoder.encode, before, aim, path, lossy=True)
    assert encoder.level(path) == made.best.after, "another round's file was kept"
    assert names(folder) == ["out"]
    return made


@pytest.mark.parametrize(("lufs", "peak"), [(-30, -20), (-23, -1), (-16, 0), (-8, 1.5), (-25, -4)])
async def test_loudness_and_peak_are_met_in_few_rounds(
    lufs: float, peak: float, tmp_path: Path
) -> None:
    made = await simulate(tmp_path, lufs, peak, "limit")
    assert abs(made.best.short_lu) <= 0.05
    assert made.best.excess_db <= 0
    assert made.rounds <= 5
    assert made.warnings == ()


@pytest.mark.parametrize("overshoot_db", [0.1, 0.9])
async def test_a_limiter_that_is_lowered_is_sketched_anew(
    overshoot_db: float, tmp_path: Path
) -> None:
    """What the encoder takes, and by how much it passes the limit, is known after one round."""
    before = Loudness(integrated_lufs=-23, true_peak_dbtp=-1, sample_peak_dbfs=-1)
    encoder = Encoder(before, loses_lu=0.3, overshoot_db=overshoot_db)
    plain = Encoder(before, loses_lu=0.0, overshoot_db=0.0)

    async def sketch(stages: Sequence[LevelStage]) -> tuple[Sequence[float | None], Finished]:
        made = [plain.make(stage, tmp_path / "sketch") for stage in stages]
        return [each.integrated_lufs for each in made], NOTHING

    aim = Aim(integrated_lufs=-16, true_peak_dbtp=-1, mode="limit")
    path = tmp_path / "out"
    made = await bring_to_level(encoder.encode, before, aim, path, lossy=True, sketch=sketch)
    assert made.rounds == 2
    assert abs(made.best.short_lu) <= 0.02
    assert made.best.excess_db <= 0


async def test_linear_keeps_every_ratio_and_says_what_it_reached(tmp_path: Path) -> None:
    made = await simulate(tmp_path, -23, -3, "linear")
    assert made.best.stage.ceiling_dbtp is None
    assert -0.1 <= made.best.excess_db <= 0
    assert len(made.warnings) == 1
    assert "not -16" in made.warnings[0]


async def test_what_is_out_of_reach_is_told(tmp_path: Path) -> None:
    made = await simulate(tmp_path, -25, -1, "limit", target=-5)
    assert made.best.excess_db <= 0, "a peak over the limit is worse than a quiet sound"
    assert made.rounds <= ROUNDS
    assert "out of reach" in made.warnings[0]


async def test_silence_is_left_alone_with_a_warning(tmp_path: Path) -> None:
    made = await simulate(tmp_path, None, None, "limit")
    assert (made.best.stage, made.rounds) == (LevelStage(0.0), 1)
    assert "silent" in made.warnings[0]


@pytest.fixture(scope="module")
def peaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in words and pauses with peaks far above it: 120,017 samples of mono."""
    target = tmp_path_factory.mktemp("level") / "peaky.wav"
    words = "0.05*(0.3+abs(sin(3*t)))*(2*random(0)-1)+0.8*lt(mod(t,0.5),0.002)*sin(2*PI*3000*t)"
    source = f"aevalsrc='{words}':s={RATE}:d=3"
    run("-f", "lavfi", "-i", source, "-af", "atrim=end_sample=120017", "-c:a", "pcm_s24le", target)
    return target


async def level(source: Path, target: Path, aim: Aim, *encoder: str) -> Result:
    """Bring a file to a level: what a job does to each track, without plan or container."""
    lossy = "flac" not in encoder

    read = Ffmpeg.quiet().read(source, sniff(source))

    async def encode(stage: LevelStage, path: Path) -> tuple[Loudness, Finished]:
        filters = ",".join(stage.filters(RATE))
        command = read.then("-map", "0:a:0", "-af", filters, *encoder, "-fflags", "+bitexact")
        muxer = {".mp3": "mp3", ".m4a": "ipod", ".flac": "flac"}[target.suffix]
        found, finished = await encode_measured(command.write(path, muxer), RATE, path, no_tick)
        return found.loudness, finished

    before = await loudness(source, RATE)
    return await bring_to_level(encode, before, aim, target, lossy=lossy)


@pytest.mark.parametrize("codec", list(ENCODERS))
async def test_what_is_measured_as_it_is_encoded_is_what_the_file_measures(
    codec: str, peaky: Path, tmp_path: Path
) -> None:
    """AAC's last frame is not cut there: up to 1023 samples more, of silence."""
    carrier = ENCODERS[codec]
    library = {"mp3": "libmp3lame", "opus": "libopus", "pcm": "pcm_s24le"}.get(codec, codec)
    rate = 48_000
    made = tmp_path / "made"
    command = Ffmpeg.quiet().read(peaky, "wav").then("-map", "0:a:0", "-ar", str(rate))
    command = command.then("-af", "volume=-12dB", "-c:a", library).write(made, carrier.muxer)
    told, _ = await encode_measured(command, rate, made, no_tick)
    assert names(tmp_path) == ["made"]
    read = Ffmpeg.quiet().read(made, carrier.demuxer)
    found, _ = await measure(read, "0:a:0", (), rate, tmp_path / "report", no_tick)
    if codec == "aac":
        assert len(told.momentary) - len(found.momentary) in (0, 1)
        assert told.loudness.integrated_lufs == pytest.approx(
            found.loudness.integrated_lufs, abs=0.005
        )
        assert told.loudness.true_peak_dbtp == found.loudness.true_peak_dbtp
    else:
        assert told == found


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("out.mp3", ("-c:a", "libmp3lame", "-b:a", "128k")),
        ("out.m4a", ("-c:a", "aac", "-b:a", "96k")),
        ("out.flac", ("-c:a", "flac", "-sample_fmt", "s32")),
    ],
)
async def test_the_encoded_file_has_its_loudness_and_its_peak(
    peaky: Path, name: str, encoder: tuple[str, ...], tmp_path: Path
) -> None:
    target = tmp_path / name
    aim = Aim(integrated_lufs=-19, true_peak_dbtp=-1)
    made = await level(peaky, target, aim, *encoder)
    assert made.best.stage.ceiling_dbtp is not None, "the limiter was not needed"
    assert independent_lufs(target, tmp_path, RATE, 1) == pytest.approx(-19, abs=0.1)
    assert made.best.after.true_peak_dbtp is not None
    assert made.best.after.true_peak_dbtp <= -1
    assert made.warnings == ()


def test_the_stage_keeps_length_and_time_to_the_sample(peaky: Path, tmp_path: Path) -> None:
    """Below its ceiling the limiter changes nothing, and moves nothing."""
    chain = ",".join(LevelStage(-6.0, ceiling_dbtp=-1.0).filters(RATE))
    raw = tmp_path / "raw"
    run("-i", peaky, "-af", chain, "-f", "f32le", "-c:a", "pcm_f32le", raw)
    levelled = array("f", raw.read_bytes())
    run("-i", peaky, "-f", "f32le", "-c:a", "pcm_f32le", raw)
    before = array("f", raw.read_bytes())
    assert len(levelled) == len(before) == 120_017
    gain = 10 ** (-6 / 20)
    worst = max(abs(a - b * gain) for a, b in zip(levelled, before, strict=True))
    assert worst < 0.03


async def test_two_runs_give_the_same_bytes(peaky: Path, tmp_path: Path) -> None:
    aim = Aim(integrated_lufs=-18, true_peak_dbtp=-2)
    for name in ("a.mp3", "b.mp3"):
        await level(peaky, tmp_path / name, aim, "-c:a", "libmp3lame", "-b:a", "96k")
    assert sha256_of(tmp_path / "a.mp3") == sha256_of(tmp_path / "b.mp3")


def test_evening_brings_up_a_quiet_turn_and_keeps_both_ends(tmp_path: Path) -> None:
    """Turns of 8 s, 8 dB from each other, over two of the filter's windows each."""
    rate, turn = 8000, 8
    loud = f"lt(mod(t,{2 * turn}),{turn})"
    turns = f"(0.4+0.6*{loud})*0.25*sin(2*PI*440*t)*abs(sin(2*PI*2*t))"
    run(
        *("-f", "lavfi", "-i", f"aevalsrc='{turns}':s={rate}:d={4 * turn}"),
        *("-af", ",".join(LevelStage(0.0, evened=True).filters(rate))),
        *("-f", "f32le", "-c:a", "pcm_f32le", tmp_path / "even.f32"),
    )
    samples = floats((tmp_path / "even.f32").read_bytes())
    assert len(samples) == 4 * turn * rate
    second = [rms_db(samples[at : at + rate]) for at in range(0, len(samples), rate)]
    for at in (0, 3, 7, turn + 4, 2 * turn, 3 * turn - 1, 3 * turn + 4, 4 * turn - 1):
        assert second[at] == pytest.approx(second[0], abs=2), f"second {at}"


@pytest.mark.parametrize("mode", ["linear", "dynamic"])
async def test_modes(peaky: Path, mode: LevelMode, tmp_path: Path) -> None:
    aim = Aim(integrated_lufs=-19, true_peak_dbtp=-1, mode=mode)
    made = await level(peaky, tmp_path / "out.flac", aim, "-c:a", "flac", "-sample_fmt", "s32")
    assert made.best.excess_db <= 0
    if mode == "linear":
        assert made.best.stage.ceiling_dbtp is None
        assert "not -19" in made.warnings[0]
    else:
        assert abs(made.best.short_lu) <= 0.1
