"""A package is a job like any other: kept through kills, whole or not there, and never mixed up."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser.every_package import play_every_package
from tests.e2e.service import Service, until
from tests.media.engine import run
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow

SPEED = "superfast"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of 480p with noise, two sounds in two languages, and a text track."""
    folder = tmp_path_factory.mktemp("package-film")
    words = folder / "words.srt"
    words.write_text("1\n00:00:01,000 --> 00:00:03,000\nGood <evening>\n")
    target = folder / "film.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=854x480:r=30000/1001:d=12", "-f", "lavfi"),
        *("-i", "sine=440:r=44100:d=12", "-f", "lavfi", "-i", "anoisesrc=a=0.1:r=48000:d=12"),
        *("-i", words, "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s"),
        *("-filter:v", "noise=alls=12:allf=t", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-g", "60", "-pix_fmt", "yuv420p", "-ac:a:1", "6", "-c:a", "aac", "-c:s", "srt"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"),
        *("-metadata:s:s:0", "language=eng", target),
    )
    return target


@pytest.fixture(scope="module")
def preset(film: Path) -> Path:
    """Quick, with a poster and a storyboard."""
    path = film.with_name("quick.yaml")
    path.write_text(
        f"title: quick\naudience: tests\ncodecs: [h264]\nspeed: {{h264: {SPEED}}}\n"
        "crf: {h264: 30}\nparts: [poster, storyboard]\n"
    )
    return path


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a package, hidden ones as well."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rungs(service: Service) -> set[str]:
    """Finished chunks of renditions."""
    return {path.name for path in (service.home / "work" / "objects").glob("*/rung*-*")}


@pytest.fixture(scope="module")
def undisturbed(service: Service, film: Path, preset: Path) -> tuple[Path, Any]:
    out = service.out / "undisturbed"
    return out, service.json("package", film, "-o", out, "-p", preset)


def test_a_package_has_all_that_was_asked_for(undisturbed: tuple[Path, Any]) -> None:
    out, result = undisturbed
    assert [output["role"] for output in result["outputs"]] == ["hls", "dash", "listing"]
    names = tree(out).keys()
    kinds = {name.partition("/")[0].rpartition("-")[0] for name in names if "/" in name}
    assert kinds >= {"h264-480p", "h264-360p", "audio-en", "audio-de", "audio-de-51", "captions-en"}
    assert {"poster.jpg", "storyboard.vtt", "master.m3u8", "manifest.mpd"} <= names
    assert len(json.dumps(result)) < 20_000
    listing = json.loads((out / "package.json").read_text())
    told = {file["path"]: file["sha256"] for file in listing["files"]}
    assert told == {
        name: sha256
        for name, sha256 in tree(out).items()
        if name not in ("package.json", "master.m3u8", "manifest.mpd") or name in told
    }
    assert "854x480" in result["decisions"]["ladder"]


@pytest.mark.kill
def test_a_package_goes_on_after_kills_and_gives_the_same_tree(
    service: Service, film: Path, preset: Path, undisturbed: tuple[Path, Any]
) -> None:
    service.forget_work()
    out = service.out / "killed"
    asked = ("package", film, "-o", out, "-p", preset, "--id", "killed", "--no-wait")
    assert service.run(*asked).returncode == 0
    until(service.encoders, 90, "something is encoded")
    service.encoders()[0].kill()
    until(lambda: rungs(service), 90, "a chunk is made")
    before = rungs(service)
    service.worker().kill()
    result = service.json("watch", "killed")
    assert result["state"] == "succeeded"
    assert before <= rungs(service)
    assert result["stats"]["retries"] >= 1
    assert tree(out) == tree(undisturbed[0])


@pytest.mark.kill
def test_a_worker_that_dies_while_it_packages_leaves_nothing_in_the_way(
    service: Service, film: Path, preset: Path, undisturbed: tuple[Path, Any]
) -> None:
    out, drafts = service.out / "packaged", service.home / "work" / "tmp"
    objects = service.home / "work" / "objects"
    # As if a worker had died when all renditions of a chunk were kept, and it was not noted yet.
    for path in (*objects.glob("*/package-*"), *objects.glob("*/rungs-*")):
        path.unlink()
    asked = ("package", film, "-o", out, "-p", preset, "--id", "packaged", "--no-wait")
    assert service.run(*asked).returncode == 0
    until(lambda: [each for each in drafts.glob("*.package-*") if each.is_dir()], 90, "it packages")
    service.worker().kill()
    assert service.run("watch", "packaged", timeout=WAIT_S).returncode == 0
    assert tree(out) == tree(undisturbed[0])
    assert not [each for each in drafts.glob("*.package-*") if each.is_dir()]


def test_a_codec_more_encodes_only_what_is_new(
    service: Service, film: Path, preset: Path, undisturbed: tuple[Path, Any]
) -> None:
    before = rungs(service)
    out = service.out / "more"
    both = ("--codec", "h264", "--codec", "hevc")
    service.json("package", film, "-o", out, "-p", preset, *both)
    assert {name.partition("/")[0] for name in tree(undisturbed[0]) if name.startswith("h264")} <= {
        name.partition("/")[0] for name in tree(out)
    }, "what was there has the same bytes, and so the same name"
    assert before <= rungs(service)


def test_captions_without_a_word_are_left_out_with_a_warning(
    service: Service, film: Path, preset: Path, undisturbed: tuple[Path, Any]
) -> None:
    silent, late = film.with_name("silent.vtt"), film.with_name("late.vtt")
    silent.write_text("WEBVTT\n")
    late.write_text("WEBVTT\n\n01:00:00.000 --> 01:00:02.000\nof another film\n")
    out = service.out / "silent"
    asked = ("--captions", f"de={silent}", "--captions", f"fr={late}")
    result = service.json("package", film, "-o", out, "-p", preset, *asked)
    assert any("silent.vtt is left out" in warning for warning in result["warnings"])
    assert any("late.vtt is left out: its captions" in warning for warning in result["warnings"])
    assert tree(out) == tree(undisturbed[0])


def test_a_cancelled_package_leaves_nothing(service: Service, film: Path, preset: Path) -> None:
    service.forget_work()
    out = service.out / "cancelled"
    asked = ("package", film, "-o", out, "-p", preset, "--id", "cancelled", "--no-wait")
    assert service.run(*asked).returncode == 0
    until(service.encoders, 90, "something is encoded")
    assert service.run("cancel", "cancelled").returncode == 0
    until(lambda: service.json("status", "cancelled")["state"] == "canceled", 60, "it is cancelled")
    assert not out.exists() or not any(out.iterdir())


def test_two_packages_in_one_place_conflict(
    service: Service, film: Path, preset: Path, undisturbed: tuple[Path, Any]
) -> None:
    out, _ = undisturbed
    before = tree(out)
    done = service.run("package", film, "-o", out, "-p", preset, "--segment", "2", "--id", "second")
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert tree(out) == before


def test_a_replaced_package_loses_its_old_files(
    service: Service, film: Path, preset: Path, undisturbed: tuple[Path, Any]
) -> None:
    out = service.out / "replaced"
    shutil.copytree(undisturbed[0], out)
    (out / "mine.txt").write_text("not of the package")
    options = ("--ladder", "240:300k", "--overwrite", "--id", "replace")
    service.json("package", film, "-o", out, "-p", preset, *options)
    names = tree(out).keys()
    assert any(name.startswith("h264-240p") for name in names)
    assert not any(name.startswith("h264-480p") for name in names)
    assert "mine.txt" in names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ladder", "high"), "720:3M"),
        (("--segment", "3"), "whole number of GOPs"),
        (("-p", "hls-tv"), "hls-web"),
        (("--encrypt", "cbcs"), "--key-file"),
        (("--captions", "words.srt"), "en=captions.vtt"),
        (("--captions", "en=gone.srt"), "gone.srt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_asked_is_told(
    service: Service, film: Path, arguments: tuple[str, ...], words: str
) -> None:
    out = service.out / "refused"
    done = service.run("package", film, "-o", out, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not out.exists()


def made(folder: Path, name: str, *words: str) -> Path:
    run(*words, folder / name)
    return folder / name


PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2")
TONE = ("-f", "lavfi", "-i", "sine=440:r=48000:d=2")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize(
    ("words", "renditions"),
    [
        ((*PICTURE, *H264), {"h264-90p": 50}),
        ((*PICTURE, *TONE, *H264, "-frames:v", "1", "-shortest"), {"h264-90p": 1}),
        ((*PICTURE, *TONE, *H264), {"h264-90p": 50}),
        (
            (*PICTURE, *H264, "-vf", r"select=not(mod(n\,3))+gt(n\,24)", "-fps_mode", "vfr"),
            {"h264-90p": 30},
        ),
        (
            (
                *("-f", "lavfi", "-i", "testsrc2=s=641x361:r=25:d=2"),
                *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"),
            ),
            {"h264-360p": 50, "h264-240p": 50},
        ),
        (
            (
                *("-f", "lavfi", "-i", "color=red:s=1x1:r=25:d=2"),
                *("-c:v", "ffv1", "-pix_fmt", "bgr0"),
            ),
            {"h264-2p": 50},
        ),
    ],
    ids=["no sound", "one frame", "two seconds", "faster at the end", "odd size", "one pixel"],
)
def test_odd_sources_become_packages(
    service: Service, tmp_path: Path, words: tuple[str, ...], renditions: dict[str, int]
) -> None:
    source = made(tmp_path, "odd.mkv", *words)
    out = service.out / tmp_path.name  # where those are that are played in the end
    done = service.json("package", source, "-o", out, "-p", "convert-to-hls")
    told = any("hls.js" in each for each in done["warnings"])
    assert told == (renditions == {"h264-90p": 1}), "that it does not play what is so short"
    listing = json.loads((out / "package.json").read_text())
    found = {each["name"] for each in listing["renditions"] if each["kind"] == "video"}
    assert found == renditions.keys()
    findings = service.json("check", out)["findings"]
    assert not [each for each in findings if each["severity"] == "error"]


def test_sound_alone_and_no_sound(service: Service, tmp_path: Path) -> None:
    tone = made(tmp_path, "tone.wav", *TONE)
    done = service.run("package", tone, "-o", tmp_path / "a")
    assert done.returncode == 1
    assert "audio-only-hls" in done.stderr
    assert not (tmp_path / "a").exists()
    service.json("package", tone, "-o", service.out / "tone", "-p", "audio-only-hls")
    assert (service.out / "tone" / "master.m3u8").exists()


def test_a_broken_caption_file_is_refused(service: Service, film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.vtt"
    broken.write_bytes(b"WEBVTT\n\nnot a time\n\x00\xff")
    out = tmp_path / "out"
    done = service.run("package", film, "-o", out, "--captions", f"en={broken}")
    assert done.returncode in (1, 2)
    assert "broken.vtt" in done.stderr
    assert not out.exists()


def test_a_key_of_the_wrong_length_is_refused(service: Service, film: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("00112233")
    out = tmp_path / "out"
    options = ("--encrypt", "cbcs", "--key-file", key, "--key-uri", "https://keys.example/1")
    done = service.run("package", film, "-o", out, *options)
    assert done.returncode in (1, 2)
    assert "16 bytes" in done.stderr
    assert "00112233" not in done.stderr
    assert not out.exists()


def test_every_package_plays(service: Service, pytestconfig: pytest.Config) -> None:
    """Of those that the tests before made."""
    play_every_package(service.out, pytestconfig)
