"""A good package has no errors; one that is broken on purpose is told so, rule by rule."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from media.check.checking import check, judged
from media.check.reading import read_package
from media.check.rules import RULES
from tests.media.mutations import ENCRYPTED, PLAIN, Mutation
from tests.media.mutations_of_choice import CHOICE
from tests.media.packages import RUNGS, package, picture, sound

DECODED = {"iframe-decode", "hls-video-range", "hls-interlaced", "hls-hdr10"}
"""Rules that need pictures to be decoded, which children do."""


@pytest.fixture(scope="session")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    for name, size in RUNGS.items():
        picture(folder / f"{name}.mp4", size)
    sound(folder / "a.mp4")
    return folder


@pytest.fixture(scope="session")
def plain(tracks: Path) -> Path:
    return package(tracks)


@pytest.fixture(scope="session")
def encrypted(tracks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encrypted")
    for track in tracks.glob("*.mp4"):
        shutil.copy(track, folder)
    return package(folder, encrypted=True)


async def broken(good: Path, mutation: Mutation, folder: Path) -> set[str]:
    """The rules that a mutated copy of a package breaks."""
    out = folder / "out"
    shutil.copytree(good, out)
    mutation.change(out)
    if mutation.rule in DECODED:
        return {finding.rule for finding in (await check(out)).findings}
    read = read_package(str(out))
    return {finding.rule for finding in (*read.findings, *judged(read))}


async def test_a_good_package_breaks_no_rule(plain: Path) -> None:
    found = await check(plain)
    assert found.findings == ()
    told = {each.name: each for each in found.renditions}
    assert len(told) == 5
    rung = told["v180/playlist.m3u8"]
    assert (rung.kind, rung.width, rung.height, rung.segments) == ("video", 320, 180, 3)
    assert rung.frame_rate is not None
    assert round(float(rung.frame_rate), 3) == 29.97
    assert rung.duration_s == pytest.approx(9.009)
    assert told["a/playlist.m3u8"].channels == 2


async def test_a_good_encrypted_package_breaks_no_rule(encrypted: Path) -> None:
    found = await check(encrypted)
    assert found.findings == ()
    assert {each.encryption for each in found.renditions if each.kind != "text"} == {"cbcs"}


@pytest.mark.parametrize("mutation", [*PLAIN, *CHOICE], ids=str)
async def test_a_broken_package_breaks_the_rule(
    mutation: Mutation, plain: Path, tmp_path: Path
) -> None:
    assert mutation.rule in await broken(plain, mutation, tmp_path)


@pytest.mark.parametrize("mutation", ENCRYPTED, ids=str)
async def test_a_broken_encrypted_package_breaks_the_rule(
    mutation: Mutation, encrypted: Path, tmp_path: Path
) -> None:
    assert mutation.rule in await broken(encrypted, mutation, tmp_path)


def test_every_rule_is_broken_by_a_test() -> None:
    assert {mutation.rule for mutation in (*PLAIN, *CHOICE, *ENCRYPTED)} == set(RULES)
