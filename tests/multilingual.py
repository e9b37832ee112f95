"""A speech model of many languages, made of tiny.en: small, and known by heart.

CTranslate2 and faster-whisper take it for a multilingual Whisper: its vocabulary has one word more,
behind which all that is no text moves by one, as in OpenAI's multilingual models. It writes down
what tiny.en does, whatever the language, and takes for a language what a talk begins with.
"""

from __future__ import annotations

import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.speech.models import find_model

LANGUAGES = {"de": "We", "fr": "My", "es": "Once"}
"""The languages that it hears, each by the word that a talk begins with. It knows the names of all
the others, and never hears one."""

_TINY = find_model("tiny.en", ()).path
_MOVES = 50_256
"""The first word that moves: in tiny.en the end of a text."""
_NO_TEXT, _NO_LANGUAGE = -60.0, -90.0
"""So unlikely is a language as text, and one that is not heard."""

Array = NDArray[Any]


def make(folder: Path) -> Path:
    """The model, in that folder."""
    folder.mkdir(parents=True)
    tokenizer = _tokenizer()
    words = (_TINY / "vocabulary.txt").read_text("utf-8").split("\n")[:-1]
    config = json.loads((_TINY / "config.json").read_text())
    for name in ("suppress_ids", "suppress_ids_begin"):
        config[name] = [_moved(word) for word in config[name]]
    # By the word without a letter CTranslate2 knows that a model is multilingual.
    vocabulary = [*words[:_MOVES], "", *words[_MOVES:]]
    for name, content in {
        "tokenizer.json": tokenizer,
        "vocabulary.json": vocabulary,
        "config.json": config,
    }.items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    (folder / "model.bin").write_bytes(_weights(vocabulary))
    return folder


def _moved(word: int) -> int:
    return word + (word >= _MOVES)


def _tokenizer() -> Any:
    tokenizer = json.loads((_TINY / "tokenizer.json").read_text("utf-8"))
    for word in tokenizer["added_tokens"]:
        word["id"] = _moved(word["id"])
    for word in tokenizer["post_processor"]["special_tokens"].values():
        word["ids"] = [_moved(each) for each in word["ids"]]
    known = tokenizer["model"]["vocab"].items()
    tokenizer["model"]["vocab"] = {text: _moved(word) for text, word in known} | {"": _MOVES}
    return tokenizer


def _weights(vocabulary: list[str]) -> bytes:
    """The decoder reads a language as the beginning of a text, which tiny.en knows, and hears it
    as likely as the word that stands for it."""
    head, arrays = _read((_TINY / "model.bin").read_bytes())
    place = {word: number for number, word in enumerate(vocabulary)}
    languages = np.arange(place["<|en|>"], place["<|translate|>"])
    read = np.insert(arrays["decoder/embeddings/weight"], _MOVES, 0, axis=0)
    heard, bias = read.copy(), np.zeros(len(read), read.dtype)
    read[[*languages, place["<|transcribe|>"]]] = read[place["<|startoftranscript|>"]]
    heard[languages] = 0
    bias[[_MOVES, *languages]] = _NO_LANGUAGE
    for language, word in LANGUAGES.items():
        heard[place[f"<|{language}|>"]] = heard[place[f"Ġ{word}"]]
        bias[place[f"<|{language}|>"]] = _NO_TEXT
    arrays["decoder/embeddings/weight"] = read
    arrays["decoder/projection/weight"] = heard
    arrays["decoder/projection/bias"] = bias
    return _written(head, arrays)


_TYPES = tuple(np.dtype(f"<{name}") for name in ("f4", "i1", "i2", "i4", "f2"))
"""As CTranslate2 numbers them."""


def _read(data: bytes) -> tuple[bytes, dict[str, Array]]:
    """What a file of weights of CTranslate2 begins with, and its arrays."""
    file = BytesIO(data)

    def numbers(form: str) -> tuple[int, ...]:
        return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))

    def text() -> str:
        return file.read(numbers("H")[0])[:-1].decode()

    numbers("I")
    text()
    numbers("I")
    head = data[: file.tell()]
    arrays = {}
    for _ in range(numbers("I")[0]):
        name = text()
        shape = numbers(f"{numbers('B')[0]}I")
        kind, size = numbers("BI")
        arrays[name] = np.frombuffer(file.read(size), _TYPES[kind]).reshape(shape)
    return head, arrays  # behind them stand second names, such as words that are heard as read


def _written(head: bytes, arrays: dict[str, Array]) -> bytes:
    parts = [head, struct.pack("<I", len(arrays))]
    for name, array in arrays.items():
        word = name.encode() + b"\0"
        parts += [
            struct.pack("<H", len(word)) + word,
            struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape),
            struct.pack("<BI", _TYPES.index(array.dtype), array.nbytes),
            array.tobytes(),
        ]
    return b"".join([*parts, struct.pack("<I", 0)])
