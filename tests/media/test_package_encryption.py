"""Encrypted packages: they decrypt to the same frames, and the key is nowhere to be found."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from pydantic import ValidationError

from longtake.contracts.package import Encryption
from longtake.errors import InvalidJob
from longtake.keys import read_key
from media.package.keys import key_id
from media.package.packaging import make_package
from media.package.renditions import Text, Track
from tests.media.engine import no_tick, run
from tests.media.package import (
    GOP_S,
    KEY,
    SEGMENT_S,
    attributes,
    encryption,
    folder,
    joined,
    package,
    picture,
    read_playlist,
    sound,
    tree,
)
from tests.patience import WAIT_S

URI = "https://keys.example/1?a=b,c"


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    made = tmp_path_factory.mktemp("tracks")
    return [
        Track(picture(made / "film.mp4"), "film", "video"),
        Track(sound(made / "en.m4a"), "audio-en", "audio", "en"),
    ]


@pytest.fixture
def texts(tmp_path: Path) -> list[Text]:
    path = tmp_path / "en.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", "utf-8")
    return [Text(path, "captions-en", "en")]


def decoded(path: Path, *options: str) -> str:
    return run(*options, "-i", path, "-map", "0:0", "-f", "framemd5", "-").partition("\n#stream")[2]


def reveals(data: bytes) -> bool:
    """Whether the key is in there, in any of the ways in which keys are written."""
    words = (KEY, KEY.hex().encode(), base64.b64encode(KEY), base64.urlsafe_b64encode(KEY))
    return any(word.lower().rstrip(b"=") in data.lower() for word in words)


async def test_cbcs_decrypts_to_the_same_frames(
    tracks: list[Track], texts: list[Text], tmp_path: Path
) -> None:
    clear = await package(tmp_path / "clear", tracks, texts)
    made = await package(tmp_path / "made", tracks, texts, "cbcs")
    for name in ("film", "audio-en"):
        whole = joined(folder(made, name), tmp_path / f"{name}.mp4")
        wanted = decoded(joined(folder(clear, name), tmp_path / "clear.mp4"))
        assert len(wanted.splitlines()) > 200
        assert decoded(whole, "-decryption_key", KEY.hex()) == wanted
        with contextlib.suppress(subprocess.CalledProcessError):  # noise, or refused
            assert decoded(whole, "-decryption_key", "00" * 16) != wanted
        playlist = read_playlist(folder(made, name) / "playlist.m3u8")
        for _, uri in playlist.segments:  # the first ones, too
            hidden, plain = ((folder(each, name) / uri).read_bytes() for each in (made, clear))
            assert _media(hidden) != _media(plain)
        key = attributes(playlist.tags["#EXT-X-KEY"])
        assert key.pop("IV").startswith("0x")
        assert key == {"METHOD": "SAMPLE-AES", "URI": URI, "KEYFORMAT": "identity"}


def _media(segment: bytes) -> bytes:
    """The beginning of what its first fragment shows."""
    return segment.partition(b"mdat")[2][:1000]


async def test_cbcs_is_told_to_every_player(
    tracks: list[Track], texts: list[Text], tmp_path: Path
) -> None:
    made = await package(tmp_path / "made", tracks, texts, "cbcs")
    found = folder(made, "film")
    whole, alone = (read_playlist(found / f"{name}.m3u8") for name in ("playlist", "iframes"))
    assert alone.tags["#EXT-X-KEY"] == whole.tags["#EXT-X-KEY"]
    begin, end = alone.ranges[1]
    cut = tmp_path / "i.mp4"
    data = (found / alone.segments[1][1]).read_bytes()[begin:end]
    cut.write_bytes((found / "init.mp4").read_bytes() + data)
    assert len(decoded(cut, "-decryption_key", KEY.hex()).splitlines()) > 1
    assert "#EXT-X-KEY" not in read_playlist(folder(made, "captions-en") / "playlist.m3u8").tags

    space, cenc = "{urn:mpeg:dash:schema:mpd:2011}", "{urn:mpeg:cenc:2013}"
    name = key_id(encryption("cbcs")).hex()
    for each in ElementTree.parse(made / "manifest.mpd").getroot().iter(f"{space}AdaptationSet"):
        told = [p.attrib for p in each.iter(f"{space}ContentProtection") if "value" in p.attrib]
        addresses = [p.text for p in each.iter("{https://dashif.org/CPS}Laurl")]
        if each.attrib["contentType"] == "text":
            assert not told
            assert not addresses
            continue
        assert [p["value"] for p in told] == ["cbcs", "ClearKey1.0"]
        assert {p[f"{cenc}default_KID"].replace("-", "") for p in told} == {name}
        assert addresses == [URI]


async def test_aes_128_decrypts_to_the_clear_segments(
    tracks: list[Track], texts: list[Text], tmp_path: Path
) -> None:
    clear = await package(tmp_path / "clear", tracks, texts)
    made = await package(tmp_path / "made", tracks, texts, "aes-128")
    vectors = set()
    for name in ("film", "audio-en"):
        found, plain = folder(made, name), folder(clear, name)
        playlist = read_playlist(found / "playlist.m3u8")
        lines = (found / "playlist.m3u8").read_text("utf-8")
        assert lines.index("#EXT-X-MAP") < lines.index("#EXT-X-KEY")  # so it is in the clear
        assert (found / "init.mp4").read_bytes() == (plain / "init.mp4").read_bytes()
        key = attributes(playlist.tags["#EXT-X-KEY"])
        assert (key["METHOD"], key["URI"], key["KEYFORMAT"]) == ("AES-128", URI, "identity")
        vector = bytes.fromhex(key["IV"].removeprefix("0x"))
        vectors.add(vector)
        for _, uri in playlist.segments:
            cipher = Cipher(algorithms.AES(KEY), modes.CBC(vector)).decryptor()
            data = cipher.update((found / uri).read_bytes()) + cipher.finalize()
            unpadder = PKCS7(128).unpadder()
            data = unpadder.update(data) + unpadder.finalize()
            assert data == (plain / uri).read_bytes()
    assert len(vectors) == 2
    assert not (made / "manifest.mpd").exists()
    assert list(made.rglob("iframes.m3u8")) == []
    assert "I-FRAME" not in (made / "master.m3u8").read_text("utf-8")
    # The captions are what they are without encryption.
    assert folder(made, "captions-en").name == folder(clear, "captions-en").name


@pytest.mark.parametrize("scheme", ["cbcs", "aes-128"])
async def test_the_key_lies_nowhere_and_the_bytes_are_the_same_again(
    tracks: list[Track], tmp_path: Path, scheme: str
) -> None:
    made = await package(tmp_path / "made", tracks, scheme=scheme)
    assert not any(reveals(path.read_bytes()) for path in made.rglob("*") if path.is_file())
    assert tree(await package(tmp_path / "again", tracks, scheme=scheme)) == tree(made)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A track that never comes: the packager waits for it until it is ended."""
    path = tmp_path / "never.mp4"
    os.mkfifo(path)
    return path


def packagers(target: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(target / ".making"):
                found.append(process)
    return found


async def test_the_key_is_not_seen_while_it_is_used(pipe: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    track = Track(pipe, "film", "video")
    task = asyncio.create_task(package(target, [track], scheme="cbcs"))
    child = await _started(target)
    seen = [f"/proc/{child.pid}/{name}" for name in ("cmdline", "environ")]
    assert b"packager" in _read(seen[0])
    assert not any(reveals(_read(name)) for name in seen)
    assert not any(reveals(_read(path)) for path in target.rglob("*") if not path.is_symlink())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert packagers(target) == []
    assert tree(target) == {}


async def _started(target: Path) -> psutil.Process:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for process in packagers(target):
            with contextlib.suppress(psutil.Error):
                if "packager" in process.cmdline()[0]:  # and not what becomes it
                    return process
        await asyncio.sleep(0.05)
    raise AssertionError("the packager did not start")


def _read(path: Path | str) -> bytes:
    return Path(path).read_bytes() if not Path(path).is_dir() else b""


@pytest.mark.kill
async def test_killed_in_the_middle_it_leaves_nothing_elsewhere(pipe: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    script = f"""
import asyncio
from pathlib import Path
from media.package.renditions import Track
from tests.media.package import package
track = Track(Path({str(pipe)!r}), "film", "video")
if __name__ == "__main__":
    asyncio.run(package(Path({str(target)!r}), [track], scheme="cbcs"))
"""
    scratch = tmp_path / "scratch"
    worker = _worker(script, scratch)
    try:
        child = await _started(target)
        worker.kill()
        worker.wait(WAIT_S)
        child.wait(WAIT_S)  # it ends with its worker
    finally:
        worker.kill()
        worker.wait(WAIT_S)
    assert _names(tmp_path) == {
        *("never.mp4", "scratch", "out", "out/.making", "out/.making/0.mp4")
    }
    assert not any(reveals(_read(p)) for p in target.rglob("*") if not p.is_symlink())


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def _worker(script: str, scratch: Path) -> subprocess.Popen[bytes]:
    scratch.mkdir()
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", script], env=environment)


def test_a_key_is_sixteen_bytes_or_their_digits() -> None:
    digits = KEY.hex()
    for text in (KEY, digits.encode(), f"{digits.upper()}\n".encode(), b" ".join(_pairs(digits))):
        assert read_key(text) == KEY
    assert read_key(b"0123456789abcdef") == b"0123456789abcdef"  # sixteen bytes, too
    for wrong in (b"", KEY[:-1], KEY + b"\n", digits[:-2].encode(), b"x" * 32, b"\xff" * 32):
        with pytest.raises(
            InvalidJob, match=rf"{len(wrong)} bytes; a key is 16 bytes, or 32"
        ) as told:
            read_key(wrong)
        assert not re.search(r"[0-9a-f]{8}|xxxx", str(told.value))


def _pairs(digits: str) -> list[bytes]:
    return [digits[at : at + 2].encode() for at in range(0, 32, 2)]


async def test_a_key_of_the_wrong_length_is_refused(tracks: list[Track], tmp_path: Path) -> None:
    for key, settings in ((KEY[:-1], encryption("cbcs")), (None, encryption("cbcs")), (KEY, None)):
        with pytest.raises(InvalidJob, match="key"):
            await make_package(
                tracks,
                (),
                segment_s=SEGMENT_S,
                gop_s=GOP_S,
                encryption=settings,
                key=key,
                target=tmp_path,
                on_tick=no_tick,
            )


def test_addresses_and_ids_of_keys_fit_into_manifests() -> None:
    made = Encryption(key="k", key_uri="skd://1", key_id="000102030405060708090A0B-0c0d-0e0f")
    assert key_id(made) == bytes(range(16))
    assert key_id(encryption("cbcs")) == key_id(encryption("cbcs"))
    for wrong in ({"key_uri": 'a"b'}, {"key_uri": "a\nb"}, {"key_id": "12"}, {"key_id": "z" * 32}):
        with pytest.raises(ValidationError):
            Encryption.model_validate({"key": "k", "key_uri": "https://x", **wrong})
