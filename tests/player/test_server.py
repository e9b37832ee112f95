"""The server of `longtake play`: what it gives, and what nobody gets from it."""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import longtake.player
from longtake.player.files import Folder
from longtake.player.server import PlayerServer
from tests.patience import WAIT_S

SEGMENT = bytes(range(256)) * 1000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Asker:
    port: int

    def __call__(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """A request as it is written here: nothing is made tidy, as browsers and curl do."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            host = headers.pop("host", f"127.0.0.1:{self.port}")
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "h264-720p-00").mkdir(parents=True)
    (folder / "master.m3u8").write_text("#EXTM3U\n")
    (folder / "manifest.mpd").write_text("<MPD/>")
    (folder / "h264-720p-00" / "00001.m4s").write_bytes(SEGMENT)
    (folder / "h264-720p-00" / "init.mp4").write_bytes(b"init")
    (folder / "00001.vtt").write_text("WEBVTT\n")
    (folder / ".hidden").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    return folder


@pytest.fixture
def ask(package: Path) -> Iterator[Asker]:
    with PlayerServer(Folder(package), "talk", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Asker(server.server_port)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("master.m3u8", "application/vnd.apple.mpegurl"),
        ("manifest.mpd", "application/dash+xml"),
        ("h264-720p-00/00001.m4s", "video/iso.segment"),
        ("h264-720p-00/init.mp4", "video/mp4"),
        ("00001.vtt", "text/vtt"),
    ],
)
def test_files_are_given_whole_and_by_their_types(
    name: str, kind: str, ask: Asker, package: Path
) -> None:
    answer = ask(f"/package/{name}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert answer.body == (package / name).read_bytes()
    head = ask(f"/package/{name}", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=255999-", 255_999, 256_000),
        ("bytes=-700", 255_300, 256_000),
        ("bytes=-999999", 0, 256_000),
        ("bytes=255000-999999999", 255_000, 256_000),
    ],
)
def test_ranges_are_exactly_those_bytes(asked: str, first: int, end: int, ask: Asker) -> None:
    answer = ask("/package/h264-720p-00/00001.m4s", Range=asked)
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/256000"
    assert answer.headers["Content-Length"] == str(end - first)
    assert answer.body == SEGMENT[first:end]


@pytest.mark.parametrize("asked", ["bytes=256000-", "bytes=256000-256001", "bytes=-0"])
def test_a_range_beyond_the_file_is_told(asked: str, ask: Asker) -> None:
    answer = ask("/package/h264-720p-00/00001.m4s", Range=asked)
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["Content-Range"] == "bytes */256000"


@pytest.mark.parametrize(
    "asked",
    ["bytes=9-3", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=x-", "bytes=" + "9" * 9000],
)
def test_what_is_no_single_range_gives_the_whole(asked: str, ask: Asker) -> None:
    answer = ask("/package/h264-720p-00/00001.m4s", Range=asked)
    assert (answer.status, answer.body) == (200, SEGMENT)


def test_a_condition_on_a_range_gives_the_whole(ask: Asker) -> None:
    answer = ask("/package/h264-720p-00/00001.m4s", Range="bytes=0-9", If_Range='"1"')
    assert (answer.status, answer.body) == (200, SEGMENT)
    assert ask("/package/h264-720p-00/00001.m4s", "HEAD", Range="bytes=0-9").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/package/../secret",
        "/package/h264-720p-00/../../secret",
        "/package/%2e%2e/secret",
        "/package/%2e%2e%2fsecret",
        "/package/..%5csecret",
        "/package/h264-720p-00/%2e%2e/%2e%2e/secret",
        "/package/%252e%252e/secret",
        "/../secret",
        "/package//etc/passwd",
        "/package/%2fetc%2fpasswd",
        "/package/.hidden",
        "/package/secret%00",
        "/package/h264-720p-00",
        "/package/h264-720p-00/",
        "/package/",
        "/server.py",
        "/../server.py",
        "/package/" + "a" * 5000,
    ],
)
def test_no_path_leads_out_of_the_package(path: str, ask: Asker) -> None:
    answer = ask(path)
    assert answer.status == 404
    assert b"secret" not in answer.body.replace(path.encode(), b"")


def test_no_link_leads_out_of_the_package(ask: Asker, package: Path) -> None:
    (package / "file.vtt").symlink_to(package.parent / "secret")
    (package / "folder").symlink_to(package.parent)
    (package / "inside.vtt").symlink_to("00001.vtt")
    (package / "around").symlink_to("around")
    assert ask("/package/file.vtt").status == 404
    assert ask("/package/folder/secret").status == 404
    assert ask("/package/around").status == 404
    assert ask("/package/inside.vtt").body == b"WEBVTT\n"


def test_a_page_of_another_host_gets_nothing_by_a_rebound_name(ask: Asker) -> None:
    for host in (
        "evil.example",
        f"evil.example:{ask.port}",
        "127.0.0.1",
        f"127.0.0.1:{ask.port}1",
        "",
    ):
        for path in ("/", "/about.json", "/package/master.m3u8"):
            answer = ask(path, host=host)
            assert answer.status == 421
            assert b"EXTM3U" not in answer.body
    assert ask("/package/master.m3u8", host=f"localhost:{ask.port}").status == 200


def test_no_key_is_given_that_was_not_named(ask: Asker, package: Path) -> None:
    (package.parent / "key").write_bytes(bytes(16))
    assert ask("/key").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_is_taken(method: str, ask: Asker, package: Path) -> None:
    assert ask("/package/master.m3u8", method).status >= 400
    assert (package / "master.m3u8").read_text() == "#EXTM3U\n"


def test_only_this_machine_is_served(package: Path) -> None:
    with PlayerServer(Folder(package), "talk", 0) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


def test_hls_js_is_the_file_that_its_note_tells() -> None:
    folder = Path(longtake.player.__file__).parent
    told = re.search(r"sha256  ([0-9a-f]{64})", (folder / "README.md").read_text())
    assert told is not None
    assert hashlib.sha256((folder / "hls.min.js").read_bytes()).hexdigest() == told[1]
