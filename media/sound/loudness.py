"""How loud a sound is: ITU-R BS.1770-5, with the ranges and peaks of EBU Tech 3341 and 3342.

FFmpeg's `ebur128` weights the channels (K-weighting) and gives the momentary and short-term
loudness every 0.1 s, to 0.001 LU. The gates are computed here, from those: the filter's own
summary has one digit, and windows of several sounds can be gated together. For the loudest moment
it is asked five times, each time 0.02 s later: a burst of 0.4 s between two steps of 0.1 s would
read 0.6 LU too low (Tech 3341, case 13). Below 48 kHz the sound is resampled first, for BS.1770
gives its filter at 48 kHz, and the filter that is derived for 16 kHz put a recording of speech
0.09 LU higher (measured). The true peak is the sample peak at 192 kHz (BS.1770-5, annex 2: at
least four times 48 kHz).
"""

from __future__ import annotations

import contextlib
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from longtake.contracts.base import Contract
from longtake.contracts.loudness import Loudness
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_child
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import escaped

OVERSAMPLED_HZ = 192_000
_FILTER_HZ = 48_000
_SHIFTS = 5
_SHIFT_S = 0.02
"""Of the windows that the loudest moment is looked for in: five fill a step of 0.1 s."""

_MOMENTARY, _SHORT_TERM = 4, 30
"""Windows in steps: 0.4 s and 3 s."""
_ABSOLUTE_LUFS = -70.0
_RELATIVE_LU, _RANGE_RELATIVE_LU = -10.0, -20.0

_WEIGHTED = "ebur128=metadata=1"
_HIGHEST = "astats=metadata=1:measure_perchannel=none:measure_overall=Peak_level"
_MOMENTARY_LOUDNESS, _SHORT = "lavfi.r128.M", "lavfi.r128.S"
_PEAK = "lavfi.astats.Overall.Peak_level"

Values = array  # of float, in LUFS


class Measured(Contract):
    """The loudness of a sound, and the full windows that it comes of, in LUFS."""

    loudness: Loudness
    momentary: tuple[float, ...]
    """Of 0.4 s, every 0.1 s."""
    short_term: tuple[float, ...]
    """Of 3 s, every 0.1 s."""


async def measure(
    command: Ffmpeg,
    stream: str,
    front: Iterable[str | None],
    rate_hz: int,
    report: Path,
    on_tick: OnTick,
) -> tuple[Measured, Finished]:
    """Measure `stream` ("0:a:0") of what `command` reads, behind the filters `front`, which give it
    the rate `rate_hz`.

    FFmpeg writes beside `report`, under its name; nothing is left there. FFmpeg takes the same
    memory for any length. Raises InputCorrupt, and what `run_child` raises.
    """
    reports = _Reports(report)
    command = command.also(*_metered(stream, tuple(front), rate_hz, reports))
    with reports.removed():
        try:
            finished = await run_child(command.arguments(), report.parent, on_tick=on_tick)
        except ProcessFailed as error:
            raise _unmeasured(error) from error
        return reports.read(), finished


async def encode_measured(
    command: Ffmpeg, rate_hz: int, target: Path, on_tick: OnTick
) -> tuple[Measured, Finished]:
    """Run a command that encodes one sound of `rate_hz` to `target`, and measure what it encodes.

    The same process decodes what it has encoded (FFmpeg's loopback decoder): to the sample what a
    file of it decodes to, except AAC, whose last frame is not cut here, by less than 1024 samples.
    Raises ProcessFailed, InputCorrupt for a sound without samples, and what `run_child` raises.
    """
    reports = _Reports(target)
    command = command.also("-dec", "0:0", *_metered("dec:0", (), rate_hz, reports))
    with reports.removed():
        finished = await run_child(command.arguments(), target.parent, on_tick=on_tick)
        return reports.read(), finished


async def measure_gated(
    command: Ffmpeg,
    stream: str,
    fronts: Sequence[Sequence[str | None]],
    rate_hz: int,
    report: Path,
    on_tick: OnTick,
) -> tuple[list[float | None], Finished]:
    """The gated loudness alone, in LUFS, behind each of `fronts`, which are heard side by side;
    without the peaks it takes half the time."""
    reports = [report.with_name(f"{report.name}.m{number}") for number in range(len(fronts))]
    for front, told in zip(fronts, reports, strict=True):
        steps = (*front, _resampled(rate_hz), _WEIGHTED, _told(_MOMENTARY_LOUDNESS, told))
        command = command.also(*_heard(f"[{stream}]{filters(steps)}", told.suffix[1:]))
    try:
        finished = await run_child(command.arguments(), report.parent, on_tick=on_tick)
        return [integrated(_full(told)) for told in reports], finished
    except ProcessFailed as error:
        raise _unmeasured(error) from error
    finally:
        for told in reports:
            told.unlink(missing_ok=True)


class _Reports:
    """Where FFmpeg writes what it measures, beside `base`."""

    def __init__(self, base: Path) -> None:
        def beside(name: str) -> Path:
            return base.with_name(f"{base.name}.{name}")

        self.momentary, self.short_term = beside("m"), beside("s")
        self.shifted = [beside(f"m{number}") for number in range(1, _SHIFTS)]
        self.sample_peak, self.true_peak = beside("p"), beside("tp")

    @contextlib.contextmanager
    def removed(self) -> Iterator[None]:
        """Leave none behind."""
        try:
            yield
        finally:
            peaks = (self.sample_peak, self.true_peak)
            for path in (self.momentary, self.short_term, *self.shifted, *peaks):
                path.unlink(missing_ok=True)

    def read(self) -> Measured:
        """What they tell. Raises InputCorrupt where there was nothing to measure."""
        momentary = _full(self.momentary)
        short_term = _values(self.short_term, _SHORT)[_SHORT_TERM - 1 :]
        sample, true = (_values(each, _PEAK) for each in (self.sample_peak, self.true_peak))
        if not sample:
            raise InputCorrupt("the sound could not be measured: it holds no sample")
        loudest = max(max(_full(path), default=-math.inf) for path in self.shifted)
        loudness = Loudness(
            integrated_lufs=_rounded(integrated(momentary)),
            range_lu=_rounded(loudness_range(short_term)),
            momentary_max_lufs=_rounded(max((loudest, *momentary))),
            short_term_max_lufs=_rounded(max(short_term, default=None)),
            # Between samples a peak is higher, never lower.
            true_peak_dbtp=_rounded(max(*true, *sample)),
            sample_peak_dbfs=_rounded(max(sample)),
        )
        return Measured(loudness=loudness, momentary=tuple(momentary), short_term=tuple(short_term))


def _metered(
    stream: str, front: Sequence[str | None], rate_hz: int, reports: _Reports
) -> tuple[str, ...]:
    """Outputs of a command that measure `stream`: loudness and peaks, each in a thread of its own,
    so that a short sound takes little time."""
    loudness = filters(
        (
            *front,
            _resampled(rate_hz),
            "aformat=sample_fmts=dbl",  # once, before it is split
            _later(max(rate_hz, _FILTER_HZ), reports.shifted),
            _WEIGHTED,
            _told(_MOMENTARY_LOUDNESS, reports.momentary),
            _told(_SHORT, reports.short_term),
        )
    )
    peaks = filters(
        (
            *front,
            f"asetnsamples={rate_hz // 2}:p=0",  # the peak so far is written once a frame
            _HIGHEST,
            _told(_PEAK, reports.sample_peak),
            # Float: between samples a peak may pass full scale, and whole numbers would clip it.
            f"aresample={OVERSAMPLED_HZ}:osf=dbl",
            _HIGHEST,
            _told(_PEAK, reports.true_peak),
        )
    )
    return (*_heard(f"[{stream}]{loudness}", "loud"), *_heard(f"[{stream}]{peaks}", "peaks"))


def _heard(graph: str, name: str) -> tuple[str, ...]:
    """An output that goes nowhere, of a graph whose filters write what they measure."""
    # The null muxer takes 16 bits when nobody says more, and the filters then compute in them.
    end = ("-map", f"[{name}]", "-c:a", "pcm_f64le", "-f", "null", "-")
    return ("-filter_complex", f"{graph}[{name}]", *end)


def _resampled(rate_hz: int) -> str | None:
    return f"aresample={_FILTER_HZ}:osf=dbl" if rate_hz < _FILTER_HZ else None


def _later(rate_hz: int, reports: Sequence[Path]) -> str:
    """The sound, and for each report the same from a shift later on, of which it is written."""
    labels = [f"later{number}" for number in range(1, len(reports) + 1)]
    lines = [f"asplit={len(reports) + 1}[now]" + "".join(f"[{label}]" for label in labels)]
    for number, (label, report) in enumerate(zip(labels, reports, strict=True), start=1):
        trim = f"atrim=start_sample={round(number * _SHIFT_S * rate_hz)}"
        told = _told(_MOMENTARY_LOUDNESS, report)
        lines.append(f"[{label}]{trim},{_WEIGHTED},{told},anullsink")
    return ";".join((*lines, "[now]anull"))


def _told(key: str, report: Path) -> str:
    return f"ametadata=print:key={key}:file={escaped(report)}"


def _unmeasured(error: ProcessFailed) -> InputCorrupt:
    return InputCorrupt(f"the sound could not be measured (exit code {error.code}): {error.stderr}")


def integrated(momentary: Sequence[float]) -> float | None:
    """Gated loudness in LUFS of full windows of 0.4 s, every 0.1 s; None where none is loud enough.

    BS.1770-5, annex 1: windows above -70 LUFS, and of these those above their mean less 10 LU.
    """
    loud = [value for value in momentary if value > _ABSOLUTE_LUFS]
    if not loud:
        return None
    gate = _mean(loud) + _RELATIVE_LU
    return _mean([value for value in loud if value > gate])


def loudness_range(short_term: Sequence[float]) -> float | None:
    """LRA in LU of full windows of 3 s, every 0.1 s: from the 10th to the 95th percentile of those
    above -70 LUFS and above their mean less 20 LU (EBU Tech 3342, 2.2)."""
    loud = [value for value in short_term if value >= _ABSOLUTE_LUFS]
    if not loud:
        return None
    gate = _mean(loud) + _RANGE_RELATIVE_LU
    kept = sorted(value for value in loud if value >= gate)
    low, high = (kept[math.floor((len(kept) - 1) * share + 0.5)] for share in (0.10, 0.95))
    return high - low


def together(sounds: Sequence[Measured]) -> Loudness:
    """Several sounds as one: their windows gated together. No window spans two of them."""
    moments = [sound.loudness.momentary_max_lufs for sound in sounds]
    momentary = [value for sound in sounds for value in sound.momentary]
    short_term = [value for sound in sounds for value in sound.short_term]
    peaks = [sound.loudness.true_peak_dbtp for sound in sounds]
    samples = [sound.loudness.sample_peak_dbfs for sound in sounds]
    return Loudness(
        integrated_lufs=_rounded(integrated(momentary)),
        range_lu=_rounded(loudness_range(short_term)),
        momentary_max_lufs=max((each for each in moments if each is not None), default=None),
        short_term_max_lufs=_rounded(max(short_term, default=None)),
        true_peak_dbtp=max((peak for peak in peaks if peak is not None), default=None),
        sample_peak_dbfs=max((peak for peak in samples if peak is not None), default=None),
    )


def _full(report: Path) -> Values[float]:
    """Of full windows of 0.4 s."""
    return _values(report, _MOMENTARY_LOUDNESS)[_MOMENTARY - 1 :]


def _values(report: Path, key: str) -> Values[float]:
    """The values that FFmpeg wrote, one a frame."""
    found: Values[float] = array("d")
    if report.exists():
        with report.open("r", encoding="ascii") as lines:
            for line in lines:
                if line.startswith(f"{key}="):
                    found.append(float(line.partition("=")[2]))
    return found


def _mean(values: Sequence[float]) -> float:
    """The loudness of the mean energy."""
    return 10 * math.log10(math.fsum(10 ** (value / 10) for value in values) / len(values))


def _rounded(value: float | None) -> float | None:
    """To 0.001; None for what has no level: silence, which FFmpeg calls -120.691 LUFS."""
    if value is None or not math.isfinite(value) or value < -120:
        return None
    return round(value, 3)
