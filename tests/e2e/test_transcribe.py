"""What is said is written down once, whatever dies; and what nobody says is not."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from media.ffmpeg.tools import ffmpeg
from media.speech.models import find_model
from tests.browser.every_package import play_every_package
from tests.e2e.service import Service, running, until
from tests.media.engine import run
from tests.patience import SLACK
from tests.speech import Speech, joined, say, silence, speech

pytestmark = pytest.mark.slow

FORMATS = ("vtt", "srt", "json", "txt", "md")
SAID = "We will meet again on Monday."


@dataclass(frozen=True)
class Talk:
    """A recording of several windows, and what an undisturbed run wrote down of it."""

    path: Path
    texts: dict[str, bytes]
    windows: int


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), LONGTAKE_DRAIN_GRACE="2") as service:
        yield service


@pytest.fixture(scope="module")
def talk(service: Service) -> Talk:
    path = speech(140, seed=1).write(service.out / "talk.wav")
    result = service.json("transcribe", path, "-o", service.out / "undisturbed")
    assert result["stats"]["retries"] == 0
    return Talk(path, texts(service.out / "undisturbed"), result["stats"]["chunks"])


@pytest.fixture(scope="module")
def film(service: Service) -> Path:
    """4 s of picture, with a sentence."""
    sound = say(SAID).write(service.out / "said.wav")
    target = service.out / "film.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-i", sound, "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return target


def texts(folder: Path) -> dict[str, bytes]:
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def heard(service: Service) -> dict[str, int]:
    """Windows in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/heard-*")
    return {path.name: path.stat().st_ino for path in objects}


def busy(service: Service) -> list[psutil.Process]:
    """Children of the worker that hear a window now."""
    children = service.worker().children(recursive=True)
    listeners = [child for child in children if "child.py" in " ".join(child.cmdline())]
    return [child for child in listeners if child.cpu_percent(0.5) > 0]


def all_busy(service: Service, windows: int) -> list[psutil.Process]:
    """They, once each window that is heard at a time has one."""
    found = busy(service)
    return found if len(found) == windows else []


@pytest.mark.kill
def test_a_killed_worker_and_a_killed_child_cost_a_window_a_slot_and_no_word(
    service: Service, talk: Talk
) -> None:
    assert talk.windows >= 2
    service.forget_work()
    folder = service.out / "killed"
    service.run("transcribe", talk.path, "-o", folder, "--id", "killed", "--no-wait")
    until(lambda: busy(service), 60, "a window begun")[0].kill()
    until(lambda: heard(service), 60, "a window done")
    before = heard(service)
    service.worker().kill()
    result = service.json("watch", "killed")
    assert before.items() <= heard(service).items(), "a finished window was heard again"
    assert len(heard(service)) == talk.windows
    assert result["stats"]["retries"] >= 1
    assert texts(folder) == talk.texts


def test_a_cancel_ends_running_windows_within_three_seconds(service: Service, talk: Talk) -> None:
    service.forget_work()
    folder = service.out / "canceled"
    service.run("transcribe", talk.path, "-o", folder, "--id", "no", "--no-wait")
    windows = min(talk.windows, os.cpu_count() or 1)
    listening = until(lambda: all_busy(service, windows), 60, "windows begun")
    began = time.monotonic()
    assert service.json("cancel", "no")["state"] == "canceled"
    until(lambda: not busy(service), 3, "nothing is heard any more")
    assert not all(child.is_running() for child in listening), "only one without a window stays"
    assert time.monotonic() - began < 3 * SLACK + 1
    assert not folder.exists()
    assert not list((service.home / "work" / "tmp").iterdir())


def test_results_tell_facts_and_where_the_words_lie(service: Service, film: Path) -> None:
    folder = service.out / "said"
    result = service.json("transcribe", film, "-o", folder)
    assert [output["role"] for output in result["outputs"]] == list(FORMATS)
    assert {path.name for path in folder.iterdir()} == {f"film.{name}" for name in FORMATS}
    told = result["transcript"]
    assert told["words"] == len(SAID.split())
    assert (told["model"], told["language"]) == ("tiny.en", "en")
    assert "Monday" not in json.dumps(result)
    assert "Monday" in (folder / "film.txt").read_text()
    document = json.loads((folder / "film.json").read_text())
    assert document["segments"][0]["words"][1]["text"] == "will"
    frame_ms = 1000 / 25
    first = (folder / "film.vtt").read_text().split("-->")[1].split()[0]
    assert int(first[-3:]) % frame_ms == 0, "captions end with a frame"


def test_a_second_job_of_the_same_speech_hears_nothing_again(service: Service, film: Path) -> None:
    service.json("transcribe", film, "-o", service.out / "one.srt")
    again = service.json("transcribe", film, "-o", service.out / "two.md")
    assert again["stats"]["chunks_reused"] == again["stats"]["chunks"] == 1
    assert "Monday" in (service.out / "two.md").read_text()
    masked = service.json("transcribe", film, "-o", service.out / "three.md", "--mask-profanity")
    assert masked["stats"]["chunks_reused"] == 0, "it is not the same text"


@pytest.mark.parametrize("how", ["burn", "mux"])
def test_a_film_carries_its_captions(service: Service, film: Path, how: str) -> None:
    folder = service.out / how
    result = service.json("transcribe", film, "-o", folder, f"--{how}", "--format", "vtt,txt")
    made = result["outputs"][-1]
    assert Path(made["uri"]).name == "film.captioned.mp4"
    assert made["role"] == "film"
    assert made["media"]["video"][0]["frames"] == 100
    tracks = [(other["codec"], other["language"]) for other in made["media"]["other"]]
    assert tracks == ([("mov_text", "eng")] if how == "mux" else [])
    if how == "burn":
        bottom = "crop=320:40:0:135,format=gray"
        before, after = (pixels(path, bottom) for path in (film, Path(made["uri"])))
        changed = sum(abs(a - b) > 40 for a, b in zip(before, after, strict=True))
        assert changed > 500, "words are in the picture"


def pixels(path: Path, crop: str) -> bytes:
    """A frame of the film at 1 s."""
    command = [ffmpeg(), "-v", "error", "-ss", "1", "-i", str(path), "-vf", crop]
    done = subprocess.run(
        [*command, "-frames:v", "1", "-f", "rawvideo", "-"], capture_output=True, check=True
    )
    return done.stdout


def test_a_package_is_captioned_by_what_is_said(
    service: Service, film: Path, pytestconfig: pytest.Config
) -> None:
    folder = service.out / "package"
    result = service.json(
        *("package", film, "-o", folder, "--ladder", "180:300k", "--captions", "transcribe")
    )
    assert "en" in result["decisions"]["captions"]
    (captions,) = folder.glob("captions-en-*")
    assert "Monday" in "".join(path.read_text() for path in captions.glob("*.vtt"))
    assert 'LANGUAGE="en"' in (folder / "master.m3u8").read_text()
    play_every_package(folder, pytestconfig)


def test_what_is_said_again_and_again_is_written_down_as_often(service: Service) -> None:
    parts, starts = list[Speech](), list[float]()
    for pause_s in (2, 6, 3, 5, 4, 2.5, 2, 2):
        starts.append(joined(parts).seconds)
        parts += [say(SAID), silence(pause_s)]
    path = joined(parts).write(service.out / "again.wav")
    folder = service.out / "again"
    service.json("transcribe", path, "-o", folder, "--format", "txt,json")
    assert " ".join((folder / "again.txt").read_text().split()) == " ".join([SAID] * len(starts))
    segments = json.loads((folder / "again.json").read_text())["segments"]
    firsts = [each["start_s"] for each in segments if each["text"].startswith(SAID.split()[0])]
    assert firsts == pytest.approx(starts, abs=0.3)


def test_a_dozen_jobs_take_no_more_memory_than_a_few(service: Service) -> None:
    """One child hears them all. The allocator holds back some 20 MB or not; a model loaded anew
    would be 75."""
    resident, listeners = list[int](), set[int]()
    for number in range(12):
        name = f"job-{number}"
        path = joined([silence(number / 10), say(SAID)]).write(service.out / f"{name}.wav")
        made = service.json("transcribe", path, "-o", service.out / name)
        assert made["stats"]["chunks_reused"] == 0
        worker = service.worker()
        children = [each for each in worker.children() if "child.py" in " ".join(each.cmdline())]
        child = max(children, key=lambda each: sum(each.cpu_times()))
        listeners.add(child.pid)
        resident.append(child.memory_info().rss + worker.memory_info().rss)
    assert len(listeners) == 1
    assert max(resident[6:]) - max(resident[:6]) < 40e6


def test_nobody_speaks_in_silence(service: Service) -> None:
    path = silence(3).write(service.out / "silence.wav")
    folder = service.out / "silent"
    result = service.json("transcribe", path, "-o", folder, "--language", "en")
    assert result["transcript"]["words"] == result["stats"]["chunks"] == 0
    assert any("nobody speaks" in warning for warning in result["warnings"])
    assert (folder / "silence.txt").read_text() == ""
    assert (folder / "silence.vtt").read_text().startswith("WEBVTT")


def test_what_cannot_be_heard_is_told(service: Service, film: Path, tmp_path: Path) -> None:
    mute = tmp_path / "mute.mp4"
    run("-i", film, "-an", "-c", "copy", mute)
    refused = service.json("transcribe", mute, "-o", tmp_path / "a.srt", code=1)["error"]
    assert refused["type"] == "InputUnsupported"
    assert "no sound" in refused["message"]
    refused = service.json("transcribe", film, "-o", tmp_path / "b.srt", "--language", "de", code=2)
    assert refused["error"]["type"] == "InvalidJob"
    assert "English only" in refused["error"]["message"]
    sound = say(SAID).write(tmp_path / "said.wav")
    refused = service.json("transcribe", sound, "-o", tmp_path / "c", "--burn", code=1)["error"]
    assert "no picture" in refused["message"]


def test_a_model_that_is_missing_is_waited_for_in_words(
    service: Service, film: Path, tmp_path: Path
) -> None:
    """And begins by itself, once the model lies where it was said."""
    asked = ("transcribe", film, "-o", tmp_path / "a.srt", "--model", "large-v3")
    service.run(*asked, "--id", "waits", "--no-wait")
    waits = until(
        lambda: service.json("status", "waits")["progress"]["waiting_for"], 60, "it says why"
    )
    assert "large-v3" in waits
    assert "download_model" in waits
    models = service.home / "models"
    assert waits.endswith(f"put the folder large-v3 into {models}")
    models.mkdir()
    (models / "large-v3").symlink_to(find_model("tiny.en", ()).path)
    assert service.json("watch", "waits")["transcript"]["model"] == "large-v3"
