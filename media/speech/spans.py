"""Where somebody speaks: the probabilities of Silero VAD, and the spans they make.

The network hears 512 samples at a time and remembers what came before. It runs in a child, one
block of sound after the other, so that memory is the same for hours as for seconds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtake.contracts.speech import RATE_HZ, Span
from longtake.errors import CapabilityMissing, ProcessKilled
from media.children.isolate import in_child
from media.children.process import Limits
from media.speech.sound import SAMPLE_BYTES, SpeechSound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

NOT_INSTALLED = (
    "this worker has no speech to text; install it beside Longtake: pip install 'longtake[speech]'"
)
CHUNK = 512
"""Samples that have one probability."""
CONTEXT = 64
"""Samples before a chunk that the network hears with it."""
BEGINS, GOES_ON = 0.5, 0.35
"""Speech begins at one probability and goes on down to the other, as Silero's own code has it."""
LEAST_SILENCE_S = 0.1
LEAST_SPEECH_S = 0.1
LONGEST_S = 30.0
"""A span of more is cut in two where speech is least likely: it has no pause of its own."""
BLEEDS_DB = 12.0
"""So much softer than another channel, a channel holds the other's voice."""
LONGEST_LOOK_S = 6 * 3600.0

_BLOCK = 4096
"""Chunks that the network is given at once: two minutes."""
_LIMITS = Limits(memory_bytes=4 << 30, file_bytes=1 << 20)
_CRASH = ProcessKilled("the child that looks for speech ended before it was done")


async def find_spans(sound: SpeechSound, channel: int = 0) -> tuple[Span, ...]:
    """Where somebody speaks in a channel, in order; the spans do not overlap.

    Where another channel is much louder, nothing of this one counts: a microphone hears its
    neighbours, too.

    Raises CapabilityMissing where the extra `speech` is not installed, and what `in_child` raises.
    """
    return await in_child(
        _find_spans, str(sound.path), sound.channels, channel,
        timeout_s=LONGEST_LOOK_S, limits=_LIMITS, crash=_CRASH,
    )  # fmt: skip


def spans_of(probabilities: Sequence[float], samples: int) -> tuple[Span, ...]:
    """The spans that the probabilities of the chunks make, in a sound of so many samples."""
    spans = []
    for first, end in _runs(probabilities):
        for begin, stop in _cut(probabilities, first, end):
            spans.append(Span(first=begin * CHUNK, end=min(stop * CHUNK, samples)))
    return tuple(spans)


def _runs(probabilities: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Chunks of speech, from first to behind the last; short pauses bridged, short noises left."""
    least_silence = LEAST_SILENCE_S * RATE_HZ / CHUNK
    least_speech = LEAST_SPEECH_S * RATE_HZ / CHUNK
    first = end = None
    for number, probability in enumerate(probabilities):
        if first is None and probability >= BEGINS:
            first = number
        if first is None:
            continue
        if probability >= GOES_ON:
            end = None
        elif end is None:
            end = number
        if end is not None and number + 1 - end >= least_silence:
            if end - first >= least_speech:
                yield first, end
            first = end = None
    if first is not None:
        stop = len(probabilities) if end is None else end
        if stop - first >= least_speech:
            yield first, stop


def _cut(probabilities: Sequence[float], first: int, end: int) -> Iterator[tuple[int, int]]:
    longest = int(LONGEST_S * RATE_HZ / CHUNK)
    while end - first > longest:
        candidates = range(first + longest // 2, first + longest)
        border = min(candidates, key=lambda number: (probabilities[number], -number))
        yield first, border
        first = border
    yield first, end


def _find_spans(path: str, channels: int, channel: int) -> tuple[Span, ...]:
    probabilities: list[float] = []
    samples = 0
    network = _Silero()
    for block in _blocks(Path(path), channels):
        samples += len(block)
        probabilities += network.hear(block, channel)
    return spans_of(probabilities, samples)


class _Silero:
    """The network, with what it remembers."""

    def __init__(self) -> None:
        try:
            import numpy as np
            import onnxruntime
        except ImportError as error:
            raise CapabilityMissing(f"{NOT_INSTALLED} ({error})") from error
        options = onnxruntime.SessionOptions()
        # One thread: the sums, and so the probabilities, are the same everywhere.
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(_network_file()),
            providers=["CPUExecutionProvider"],
            sess_options=options,
        )
        self._np = np
        self._state = np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)
        self._tail = np.zeros(CONTEXT, np.float32)

    def hear(self, block: Samples, channel: int) -> list[float]:
        """The probability of each chunk of a block, of which only the last may be short."""
        np = self._np
        missing = -len(block) % CHUNK
        whole = np.pad(block, ((0, missing), (0, 0)))
        sound = whole[:, channel]
        chunks = sound.reshape(-1, CHUNK)
        before = np.concatenate([self._tail, sound])[: len(chunks) * CHUNK].reshape(-1, CHUNK)
        heard = np.concatenate([before[:, :CONTEXT], chunks], axis=1)
        self._tail = sound[-CONTEXT:].copy()
        state = dict(zip(("h", "c"), self._state, strict=True))
        found, *self._state = self._session.run(None, {"input": heard, **state})
        own = ~_bled(np, whole, channel)
        return [float(value) for value in found.reshape(-1) * own]


def _network_file() -> Path:
    """The network comes with faster-whisper, which need not be loaded for it."""
    package = importlib.util.find_spec("faster_whisper")
    if package is None or not package.submodule_search_locations:
        raise CapabilityMissing(NOT_INSTALLED)
    return Path(package.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"


def _bled(np: Any, whole: Samples, channel: int) -> NDArray[np.bool_]:
    """Which chunks of the channel hold another channel's voice."""
    power = np.square(whole.reshape(-1, CHUNK, whole.shape[1])).mean(axis=1)
    softer: NDArray[np.bool_] = power[:, channel] < power.max(axis=1) * 10 ** (-BLEEDS_DB / 10)
    return softer


def _blocks(path: Path, channels: int) -> Iterator[Samples]:
    """The sound from -1 to 1, a row for each sample, in blocks of whole chunks."""
    import numpy as np

    with path.open("rb") as file:
        while data := file.read(_BLOCK * CHUNK * SAMPLE_BYTES * channels):
            yield np.frombuffer(data, "<i2").reshape(-1, channels).astype(np.float32) / np.float32(
                32768
            )
