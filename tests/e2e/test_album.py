"""An album is one job: one gain, all files or none, kept through kills; and tags in place of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run
from tests.media.meter import independent_album_lufs, loudness

pytestmark = pytest.mark.slow

RATE = 48_000


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three pieces: a loud one with peaks, one 12 LU softer, and 0.3 s that have no loudness."""
    folder = tmp_path_factory.mktemp("album")
    made = []
    for number, (level, length) in enumerate([(0.1, 6), (0.025, 5), (0.1, 0.3)], 1):
        noise = f"{level}*(0.4+abs(sin(2*t)))*(2*random({number})-1)"
        peaks = f"{7 * level}*lt(mod(t,0.5),0.004)*sin(2*PI*2500*t)"
        source = f"aevalsrc='{noise}+{peaks}|{noise}-{peaks}':s={RATE}:d={length}"
        path = folder / f"{number:02}.flac"
        run("-f", "lavfi", "-i", source, "-metadata", f"title=Piece {number}", path)
        made.append(path)
    return made


def made(service: Service) -> dict[str, int]:
    """Finished steps in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/*")
    kept = [path for path in objects if path.name.startswith(("measured-", "stage-", "file-"))]
    return {path.name: path.stat().st_ino for path in kept}


def lying_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def check(folder: Path, result: dict[str, Any], lufs: float, scratch: Path) -> None:
    """What an album promises, measured in its files by meters that the job did not use."""
    paths = [folder / f"{number:02}.flac" for number in (1, 2, 3)]
    assert [output["uri"] for output in result["outputs"]] == [str(path) for path in paths]
    assert lying_in(folder) == paths
    assert independent_album_lufs(paths, scratch, RATE, 2) == pytest.approx(lufs, abs=0.1)
    assert result["album"]["after"]["integrated_lufs"] == pytest.approx(lufs, abs=0.1)
    for path in paths:
        found = await loudness(path)
        assert found.true_peak_dbtp is not None
        assert found.true_peak_dbtp <= -1


def gains(result: dict[str, Any]) -> list[float]:
    """How much louder each file became that has a loudness."""
    tracks = [output["loudness"][0] for output in result["outputs"][:2]]
    return [
        track["after"]["integrated_lufs"] - track["before"]["integrated_lufs"] for track in tracks
    ]


@pytest.mark.kill
async def test_one_gain_through_a_kill_and_the_same_bytes(
    service: Service, album: list[Path], tmp_path: Path
) -> None:
    command = ("normalize", *album, "--album", "--loudness", "-17")
    first = service.json(*command, "-o", service.out / "undisturbed")
    service.forget_work()
    folder = service.out / "killed"
    done = service.run(*command, "-o", folder, "--id", "album", "--no-wait")
    assert done.returncode == 0, done.stderr
    until(lambda: len(made(service)) >= 4, 90, "measured, and something levelled")
    before = made(service)
    service.worker().kill()
    result = service.json("watch", "album")
    assert result["state"] == "succeeded"
    assert before.items() <= made(service).items(), "a finished step was made again"
    same = [output["sha256"] for output in first["outputs"]]
    assert [output["sha256"] for output in result["outputs"]] == same

    await check(folder, result, -17, tmp_path)
    limiters = [output["loudness"][0]["limiter_dbtp"] for output in result["outputs"]]
    assert limiters[0] is not None, "the loud one needs a limiter, or this shows little"
    assert limiters[1] is None, "a limiter where none is needed"
    assert gains(result)[1] == pytest.approx(result["album"]["gain_db"], abs=0.02)
    assert result["warnings"] == []


async def test_linear_keeps_the_differences_to_a_hundredth(
    service: Service, album: list[Path], tmp_path: Path
) -> None:
    folder = service.out / "linear"
    command = ("normalize", *album, "--album", "--mode", "linear", "--loudness", "-24")
    result = service.json(*command, "-o", folder)
    await check(folder, result, -24, tmp_path)
    assert gains(result) == pytest.approx([result["album"]["gain_db"]] * 2, abs=0.01)
    short = result["outputs"][2]["loudness"][0]
    peaks = [short[when]["sample_peak_dbfs"] for when in ("before", "after")]
    assert peaks[1] - peaks[0] == pytest.approx(result["album"]["gain_db"], abs=0.05)

    loud = service.json(*command[:-1], "-10", "-o", service.out / "too-loud")
    most = max(output["loudness"][0]["after"]["true_peak_dbtp"] for output in loud["outputs"])
    assert most == pytest.approx(-1, abs=0.1)
    assert most <= -1
    assert "mode limit reaches more" in " ".join(loud["warnings"])


def test_tags_tell_the_album_and_change_no_sound(service: Service, album: list[Path]) -> None:
    folder = service.out / "tagged"
    result = service.json("normalize", *album, "--album", "--mode", "tags", "-o", folder)
    tags = [output["tagged"]["tags"] for output in result["outputs"]]
    gain = f"{-18 - result['album']['before']['integrated_lufs']:.2f} dB"
    assert [each["REPLAYGAIN_ALBUM_GAIN"] for each in tags] == [gain] * 3
    assert "REPLAYGAIN_TRACK_GAIN" not in tags[2], "0.3 s have no loudness"
    assert "03.flac" in " ".join(result["warnings"])
    for path in album:
        same = [run("-i", file, "-f", "md5", "-") for file in (path, folder / path.name)]
        assert same[0] == same[1]

    single = service.json(
        "normalize", album[0], "--mode", "tags", "-o", service.out / "single.flac"
    )
    (output,) = single["outputs"]
    assert output["tagged"]["tags"].keys() == {"REPLAYGAIN_TRACK_GAIN", "REPLAYGAIN_TRACK_PEAK"}
    assert output["tagged"]["tags"].items() <= output["media"]["tags"].items()
    assert "album" not in single


def test_a_silent_file_stays_silent_to_the_bit(
    service: Service, album: list[Path], tmp_path: Path
) -> None:
    """Its gain is that of the others; dithered, it would be noise."""
    silent, folder = tmp_path / "silent.wav", service.out / "silent"
    run("-f", "lavfi", "-i", f"anullsrc=r={RATE}:d=1", silent)
    result = service.json("normalize", album[1], silent, "--album", "-o", folder)
    same = [run("-i", file, "-f", "md5", "-") for file in (silent, folder / silent.name)]
    assert same[0] == same[1]
    assert result["outputs"][1]["loudness"][0]["after"]["sample_peak_dbfs"] is None

    tagged = service.out / "silent-tagged"
    told = service.json("normalize", album[1], silent, "--album", "--mode", "tags", "-o", tagged)
    assert told["warnings"] == ["silent.wav: it has no loudness: no gain of its own was written"]


def test_all_files_are_published_or_none(service: Service, album: list[Path]) -> None:
    folder = service.out / "taken"
    folder.mkdir()
    (folder / "02.flac").write_text("mine")
    done = service.run("normalize", *album, "--album", "-o", folder)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]


def test_what_cannot_be_an_album_is_told(service: Service, album: list[Path]) -> None:
    two = service.out / "two.mka"
    maps = ("-map", "0", "-map", "1", "-c", "copy")
    run("-i", album[0], "-i", album[1], *maps, "-f", "matroska", two)
    two.rename(two.with_suffix(".mkv"))
    out = ("-o", service.out / "bad")
    for command, code, words in (
        ((*album, *out), 2, "--album"),
        ((album[0], album[0], "--album", *out), 2, "two files are called 01.flac"),
        ((*album, "--album", "--mode", "dynamic", *out), 2, "limit or linear"),
        ((*album, "--album", "-o", album[0].parent), 2, "the source itself"),
        ((two.with_suffix(".mkv"), "--album", *out), 1, "2 sound tracks"),
        ((album[0], "--mode", "tags", "-t", "podcast", *out), 2, "leave target out"),
    ):
        done = service.run("normalize", *command)
        assert done.returncode == code, done.stderr
        assert words in done.stderr
        assert not (service.out / "bad").exists()
