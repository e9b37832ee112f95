"""The apps for podcasts: from a draft to a published episode, by a bucket and signed webhooks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.service import Service, running, until
from tests.media.engine import run
from tests.patience import WAIT_S
from tests.ports import free_port
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
Start = Callable[[int, dict[str, str], Path], subprocess.Popen[bytes]]
SECRET = "whsec_bG9uZ3Rha2UtbG9uZ3Rha2UtbG9uZ3Rha2U="


@dataclass
class App:
    """A site that runs in a process of its own."""

    address: str
    service: Service
    pid: int

    def post(self, path: str, **sent: Any) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", timeout=WAIT_S, **sent)

    def episode(self, number: int) -> dict[str, Any]:
        shown: dict[str, Any] = httpx.get(f"{self.address}/episodes/{number}").json()
        return shown

    def publish(self, number: int, audio: bytes) -> httpx.Response:
        files = {"audio": ("raw.wav", audio, "audio/wav")}
        return self.post(f"/episodes/{number}/publish", files=files)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def box(server: str) -> Bucket:
    return bucket(server, "podcast")


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("raw") / "raw.wav"
    run("-f", "lavfi", "-i", "sine=300:r=44100:d=3,tremolo=f=3", "-c:a", "pcm_s16le", path)
    return path.read_bytes()


def fastapi(port: int, environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    words = ("-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(port))
    return subprocess.Popen(
        (sys.executable, *words), cwd=EXAMPLES / "fastapi", env=environment, start_new_session=True
    )


def django(port: int, environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    manage = (sys.executable, "manage.py")
    at = EXAMPLES / "django"
    subprocess.run((*manage, "migrate", "-v0"), cwd=at, env=environment, check=True)
    return subprocess.Popen(
        (*manage, "runserver", "--noreload", f"127.0.0.1:{port}"),
        cwd=at,
        env=environment,
        start_new_session=True,
    )


@pytest.fixture(scope="module", params=[fastapi, django], ids=["FastAPI", "Django"])
def app(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    server: str,
    box: Bucket,
) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    port = free_port()
    shared = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{server}", "LONGTAKE_HTTP_ALLOW": server}
    told = {
        "LONGTAKE_WEBHOOK_SECRET_SITE": SECRET,
        "LONGTAKE_WEBHOOK_ALLOW": f"127.0.0.1:{port}",
    }
    start: Start = request.param
    with running(folder, **shared, **told) as service, site(start, port, service, folder) as app:
        yield app


@contextlib.contextmanager
def site(start: Start, port: int, service: Service, folder: Path, **more: str) -> Iterator[App]:
    """A site with a database of its own."""
    environment = {
        **service.environment,
        "S3_BUCKET": "podcast",
        "HOOK_URL": f"http://127.0.0.1:{port}/hooks/longtake",
        "HOOK_SECRET": SECRET,
        "DATABASE": str(folder / "episodes.sqlite"),
        "DJANGO_SETTINGS_MODULE": "settings",
        **more,
    }
    process = start(port, environment, folder)
    try:
        app = App(f"http://127.0.0.1:{port}", service, process.pid)
        until(lambda: _answers(app), 60, "the site is up, and takes no unsigned message")
        yield app
    finally:
        process.kill()
        process.wait()


def _answers(app: App) -> bool:
    try:
        return app.post("/hooks/longtake", content=b"{}").status_code == 401
    except httpx.TransportError:
        return False


def test_an_episode_goes_from_its_draft_to_the_bucket(app: App, box: Bucket, audio: bytes) -> None:
    number = app.post("/episodes", data={"title": "The first"}).json()["id"]
    assert app.episode(number)["stage"] == "DRAFT"
    began = time.monotonic()
    answer = app.publish(number, audio)
    assert answer.status_code == 202, answer.text
    assert answer.json()["stage"] in ("QUEUED", "CHECKING", "GENERATING_AUDIO")
    assert time.monotonic() - began < WAIT_S
    published = until(
        lambda: (shown := app.episode(number))["stage"] == "PUBLISHED" and shown, 90, "it is out"
    )
    assert published["audio"] == f"s3://podcast/episodes/{number}.mp3"
    assert published["percent"] == 100
    assert box.get(f"episodes/{number}.mp3")[:3] == b"ID3"
    # The same click again finds the same job, done.
    assert app.publish(number, audio).json()["job"] == published["job"]


def test_what_was_published_is_known_to_a_new_database(
    app: App, audio: bytes, box: Bucket, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    number = app.post("/episodes", data={"title": "The first"}).json()["id"]
    app.publish(number, audio)
    until(lambda: app.episode(number)["stage"] == "PUBLISHED", 90, "it is out")
    start: Start = request.node.callspec.params["app"]
    with site(start, free_port(), app.service, tmp_path) as new:
        while (again := new.post("/episodes", data={"title": "The first"}).json()["id"]) < number:
            pass
        answer = new.publish(again, audio).json()
    assert answer == app.episode(number)


def test_what_cannot_be_published_goes_back_to_its_draft(app: App, audio: bytes) -> None:
    number = app.post("/episodes", data={"title": "Broken"}).json()["id"]
    assert app.publish(number, b"no audio at all, but plenty of words").status_code in (202, 422)
    failed = until(
        lambda: (shown := app.episode(number))["error"] and shown, 60, "the editor is told why"
    )
    assert failed["stage"] == "DRAFT"


def test_a_service_that_is_down_leaves_the_draft_where_it_was(
    app: App, audio: bytes, box: Bucket, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    start: Start = request.node.callspec.params["app"]
    nowhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    with site(start, free_port(), app.service, tmp_path, **nowhere) as alone:
        number = alone.post("/episodes", data={"title": "Patient"}).json()["id"]
        answer = alone.publish(number, audio)
        assert answer.status_code == 503
        assert "not published, try again" in answer.text
        assert alone.episode(number)["stage"] == "DRAFT"
        children = subprocess.run(
            ("ps", "--ppid", str(alone.pid), "-o", "comm="), capture_output=True, text=True
        )
        assert "ffmpeg" not in children.stdout
