"""A tree becomes the same tar each time, and a tar is believed nothing."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from longtake.errors import InputCorrupt
from storage.tree import is_immutable, is_safe, members, pack


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_the_same_files_give_the_same_tar(tmp_path: Path) -> None:
    names = ("master.m3u8", "h264-720p-1a2b3c4d5e6f/00001.m4s", "captions-日本語/1.vtt")
    fill(tmp_path / "one", *names)
    fill(tmp_path / "two", *reversed(names))
    for path in (tmp_path / "two").rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    pack(tmp_path / "one", tmp_path / "one.tar")
    pack(tmp_path / "two", tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    found = members(tmp_path / "one.tar")
    assert [member.name for member in found] == sorted(names)
    assert [member.read().decode() for member in found] == sorted(names)


def test_a_tree_of_thousands_of_files_with_long_names(tmp_path: Path) -> None:
    long = f"{'x' * 120}/{'y' * 120}"
    fill(tmp_path / "in", *(f"{long}/{n:05}.m4s" for n in range(1_200)))
    pack(tmp_path / "in", tmp_path / "tar")
    found = members(tmp_path / "tar")
    assert len(found) == 1_200
    assert found[700].read() == found[700].name.encode()


def test_what_is_no_plain_file_is_not_packed(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a/b")
    (tmp_path / "in" / "link").symlink_to("/etc/passwd")
    with pytest.raises(InputCorrupt, match="no plain file"):
        pack(tmp_path / "in", tmp_path / "tar")
    (tmp_path / "in" / "link").unlink()
    (tmp_path / "in" / "empty").mkdir()
    with pytest.raises(InputCorrupt, match="is empty"):
        pack(tmp_path / "in", tmp_path / "tar")


@pytest.mark.parametrize(
    "names",
    [
        ["/etc/passwd"],
        ["../outside"],
        ["a/../../outside"],
        ["a//b"],
        ["./a"],
        ["a\\..\\b"],
        ["a\nb"],
        ["a", "a"],
        ["a", "a/b"],
    ],
    ids=repr,
)
def test_names_that_lead_out_or_collide_are_refused(tmp_path: Path, names: list[str]) -> None:
    with tarfile.open(tmp_path / "tar", "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(InputCorrupt):
        members(tmp_path / "tar")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]
)
def test_links_folders_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("a")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.addfile(entry)
    with pytest.raises(InputCorrupt, match="no place"):
        members(tmp_path / "tar")


def test_a_tar_that_is_cut_short_or_none_at_all_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a")
    (tmp_path / "in" / "a").write_bytes(os.urandom(100_000))
    pack(tmp_path / "in", tmp_path / "tar")
    whole = (tmp_path / "tar").read_bytes()
    for data in (whole[:50_000], whole[:700], b"", b"no tar", os.urandom(10_000)):
        (tmp_path / "cut").write_bytes(data)
        with pytest.raises(InputCorrupt):
            members(tmp_path / "cut")


def test_which_names_may_be_cached_for_ever() -> None:
    assert is_immutable("h264-720p-1a2b3c4d5e6f/00001.m4s")
    assert not any(
        map(is_immutable, ("master.m3u8", "thumbnails/1.jpg", "a-1a2b3c4d5e6f", "x-1a2b/1"))
    )
    assert is_safe("thumbnails/1.jpg")
