"""A whole pipeline in a bucket: what it reads, what it makes, and its work store."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deaths import DEATHS, SEED
from tests.e2e.service import Service, running, until
from tests.e2e.trees import files
from tests.media.engine import run
from tests.speech import say
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_server

pytestmark = [pytest.mark.slow, pytest.mark.kill]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def box(server: str) -> Bucket:
    return bucket(server, "films")


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, server: str, box: Bucket
) -> Iterator[Service]:
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_S3": f"http://{server}",
        "LONGTAKE_WORK_STORE": f"s3://{box.name}/store",
        "LONGTAKE_DRAIN_GRACE": "2",
        "NO_PROXY": "127.0.0.1",
    }
    with running(tmp_path_factory.mktemp("bucket"), **environment) as service:
        yield service


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of picture, with a sentence."""
    folder = tmp_path_factory.mktemp("talk")
    said = say("We will meet again on Monday.").write(folder / "said.wav")
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-i", said, "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", folder / "talk.mp4"),
    )
    return folder / "talk.mp4"


def parts(box: Bucket) -> list[str]:
    """Finished parts in the work store."""
    return [name for name in box.names() if name.startswith("store/objects/")]


def test_from_bucket_to_bucket_it_is_the_same_tree_whatever_dies(
    service: Service, box: Bucket, talk: Path
) -> None:
    local = service.out / "local"
    preset = ("run", "video-upload", "--text", "language=en")
    service.json(*preset, "--input", f"video={talk}", "-o", local)
    made = parts(box)
    for name in made:
        box.s3.delete_object(Bucket=box.name, Key=name)
    source = box.put("in/talk.mp4", talk.read_bytes())
    command = (*preset, "--input", f"video={source}", "-o", "s3://films/out")
    done = service.run(*command, "--id", "upload", "--no-wait")
    assert done.returncode == 0, done.stderr

    chance = random.Random(SEED)
    dies, moment = chance.choice(list(DEATHS)), chance.randrange(len(made))
    until(lambda: len(parts(box)) >= moment, 120, f"part {moment}")
    time.sleep(chance.uniform(0, 0.5))
    print(f"seed {SEED}: {dies} died at part {len(parts(box))} of {len(made)}")  # noqa: T201
    DEATHS[dies](service)
    result = service.json(*command, "--id", "upload")
    assert {output["uri"].startswith("s3://films/out/") for output in result["outputs"]} == {True}
    out = [name for name in box.names() if name.startswith("out/")]
    assert {name.removeprefix("out/"): box.get(name) for name in out} == files(local)
    assert box.open_uploads() == []
    assert not [name for name in box.names() if "/claims/" in name or "/uploads/" in name]

    box.s3.delete_object(Bucket=box.name, Key="out/sound.mp3")
    again = service.json(*command, "--explain")
    assert {step["name"]: step["reused"] for step in again["steps"]} == {
        **dict.fromkeys(("facts", "captions", "stream", "pictures"), True),
        "sound": False,
    }
    assert box.get("out/sound.mp3") == (local / "sound.mp3").read_bytes()
