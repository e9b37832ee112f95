"""One gain for several files, whose loudness is that of all of them as one sound.

The files are encoded and measured side by side, and what came out of all is judged together. So
the rounds are steps of a workflow here, and each stage follows from the rounds before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from longtake.contracts.loudness import Aim, Loudness
from longtake.contracts.steps.album import AlbumRound, AlbumStage
from media.sound.level import (
    EXACT_LU,
    GUARD_DB,
    PROMISED_LU,
    ROUNDS,
    first_ceiling,
    next_ceiling,
    next_gain,
)

_SILENT_DB = -99.0
"""So far below the limit counts a file without a sample above zero."""


def first_album_stage(
    album: Loudness, files: Sequence[Loudness], aim: Aim, lossy: Sequence[bool]
) -> AlbumStage:
    """What brings the files to their level before they are encoded; limiters only where the gain
    needs them, so that the other files keep every ratio."""
    if album.integrated_lufs is None:
        return AlbumStage(gain_db=0.0, ceilings_dbtp=(None,) * len(files))
    gain = aim.integrated_lufs - album.integrated_lufs
    over = [_over(found, aim) + gain for found in files]
    if aim.mode == "linear":
        worst = max(over)
        gain -= worst + GUARD_DB if worst > -GUARD_DB else 0.0
        return AlbumStage(gain_db=gain, ceilings_dbtp=(None,) * len(files))
    ceilings = tuple(
        None if excess <= -GUARD_DB else first_ceiling(aim, lossy=each)
        for excess, each in zip(over, lossy, strict=True)
    )
    return AlbumStage(gain_db=gain, ceilings_dbtp=ceilings)


def judge(stage: AlbumStage, album: Loudness, files: Sequence[Loudness], aim: Aim) -> AlbumRound:
    """How a round came out, measured in the encoded files."""
    lufs = album.integrated_lufs
    return AlbumRound(
        stage=stage,
        after=album,
        excess_db=tuple(_over(found, aim) for found in files),
        short_lu=0.0 if lufs is None else aim.integrated_lufs - lufs,
    )


def next_album_stage(
    rounds: Sequence[AlbumRound], before: Loudness, aim: Aim, lossy: Sequence[bool]
) -> AlbumStage | None:
    """The correction after the last round; None where it landed, or no round would help."""
    last = rounds[-1]
    if before.integrated_lufs is None or len(rounds) == ROUNDS:
        return None
    stage, excess = last.stage, max(last.excess_db)
    if excess <= 0 and abs(last.short_lu) <= EXACT_LU:
        return None
    if aim.mode == "linear":
        step = min(last.short_lu, -excess - GUARD_DB)
        settled = excess <= 0 and abs(step) <= EXACT_LU
        return None if settled else stage.model_copy(update={"gain_db": stage.gain_db + step})
    ceilings = tuple(
        next_ceiling(ceiling, over, last.short_lu, aim, lossy=each)
        for ceiling, over, each in zip(stage.ceilings_dbtp, last.excess_db, lossy, strict=True)
    )
    tried = [(each.stage.gain_db, each.short_lu) for each in rounds]
    lowest = min((each for each in stage.ceilings_dbtp if each is not None), default=None)
    gain = next_gain(tried, before, aim, lowest)
    corrected = AlbumStage(gain_db=gain, ceilings_dbtp=ceilings)
    return None if corrected == stage else corrected


def best_round(rounds: Sequence[AlbumRound]) -> int:
    """The number of the round to keep: peaks within their limit come first, then loudness."""
    ranks = [(max(each.excess_db) > 0, abs(each.short_lu)) for each in rounds]
    return ranks.index(min(ranks))


def album_warnings(kept: AlbumRound, before: Loudness, aim: Aim) -> tuple[str, ...]:
    """Words for what was out of reach."""
    if before.integrated_lufs is None:
        return ("the album has no loudness: its files' levels were left alone",)
    words = []
    if abs(kept.short_lu) > PROMISED_LU:
        why = (
            "one gain would push the loudest peak over the limit; mode limit reaches more"
            if aim.mode == "linear"
            else "it is out of reach: limiters can take no more of the peaks"
        )
        words.append(
            f"the album came to {kept.after.integrated_lufs:.1f} LUFS, not "
            f"{aim.integrated_lufs:g}: {why}"
        )
    if max(kept.excess_db) > 0:
        words.append(
            f"the album has a true peak of {aim.true_peak_dbtp + max(kept.excess_db):.2f} dBTP, "
            f"over the limit of {aim.true_peak_dbtp:g}"
        )
    return tuple(words)


def _over(found: Loudness, aim: Aim) -> float:
    """How far a file's peak lies over the limit, in dB."""
    return _SILENT_DB if found.true_peak_dbtp is None else found.true_peak_dbtp - aim.true_peak_dbtp
