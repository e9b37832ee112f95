"""Pipelines from the command line: the presets by their outputs, kills, and a change."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from mutagen.id3 import ID3
from PIL import Image

from media.tools import ffmpeg
from tests.e2e.service import Service, until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.speech import say

pytestmark = pytest.mark.slow

SITE = """\
title: A film for a site
inputs:
  video: {{type: video}}
steps:
  level: {{kind: normalize, input: {{from: inputs.video}}, output: levelled.mkv, target: streaming}}
  film:
    kind: transcode
    input: {{from: level.video}}
    output: film.mp4
    video: {{codec: h264, crf: {crf}, speed: medium}}
  small:
    kind: transcode
    input: {{from: inputs.video}}
    output: small.mp4
    video: {{codec: h264, crf: 35, height: 120, speed: medium}}
  list:
    kind: checksums
    files: [{{from: film.video}}, {{from: small.video}}]
    output: SHA256SUMS
outputs:
  film: {{from: film.video}}
  small: {{from: small.video}}
  list: {{from: list.list}}
"""


@pytest.fixture(scope="module")
def talk(service: Service) -> Path:
    """4 s of picture, with a sentence."""
    said = say("We will meet again on Monday.").write(service.out / "said.wav")
    target = service.out / "talk.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-i", said, "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return target


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, by its path: equal ones are equal trees."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def outputs(result: Any) -> dict[str, Path]:
    return {output["role"]: Path(output["uri"]) for output in result["outputs"]}


def facts(service: Service, path: Path) -> Any:
    return service.json("probe", path)


def site(service: Service, crf: int) -> Path:
    path = service.out / f"site-{crf}.yaml"
    path.write_text(SITE.format(crf=crf))
    return path


def states(result: Any) -> dict[str, tuple[str, bool]]:
    return {step["name"]: (step["state"], step["reused"]) for step in result["steps"]}


def test_video_upload_makes_all_that_a_page_shows(service: Service, talk: Path) -> None:
    folder = service.out / "upload"
    command = ("run", "video-upload", "--input", f"video={talk}", "-o", folder)
    made = outputs(service.json(*command, "--text", "language=en"))
    assert set(made) == {"facts", "hls", "dash", "captions", "poster", "storyboard", "mp3"}
    assert json.loads(made["facts"].read_text())["video"][0]["height"] == 180
    service.json("check", folder / "stream")
    assert "Monday" in made["captions"].read_text()
    assert "SUBTITLES" in made["hls"].read_text()
    assert facts(service, made["mp3"])["audio"][0]["codec"] == "mp3"
    with Image.open(made["poster"]) as poster:
        assert poster.size == (320, 180)
    assert made["storyboard"].read_text().startswith("WEBVTT")


def test_podcast_episode_is_joined_tagged_and_written_down(service: Service) -> None:
    parts = [
        say(words).write(service.out / f"{number}.wav")
        for number, words in enumerate(("We will meet again on Monday.", "The weather is fine."))
    ]
    given = [word for part in parts for word in ("--input", f"parts={part}")]
    titles = [word for name in ("One", "Two") for word in ("--text", f"chapters={name}")]
    texts = ("--text", "title=Monday", "--text", "show=Days", "--text", "language=en")
    folder = service.out / "episode"
    made = outputs(service.json("run", "podcast-episode", *given, *titles, *texts, "-o", folder))
    tags = ID3(made["episode"])
    assert (str(tags["TIT2"]), str(tags["TALB"])) == ("Monday", "Days")
    chapters = json.loads(made["chapters"].read_text())["chapters"]
    assert [chapter["title"] for chapter in chapters] == ["One", "Two"]
    assert "meet again" in made["text"].read_text()
    metadata = json.loads(made["metadata"].read_text())
    assert metadata["bytes"] == made["episode"].stat().st_size
    assert made["waveform"].read_bytes().startswith(b"\x89PNG")
    assert json.loads(made["peaks"].read_text())["length"] > 0


def test_lecture_has_captions_that_are_shown(service: Service, talk: Path) -> None:
    folder = service.out / "lecture"
    command = ("run", "lecture", "--input", f"recording={talk}", "-o", folder)
    made = outputs(service.json(*command, "--text", "language=en"))
    assert set(made) == {"film", "hls", "dash", "captions", "transcript", "text"}
    assert facts(service, made["film"])["video"][0]["codec"] == "h264"
    assert "Monday" in made["text"].read_text()
    (line,) = [each for each in made["hls"].read_text().splitlines() if "TYPE=SUBTITLES" in each]
    assert "DEFAULT=YES" in line
    assert 'LANGUAGE="en"' in line


def test_archive_proves_what_it_keeps(service: Service, talk: Path) -> None:
    folder = service.out / "archive"
    film = service.out / "master.mkv"
    sound = service.out / "said.wav"
    run("-i", talk, "-i", sound, "-map", "0:v", "-map", "1:a", "-c", "copy", film)
    made = outputs(service.json("run", "archive", "--input", f"film={film}", "-o", folder))
    assert facts(service, made["film"])["video"][0]["codec"] == "av1"
    assert samples(made["sound"]) == samples(film)
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 3
    report = json.loads(made["report"].read_text())
    assert {step["name"]: step["state"] for step in report["steps"]} == dict.fromkeys(
        ("picture", "sound", "facts", "checksums"), "done"
    )


def samples(path: Path) -> str:
    """The hash of a file's decoded sound, 16 bit."""
    command = [ffmpeg(), "-v", "error", "-i", path, "-map", "0:a", "-c:a", "pcm_s16le"]
    done = subprocess.run(
        [*map(str, command), "-f", "hash", "-"], capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.kill
def test_killed_in_the_middle_it_ends_with_the_same_files(service: Service, source: Path) -> None:
    document, given = site(service, 30), ("--input", f"video={source}")
    undisturbed, killed = service.out / "undisturbed", service.out / "killed"
    service.json("run", document, *given, "-o", undisturbed)
    service.forget_work()
    done = service.run("run", document, *given, "-o", killed, "--id", "killed", "--no-wait")
    assert done.returncode == 0, done.stderr
    until(lambda: len(service.chunks()) >= 2 and service.encoders(), 60, "two chunks")
    service.worker().kill()
    until(service.encoders, 60, "an encoder of the next worker")
    for process in service.processes():
        with contextlib.suppress(psutil.Error):  # it died with its parent
            process.kill()
    until(lambda: not service.processes(), 10, "all dead")
    service.json("run", document, *given, "-o", killed, "--id", "killed")
    expected = files(undisturbed)
    assert files(killed) == expected
    assert set(expected) == {"film.mp4", "small.mp4", "SHA256SUMS"}
    children = service.json("list", "--of", "killed")
    assert {job["job_id"] for job in children} == {
        f"killed.{n}" for n in ("level", "film", "small")
    }


def test_a_changed_pipeline_does_only_what_changed(service: Service, talk: Path) -> None:
    given = ("--input", f"video={talk}", "-o", service.out / "changed", "--explain")
    service.json("run", site(service, 30), *given)
    again = service.json("run", site(service, 38), *given, "--overwrite")
    assert states(again) == {
        "level": ("done", True),
        "small": ("done", True),
        "film": ("done", False),
        "list": ("done", False),
    }
    (film,) = [step for step in again["steps"] if step["name"] == "film"]
    assert film["why"] == "its settings changed: video.crf (there 30, here 38)"
    last = service.run("run", site(service, 38), *given, "--overwrite")
    assert "done before: job" in last.stderr
    assert last.stderr.count("done before: nothing changed") == 4


def test_a_plan_starts_nothing(service: Service, talk: Path) -> None:
    before = service.json("list")
    folder = service.out / "planned"
    command = ("run", "video-upload", "--input", f"video={talk}", "-o", folder, "--plan")
    done = service.run(*command)
    assert "└─ stream  package" in done.stdout
    assert "flowchart LR" in done.stdout
    assert service.json(*command)["cpu_s"]["stream"] > 0
    assert not folder.exists()
    assert service.json("list") == before


def test_a_person_lets_it_through(service: Service, talk: Path) -> None:
    text = SITE.format(crf=30).replace("kind: checksums", "kind: checksums\n    gate: approval")
    path = service.out / "gated.yaml"
    path.write_text(text)
    folder = service.out / "gated"
    command = ("run", path, "--input", f"video={talk}", "-o", folder, "--id", "gated")
    service.run(*command, "--no-wait")
    until(
        lambda: (
            "approval of list" in str(service.json("status", "gated")["progress"]["waiting_for"])
        ),
        60,
        "the gate",
    )
    assert not (folder / "SHA256SUMS").exists()
    assert service.run("approve", "gated", "film").returncode == 2
    service.json("approve", "gated", "list")
    assert service.run("watch", "gated", timeout=WAIT_S).returncode == 0
    assert (folder / "SHA256SUMS").exists()
