"""The child that listens: it loads one model, then answers questions line by line.

    MODEL-FOLDER DEVICE PRECISION THREADS

A program of its own, run as a file: it knows faster-whisper and nothing of Longtake. A question is
a line of JSON on its standard input, an answer are lines of JSON on its standard output:
`{"at_s": 12.5}` as it goes on, then `{"answer": ...}` or `{"error": [kind, message]}`.
"""

import dataclasses
import json
import os
import re
import sys
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

os.environ["HF_HUB_OFFLINE"] = "1"  # read as the next line is
from faster_whisper import WhisperModel

Samples = NDArray[np.float32]
Question = dict[str, Any]

RATE_HZ = 16_000
HEARD_S = 30
"""Whisper hears half a minute at a time."""


class Listener(WhisperModel):  # type: ignore[misc]
    """Whisper without dice: what it tries again, it tries in a way that gives the same each time.

    faster-whisper draws words at random where the likeliest repeat themselves or are unlikely; the
    draws hang on all that the process has drawn before.
    """

    circled = False
    """Whether the likeliest words of this half minute ran in circles."""

    def generate_with_fallback(
        self, encoder_output: Any, prompt: list[int], tokenizer: Any, options: Any
    ) -> Any:
        """The likeliest words; where they run in circles, the likeliest that do not."""
        first = super().generate_with_fallback(encoder_output, prompt, tokenizer, options)
        self.circled = first[3] > options.compression_ratio_threshold
        if not self.circled:
            return first
        steady = dataclasses.replace(options, no_repeat_ngram_size=3)
        second = super().generate_with_fallback(encoder_output, prompt, tokenizer, steady)
        return min(first, second, key=lambda result: result[3])


class Child:
    """Answers questions with one model."""

    def __init__(self, model: Listener, answers: TextIO) -> None:
        self._model = model
        self._answers = answers

    def answer(self, question: Question) -> None:
        """Answer one question."""
        try:
            sound = read(
                question["sound"], question["channels"], question["channel"], question["pieces"]
            )
            if question["ask"] == "language":
                answer: object = languages(self._model, sound)
            else:
                answer = self._transcribe(sound, question["decoding"])
        except Exception as error:
            tell(self._answers, error=failure(error, "failed"))
        else:
            tell(self._answers, answer=answer)

    def _transcribe(self, sound: Samples, decoding: Question) -> list[Question]:
        segments, _ = self._model.transcribe(
            sound,
            **decoding,
            temperature=[0.0],
            word_timestamps=True,
            condition_on_previous_text=True,
        )
        heard = []
        for segment in segments:
            tell(self._answers, at_s=float(segment.end))
            heard.append(
                {
                    "words": [
                        [float(w.start), float(w.end), w.word, float(w.probability)]
                        for w in segment.words
                    ],
                    "avg_logprob": float(segment.avg_logprob),
                    "no_speech_prob": float(segment.no_speech_prob),
                    "compression_ratio": float(segment.compression_ratio),
                    "circled": self._model.circled,
                }
            )
        return heard


def languages(model: Listener, sound: Samples) -> dict[str, float]:
    """The probability of each language, over the first half minute of the sound."""
    _, _, found = model.detect_language(
        audio=sound[: HEARD_S * RATE_HZ], language_detection_threshold=0.0
    )
    return {code: float(probability) for code, probability in found}


def read(path: str, channels: int, channel: int, pieces: list[list[int]]) -> Samples:
    """The pieces of one channel, one behind the other, from -1 to 1."""
    parts = []
    for first, end in pieces:
        count = (end - first) * channels
        data = np.fromfile(path, "<i2", count, offset=first * channels * 2)
        parts.append(data.reshape(-1, channels)[:, channel].astype(np.float32) / 32768)
    return np.concatenate(parts)


def tell(answers: TextIO, **message: object) -> None:
    """Write a line."""
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def failure(error: Exception, kind: str) -> tuple[str, str]:
    """What kind of failure, and which."""
    words = f"{type(error).__name__}: {error}"
    lacks = isinstance(error, MemoryError) or re.search("out of memory|bad_alloc", words)
    return ("memory" if lacks else kind), words


def main() -> None:
    """Load the model that the command line names; answer until there are no more questions."""
    path, device, precision, threads = sys.argv[1:]
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        model = Listener(
            path,
            device=device,
            compute_type=precision,
            cpu_threads=int(threads),
            local_files_only=True,
        )
    except Exception as error:
        tell(answers, error=failure(error, "model"))
        return
    child = Child(model, answers)
    for line in sys.stdin:
        child.answer(json.loads(line))


if __name__ == "__main__":
    main()
