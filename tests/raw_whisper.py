"""faster-whisper as it is used without Longtake: a file as a whole, with its own settings.

    MODEL-FOLDER FILE THREADS

A program of its own, so that its cost can be measured: it loads the model, and prints the words
with their beginnings as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.words import Heard

BEAM = 5


def command(model: Path, file: Path, threads: int) -> list[str]:
    """What to run."""
    return [sys.executable, "-m", "tests.raw_whisper", str(model), str(file), str(threads)]


def hear(model: Path, file: Path, threads: int = 2) -> list[Heard]:
    """Run it."""
    root = Path(__file__).parents[1]
    asked = command(model, file, threads)
    told = subprocess.run(asked, cwd=root, stdout=subprocess.PIPE, check=True, timeout=600)
    return read(told.stdout)


def read(told: bytes) -> list[Heard]:
    """What it printed."""
    return [Heard(text, start_s) for text, start_s in json.loads(told)]


def main() -> None:
    from faster_whisper import WhisperModel

    path, file, threads = sys.argv[1:]
    model = WhisperModel(
        path, device="cpu", compute_type="int8", cpu_threads=int(threads), local_files_only=True
    )
    segments, _ = model.transcribe(file, language="en", beam_size=BEAM, word_timestamps=True)
    words = [[word.word, float(word.start)] for segment in segments for word in segment.words]
    json.dump(words, sys.stdout)


if __name__ == "__main__":
    main()
