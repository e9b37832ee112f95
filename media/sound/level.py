"""Bring a sound to its loudness as it is encoded: encode, measure, correct.

Lossy encoders change the level and overshoot peaks, and a limiter takes loudness away; so what
counts is measured in what was encoded. How the sound is made is the caller's affair: a track of a
file, or a mix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from longtake.contracts.loudness import Aim, Levelled, Loudness
from media.children.process import Finished, in_turn
from media.sound.limiter import LevelStage

EXACT_LU = 0.07
"""So near is near enough: a meter that reads 0.02 LU otherwise still finds it within 0.1 LU, and
the next round would cost as much as the first."""
PROMISED_LU = 0.1
ROUNDS = 8
SKETCHES = 5
FORESEEN_LU = 0.1
"""A gain that misses by no more is corrected without another sketch: what the correction itself
misses is a tenth of that (0.01 LU at most; measured on the voices of the corpus)."""
FORESEEN_DB = 2.0
"""Between two gains so near a line is as good: a limiter's curve bends from it by 0.03 LU at most
(measured there, too)."""
MOST_DRIVE_DB = 24.0
"""More gain into the limiter than that is distortion, not loudness."""
GUARD_DB = 0.02
"""So far below the limit the loudest peak is brought: meters round."""
_STEEPEST, _FLATTEST = 1.2, 0.2
"""LU that a dB of gain may bring, for the secant: two near points must not throw it far off."""

Encode = Callable[[LevelStage, Path], Awaitable[tuple[Loudness, Finished]]]
"""Encode the sound through a stage into a file, and measure what was encoded."""
Sketch = Callable[[Sequence[LevelStage]], Awaitable[tuple[Sequence[float | None], Finished]]]
"""The loudness in LUFS that each of these stages gives, before it is encoded."""


@dataclass(frozen=True)
class Round:
    """One encode, and how it measures."""

    stage: LevelStage
    after: Loudness
    excess_db: float
    """True peak over the limit; negative where there is room."""
    short_lu: float
    """What is missing to the target; negative where it is too loud."""

    @property
    def rank(self) -> tuple[bool, float]:
        """The less, the better: peaks within their limit come first, then loudness."""
        return self.excess_db > 0, abs(self.short_lu)


@dataclass(frozen=True)
class Result:
    """The best round, whose file is kept, and what all of them took."""

    best: Round
    rounds: int
    finished: Finished
    warnings: tuple[str, ...]


async def bring_to_level(
    encode: Encode,
    before: Loudness,
    aim: Aim,
    target: Path,
    *,
    lossy: bool,
    sketch: Sketch | None = None,
) -> Result:
    """Make `target` as `aim` says. Silence, and sound too short to have a loudness, keep their
    level, with a warning; so does the result tell what is out of reach, and what was reached.

    `sketch`: where a limiter is needed, its gain is sought by this before each encode, as it is
    cheaper; what the encoder takes on top is known from the round before.
    """
    stage: LevelStage | None = first_stage(before, aim, lossy=lossy)
    trial = target.with_name(f"{target.name}.trial")
    rounds: list[Round] = []
    done: list[Finished] = []
    took_lu = 0.0
    try:
        while stage is not None:
            expected = _plain(stage, before)
            if sketch is not None and stage.ceiling_dbtp is not None:
                gains = [stage.gain_db] if rounds else first_gains(stage, before)
                stage, sought = await _seek(sketch, stage, gains, before, aim, took_lu)
                expected = aim.integrated_lufs + took_lu
                done += sought
            after, encoded = await encode(stage, trial)
            done.append(encoded)
            if expected is not None and after.integrated_lufs is not None:
                took_lu = expected - after.integrated_lufs
            rounds.append(_judged(stage, after, aim))
            if min(rounds, key=lambda each: each.rank) is rounds[-1]:
                trial.replace(target)
            stage = next_stage(rounds, before, aim, lossy=lossy)
    finally:
        trial.unlink(missing_ok=True)
    best = min(rounds, key=lambda each: each.rank)
    return Result(best, len(rounds), in_turn(*done), _warnings(best, before, aim))


def _plain(stage: LevelStage, before: Loudness) -> float | None:
    """The loudness behind a stage that is one gain; None behind any other, and of silence."""
    if before.integrated_lufs is None or stage.ceiling_dbtp is not None:
        return None
    return before.integrated_lufs + stage.gain_db


async def _seek(
    sketch: Sketch,
    stage: LevelStage,
    gains: Sequence[float],
    before: Loudness,
    aim: Aim,
    took_lu: float,
) -> tuple[LevelStage, list[Finished]]:
    """The stage with the gain that reaches the target through its limiter, where the encoder takes
    `took_lu` as well. `gains`: in dB, to try first."""
    tried: list[tuple[float, float]] = []
    done: list[Finished] = []
    while len(tried) < SKETCHES:
        found, finished = await sketch([replace(stage, gain_db=gain) for gain in gains])
        done.append(finished)
        for gain, lufs in zip(gains, found, strict=True):
            if lufs is None:
                return stage, done
            tried.append((gain, aim.integrated_lufs + took_lu - lufs))
        gains = [next_gain(tried, before, aim, stage.ceiling_dbtp)]
        if _foreseen(tried):
            break
    return replace(stage, gain_db=gains[0]), done


def first_gains(stage: LevelStage, before: Loudness) -> list[float]:
    """Two gains in dB between which the one lies, for most sounds, that makes up for what the
    limiter takes: about 0.1 LU by the power of 1.5 of what it is driven by (0.07 to 0.2 on the
    voices of the corpus)."""
    if before.true_peak_dbtp is None or stage.ceiling_dbtp is None:
        return [stage.gain_db]
    drive_db = max(1.0, before.true_peak_dbtp + stage.gain_db - stage.ceiling_dbtp)
    lift_db = 0.1 * drive_db**1.5
    return [stage.gain_db + lift_db, stage.gain_db + 2 * lift_db]


def _foreseen(tried: Sequence[tuple[float, float]]) -> bool:
    """Whether the next gain follows from the last ones without another sketch."""
    if min(abs(short) for _, short in tried[-2:]) <= FORESEEN_LU:
        return True
    if len(tried) < 2:
        return False
    (gain_a, short_a), (gain_b, short_b) = tried[-2:]
    return short_a * short_b <= 0 and abs(gain_b - gain_a) <= FORESEEN_DB


def levelled(result: Result, track: int, aim: Aim, before: Loudness) -> Levelled:
    """What is told of a track."""
    stage = result.best.stage
    return Levelled(
        track=track,
        aim=aim,
        gain_db=round(stage.gain_db, 3),
        limiter_dbtp=stage.ceiling_dbtp and round(stage.ceiling_dbtp, 3),
        rounds=result.rounds,
        before=before,
        after=result.best.after,
    )


def first_stage(before: Loudness, aim: Aim, *, lossy: bool) -> LevelStage:
    """What brings an unencoded sound to its level."""
    if before.integrated_lufs is None or before.true_peak_dbtp is None:
        return LevelStage(0.0)
    gain = aim.integrated_lufs - before.integrated_lufs
    if aim.mode == "dynamic":
        return LevelStage(gain, first_ceiling(aim, lossy=lossy), evened=True)
    over = before.true_peak_dbtp + gain - aim.true_peak_dbtp
    if over <= -GUARD_DB:
        return LevelStage(gain)
    if aim.mode == "linear":
        return LevelStage(gain - over - GUARD_DB)
    return LevelStage(gain, first_ceiling(aim, lossy=lossy))


def next_stage(
    rounds: list[Round], before: Loudness, aim: Aim, *, lossy: bool
) -> LevelStage | None:
    """The correction after the last round; None where it landed, or no round would help."""
    last = rounds[-1]
    if before.integrated_lufs is None or len(rounds) == ROUNDS:
        return None
    stage, fits = last.stage, last.excess_db <= 0
    if fits and abs(last.short_lu) <= EXACT_LU:
        return None
    if aim.mode == "linear":
        step = min(last.short_lu, -last.excess_db - GUARD_DB)
        settled = fits and abs(step) <= EXACT_LU
        return None if settled else replace(stage, gain_db=stage.gain_db + step)
    ceiling = next_ceiling(stage.ceiling_dbtp, last.excess_db, last.short_lu, aim, lossy=lossy)
    tried = [(each.stage.gain_db, each.short_lu) for each in rounds]
    gain = next_gain(tried, before, aim, stage.ceiling_dbtp)
    corrected = replace(stage, gain_db=gain, ceiling_dbtp=ceiling)
    return None if corrected == stage else corrected


def first_ceiling(aim: Aim, *, lossy: bool) -> float:
    """Where to limit at first: a lossy encoder overshoots by some tenths of a dB."""
    return aim.true_peak_dbtp - (0.5 if lossy else 0.1)


def next_ceiling(
    ceiling: float | None, excess_db: float, short_lu: float, aim: Aim, *, lossy: bool
) -> float | None:
    """Where to limit after a round: lower by what was too much, or for the first time where the
    gain that is still missing would push the peak over its limit."""
    if excess_db > 0:
        return (aim.true_peak_dbtp if ceiling is None else ceiling) - excess_db - 0.1
    if ceiling is None and short_lu > -excess_db:
        return first_ceiling(aim, lossy=lossy)
    return ceiling


def next_gain(
    tried: Sequence[tuple[float, float]], before: Loudness, aim: Aim, ceiling: float | None
) -> float:
    """The gain in dB after rounds of a gain and what was missing then in LU, the last one last.

    `ceiling`: the last round's limiter. Raises ValueError for a sound without loudness.
    """
    if before.integrated_lufs is None:
        raise ValueError("what has no loudness is brought to none")
    gain, short = tried[-1]
    slope = _slope(tried)
    if slope is None and ceiling is not None and before.true_peak_dbtp is not None:
        slope = _expected_slope(before.true_peak_dbtp + gain - ceiling, short)
    most = aim.integrated_lufs - before.integrated_lufs + MOST_DRIVE_DB
    return min(gain + short / (slope or 1.0), most)


def _slope(tried: Sequence[tuple[float, float]]) -> float | None:
    """LU that a dB of gain brought between the last two rounds: less than 1 in a limiter, so
    that adding the error alone would creep. None: it cannot be told."""
    if len(tried) < 2:
        return None
    (gain_a, short_a), (gain_b, short_b) = tried[-2:]
    gained = gain_b - gain_a
    if abs(gained) < 0.05:
        return None
    return min(_STEEPEST, max(_FLATTEST, (short_a - short_b) / gained))


def _expected_slope(drive_db: float, short_lu: float) -> float:
    """The same before it is known, of a limiter that was driven so far and took so much. What it
    takes grows faster than the drive, about as its power of 1.5 (measured on speech)."""
    if drive_db <= 0 or short_lu <= 0:
        return 1.0
    return max(_FLATTEST, 1 - 1.5 * short_lu / drive_db)


def _judged(stage: LevelStage, after: Loudness, aim: Aim) -> Round:
    silent = after.integrated_lufs is None or after.true_peak_dbtp is None
    return Round(
        stage=stage,
        after=after,
        excess_db=-99.0 if silent else (after.true_peak_dbtp or 0.0) - aim.true_peak_dbtp,
        short_lu=0.0 if silent else aim.integrated_lufs - (after.integrated_lufs or 0.0),
    )


def _warnings(best: Round, before: Loudness, aim: Aim) -> tuple[str, ...]:
    if before.integrated_lufs is None:
        what = "is silent" if before.momentary_max_lufs is None else "is too quiet"
        if before.sample_peak_dbfs is not None and before.momentary_max_lufs is None:
            what = "is shorter than 0.4 s"
        return (f"{what} and has no loudness: its level was left alone",)
    words = []
    if abs(best.short_lu) > PROMISED_LU:
        why = (
            "one gain would push its true peak over the limit; mode limit reaches more"
            if aim.mode == "linear"
            else "it is out of reach: a limiter can take no more of its peaks"
        )
        words.append(
            f"came to {best.after.integrated_lufs:.1f} LUFS, not {aim.integrated_lufs:g}: {why}"
        )
    if best.excess_db > 0:
        words.append(
            f"has a true peak of {best.after.true_peak_dbtp:.2f} dBTP, over the limit of "
            f"{aim.true_peak_dbtp:g}"
        )
    return tuple(words)
