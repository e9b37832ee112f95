"""A levelled file is a job like any other: whole, kept through kills, and told with its levels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of quiet mono with peaks: some rounds of work."""
    target = tmp_path_factory.mktemp("talk") / "talk.mp3"
    words = "0.02*(0.3+abs(sin(3*t)))*(2*random(0)-1)+0.4*lt(mod(t,0.5),0.002)*sin(2*PI*3000*t)"
    source = f"aevalsrc='{words}':s=16000:d=60"
    run("-f", "lavfi", "-i", source, "-metadata", "title=Talk", "-b:a", "32k", target)
    return target


def made(service: Service) -> dict[str, int]:
    """Finished measurements and tracks in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/*")
    kept = [path for path in objects if path.name.startswith(("measured-", "level-"))]
    return {path.name: path.stat().st_ino for path in kept}


@pytest.mark.kill
def test_a_killed_worker_goes_on_and_gives_the_same_bytes(service: Service, talk: Path) -> None:
    command = ("normalize", talk, "--target", "podcast")
    first = service.json(*command, "-o", service.out / "undisturbed.mp3")
    service.forget_work()
    done = service.run(*command, "-o", service.out / "out.mp3", "--id", "talk", "--no-wait")
    assert done.returncode == 0, done.stderr
    until(lambda: len(made(service)) == 1, 90, "measured, not levelled")
    before = made(service)
    service.worker().kill()
    result = service.json("watch", "talk")
    assert result["state"] == "succeeded"
    assert before.items() <= made(service).items(), "a finished step was made again"
    (output,), (reference,) = result["outputs"], first["outputs"]
    assert output["sha256"] == reference["sha256"]
    assert output["loudness"] == reference["loudness"]

    (track,) = output["loudness"]
    assert track["after"]["integrated_lufs"] == pytest.approx(-19, abs=0.1)
    assert track["after"]["true_peak_dbtp"] <= -1
    assert track["before"]["integrated_lufs"] < -30
    assert output["media"]["tags"]["title"] == "Talk"
    assert output["media"]["audio"][0]["sample_rate"] == 16_000


def test_what_was_levelled_before_is_there(service: Service, talk: Path) -> None:
    again = service.json("normalize", talk, "-o", service.out / "again.mp3", "-t", "podcast")
    assert again["stats"]["chunks_reused"] == again["stats"]["chunks"] == 2
    (track,) = again["outputs"][0]["loudness"]
    told = service.run("normalize", talk, "-o", service.out / "again.mp3", "-t", "podcast").stdout
    levels = [track[when]["integrated_lufs"] for when in ("before", "after")]
    assert "  loudness: from {:.1f} to {:.1f} LUFS, true peak from ".format(*levels) in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "spotify"), "podcast"),
        (("--loudness", "3"), "loudness_lufs"),
        (("--true-peak", "2"), "true_peak_dbtp"),
        (("--mode", "loud"), "linear"),
        (("--codec", "opus"), "MP3 cannot hold opus"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_asked_is_told(
    service: Service, talk: Path, options: tuple[str, ...], words: str
) -> None:
    done = service.run("normalize", talk, "-o", service.out / "bad.mp3", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (service.out / "bad.mp3").exists()
