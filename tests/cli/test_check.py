from __future__ import annotations

from pathlib import Path

import pytest

from longtake.contracts import PackageCheck
from tests.cli.conftest import Command
from tests.media.mutations import master
from tests.media.packages import package, picture, sound
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    picture(folder / "v180.mp4", "320x180")
    picture(folder / "v90.mp4", "160x90")
    sound(folder / "a.mp4")
    return package(folder)


async def test_a_good_package_ends_in_0(alone: Command, good: Path) -> None:
    done = await alone("check", str(good))
    assert done.code == 0
    assert "avc1.64000d" in done.out
    assert "29.97 fps" in done.out
    assert done.out.endswith("errors: 0, warnings: 0\n")


async def test_errors_end_in_1_and_json_is_one_document(alone: Command, good: Path) -> None:
    path = good / "master.m3u8"
    whole = path.read_text()
    try:
        master("RESOLUTION=320x180", "RESOLUTION=640x360")(good)
        shown = await alone("check", str(path))
        told = await alone("check", str(good), "--json")
    finally:
        path.write_text(whole)
    assert shown.code == told.code == 1
    assert "error: hls-resolution: master.m3u8, stream 2: RESOLUTION 640x360" in shown.out
    found = PackageCheck.model_validate(told.document)
    assert found.package == str(good)
    assert {finding.rule for finding in found.findings} == {"hls-resolution"}
    assert {rendition.kind for rendition in found.renditions} == {"video", "audio", "text"}


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("gone", "InputNotFound"),
        (".", "InvalidJob"),
        ("talk.mov", "InvalidJob"),
        ("https://example.com/master.m3u8", "InvalidJob"),
    ],
)
async def test_what_is_no_package_ends_in_2(alone: Command, place: str, error: str) -> None:
    done = await alone("check", place)
    assert (done.code, done.out) == (2, "")
    assert f"error: {error}:" in done.err


async def test_a_media_playlist_is_no_package(alone: Command, good: Path) -> None:
    done = await alone("check", str(good / "v90" / "playlist.m3u8"))
    assert done.code == 2
    assert "master" in done.err


def put(folder: Path, box: Bucket, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            box.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())


async def test_a_package_in_a_bucket_is_checked(alone: Command, good: Path) -> None:
    with s3_server() as address:
        box = bucket(address, "films")
        put(good, box, "talk")
        box.put("talk2/other", b"not of it")
        alone.environment |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": f"http://{address}"}
        done = await alone("check", "s3://films/talk/", "--json")
        assert done.code == 0, done.err
        assert done.document["package"] == "s3://films/talk/"
        assert done.document["findings"] == []
        missing = await alone("check", "s3://films/tal")
        assert missing.code == 2
        assert "error: InputNotFound:" in missing.err
        box.put("talk/../../outside", b"x")
        refused = await alone("check", "s3://films/talk")
        assert refused.code == 2
