"""Examples that know Longtake by Temporal alone, as their readers run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, running
from tests.media.engine import run
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("examples")) as service:
        assert service.run("list").returncode == 0
        yield service


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.mov"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=2", "-f", "lavfi", "-i", "sine=d=2"),
        *("-c:v", "mpeg4", "-c:a", "aac", path),
    )
    return path


def execute(folder: Path, *words: str, address: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"TEMPORAL_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        stdin=subprocess.DEVNULL,
    )


def test_a_workflow_of_ones_own_runs_a_job_as_a_child(service: Service, talk: Path) -> None:
    folder, address = EXAMPLES / "temporal-workflow", service.state()["address"]
    target = service.out / "child.mp4"
    python = (sys.executable, "publish_talk.py")
    done = execute(folder, *python, str(talk), str(target), address=address)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"the talk is out: {target}\n"
    assert target.stat().st_size > 1000
    status = service.json("status", "publish-talk-transcode")
    assert (status["state"], status["labels"]) == ("succeeded", {"app": "talks"})
    broken = talk.with_name("broken.mov")
    broken.write_bytes(talk.read_bytes()[:2000])
    other = str(service.out / "broken.mp4")
    failed = execute(folder, *python, str(broken), other, address=address)
    assert failed.returncode == 1
    assert "not published: InputCorrupt" in failed.stderr
    unreachable = execute(folder, *python, str(talk), other, address="127.0.0.1:1")
    assert unreachable.returncode == 3
    assert "not started: Temporal at 127.0.0.1:1 does not answer" in unreachable.stderr


@pytest.fixture(scope="session")
def typescript(pytestconfig: pytest.Config) -> Path:
    """The example, built, in the cache of pytest."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = Path(pytestconfig.cache.mkdir("example-typescript"))
    for path in (EXAMPLES / "typescript").iterdir():
        shutil.copy(path, folder)
    install = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline")
    if subprocess.run(install, cwd=folder, capture_output=True, timeout=WAIT_S).returncode:
        pytest.skip("npm's registry cannot be reached")
    built = subprocess.run(("npm", "run", "build"), cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout
    return folder


def test_a_backend_in_typescript_runs_a_job(service: Service, talk: Path, typescript: Path) -> None:
    target = service.out / "typescript.mp4"
    words = ("node", "publish.js", str(talk), str(target))
    done = execute(typescript, *words, address=service.state()["address"])
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert (output["uri"], output["bytes"]) == (str(target), target.stat().st_size)
    unreachable = execute(typescript, *words, address="127.0.0.1:1")
    assert unreachable.returncode == 3
    assert "the talk stays a draft" in unreachable.stderr
