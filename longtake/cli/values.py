"""Values as people type them: bit rates, deadlines, labels, presets."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from longtake.contracts.base import Contract
from longtake.contracts.pipeline import PipelineDocument
from longtake.errors import InvalidJob
from longtake.kinds import to_json
from longtake.paths import absolute
from longtake.pipelines.document import find_pipeline, names_file, read_pipeline
from longtake.presets import read_model

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmM]?)(?:bit/s|bps)?")
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}
_SPAN = re.compile(r"(\d+)\s*([smhd])")
_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def bit_rate(text: str | None) -> int | None:
    """Bit/s from `4M`, `128k` or `128000`. Raises InvalidJob."""
    if text is None:
        return None
    found = _RATE.fullmatch(text.strip().replace("_", ""))
    if not found:
        raise InvalidJob(f"{text!r} is no bit rate; write 4M, 128k or 128000")
    return round(float(found[1]) * _TIMES[found[2].lower()])


def captions(text: str | None) -> dict[str, object] | None:
    """Captions from a number (a stream of the source), or else a file."""
    if text is None:
        return None
    return {"stream": int(text)} if text.isdigit() else {"file": text}


def chapters(by: str | None, breaks: dict[str, object]) -> dict[str, object] | None:
    """What chapters are found by. Raises InvalidJob for breaks without it."""
    if by is None and breaks:
        raise InvalidJob("what counts as a break goes with --chapters detect, black or silence")
    return None if by is None else {"by": "auto" if by == "detect" else by, **breaks}


def deadline(text: str | None, now: datetime) -> str | None:
    """A moment from `2h`, `30m`, or an ISO date and time, local where no zone is given."""
    if text is None:
        return None
    try:
        if _SPAN.fullmatch(text.strip()):
            return (now + timedelta(seconds=span(text) or 0)).isoformat()
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InvalidJob(f"{text!r} is no deadline; write 2h, 30m or 2030-01-31T18:00") from error
    return moment.astimezone().isoformat()


def span(text: str | None) -> int | None:
    """Seconds from `2d`, `1h`, `30m` or `10s`. Raises InvalidJob."""
    if text is None:
        return None
    if not (found := _SPAN.fullmatch(text.strip())):
        raise InvalidJob(f"{text!r} is no length of time; write 2d, 1h, 30m or 10s")
    return int(found[1]) * _SECONDS[found[2]]


def spelled(seconds: int) -> str:
    """A length of time as `span` reads it, in the largest unit that it is a multiple of."""
    units = [unit for unit, each in _SECONDS.items() if seconds % each == 0]
    return f"{seconds // _SECONDS[units[-1]]}{units[-1]}"


def since(text: str | None, now: datetime) -> datetime | None:
    """A moment in the past from `2d`, `90m`, or an ISO date and time, local without a zone."""
    if text is None:
        return None
    try:
        if _SPAN.fullmatch(text.strip()):
            return now - timedelta(seconds=span(text) or 0)
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidJob(f"{text!r} is no time; write 2d, 90m or 2030-01-31T18:00") from error


def seconds(text: str | None) -> str | None:
    """Seconds from `1s`, `500ms`, `1.5` or `0:01.5`; what else it may be, the contract says."""
    if text is None:
        return None
    if found := _UNIT.fullmatch(text.strip()):
        return str(Fraction(found[1]) / (1000 if found[2] == "ms" else 1))
    return text


def labels(pairs: Sequence[str]) -> dict[str, str]:
    """Labels from `key=value`. Raises InvalidJob."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidJob(f"{pair!r} is no label; write key=value")
        found[key] = value
    return found


def notify(words: Sequence[str]) -> list[dict[str, str]]:
    """Webhooks from `https://host/path`, or with the name of a secret `main=https://host/path`."""
    found = []
    for word in words:
        secret, equals, url = word.partition("=")
        named = equals and "://" not in secret
        found.append({"url": url, "secret": secret} if named else {"url": word})
    return found


def tracks(words: Sequence[str]) -> str | list[str | int] | None:
    """Sound tracks from numbers and languages; `all` on its own means all."""
    if list(words) == ["all"]:
        return "all"
    return [int(word) if word.isdigit() else word for word in words] or None


def words(text: str | None) -> list[str] | None:
    """The entries of `a,b,c`."""
    if text is None:
        return None
    return [word.strip() for word in text.split(",") if word.strip()]


def model(text: str | None) -> str | None:
    """A speech model's name as it is, or an absolute path."""
    return text if text is None or "/" not in text else absolute(str(Path(text).expanduser()))


def _is_file(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text


def preset(text: str | None, model: type[Contract]) -> str | dict[str, object] | None:
    """A preset's name as it is, or the content of a YAML file. Raises InvalidJob."""
    if text is None or not _is_file(text):
        return text
    return to_json(read_model(Path(text), model))


def ladder(text: str | None) -> str | list[dict[str, object]] | None:
    """fixed, auto, or rungs such as `1080:6M,720:3M`. Raises InvalidJob."""
    if text is None or text in ("fixed", "auto"):
        return text
    rungs: list[dict[str, object]] = []
    for rung in text.split(","):
        height, colon, rate = rung.strip().removesuffix("p").partition(":")
        if not (height.isdigit() and colon):
            raise InvalidJob(f"{rung!r} is no rung; write HEIGHT:RATE, such as 720:3M")
        rungs.append({"height": int(height), "max_bitrate_bps": bit_rate(rate)})
    return rungs


def package_captions(texts: Sequence[str]) -> str | list[dict[str, object]] | None:
    """`transcribe` alone, or files with their languages. Raises InvalidJob."""
    if "transcribe" in texts:
        if len(texts) > 1:
            raise InvalidJob("--captions transcribe stands alone: leave the others out, or it")
        return "transcribe"
    return [caption_file(text) for text in texts] or None


def setting(text: str) -> dict[str, object]:
    """A field of a job from `video.crf=20`: numbers, lists and objects as JSON, else text.

    Raises InvalidJob.
    """
    path, equals, value = text.partition("=")
    if not equals or not all(path.split(".")):
        raise InvalidJob(f"{text!r} is no setting; write FIELD=VALUE, such as video.crf=20")
    try:
        found = json.loads(value)
    except ValueError:
        found = value
    for name in reversed(path.split(".")):
        found = {name: found}
    told: dict[str, object] = found
    return told


def caption_file(text: str) -> dict[str, object]:
    """Captions from `en=captions.vtt`. Raises InvalidJob."""
    language, equals, source = text.partition("=")
    if not (language and equals and source):
        raise InvalidJob(f"{text!r}: write the language before the file, as in en=captions.vtt")
    return {"language": language, "source": source}


def pipeline(text: str, folder: Path = Path()) -> tuple[PipelineDocument, object]:
    """A document, and what stands for it in a job: a preset's name, or all of it.

    `folder`: from where a file's name counts. Raises InvalidJob.
    """
    if names_file(text):
        document = read_pipeline(folder / text)
        return document, document.model_dump(mode="json", exclude_none=True)
    return find_pipeline(text), text


def named(option: str, pairs: Sequence[str]) -> dict[str, str | list[str]]:
    """`NAME=VALUE`; a name that is there several times means several values. Raises InvalidJob."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name or not value:
            raise InvalidJob(f"{option} {pair}: write {option} NAME=VALUE")
        found.setdefault(name, []).append(value)
    return {name: each[0] if len(each) == 1 else each for name, each in found.items()}
