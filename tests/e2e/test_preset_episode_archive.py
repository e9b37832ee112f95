"""The presets podcast-episode and archive: what they make, the same whatever dies meanwhile."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from mutagen.id3 import ID3

from media.ffmpeg.tools import ffmpeg
from tests.e2e.deaths import SEED
from tests.e2e.presets import Presets
from tests.e2e.service import Service
from tests.patience import WAIT_S

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def presets(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Presets:
    return Presets(service, tmp_path_factory.mktemp("given"))


def test_podcast_episode_is_joined_tagged_and_written_down(presets: Presets) -> None:
    made = presets.undisturbed("podcast-episode").outputs
    tags = ID3(made["episode"])
    assert (str(tags["TIT2"]), str(tags["TALB"])) == ("Monday", "Days")
    chapters = json.loads(made["chapters"].read_text())["chapters"]
    assert [chapter["title"] for chapter in chapters] == ["One", "Two"]
    assert presets.given["podcast-episode"].word in made["text"].read_text()
    metadata = json.loads(made["metadata"].read_text())
    assert metadata["bytes"] == made["episode"].stat().st_size
    assert made["waveform"].read_bytes().startswith(b"\x89PNG")
    assert json.loads(made["peaks"].read_text())["length"] > 0


def test_archive_proves_what_it_keeps(presets: Presets) -> None:
    archived = presets.undisturbed("archive")
    made = archived.outputs
    (source,) = presets.given["archive"].inputs
    assert presets.probed(made["film"])["video"][0]["codec"] == "av1"
    assert samples(made["sound"]) == samples(Path(source.partition("=")[2]))
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"],
        cwd=archived.folder,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 3
    report = json.loads(made["report"].read_text())
    assert {step["name"]: step["state"] for step in report["steps"]} == dict.fromkeys(
        ("picture", "sound", "facts", "checksums"), "done"
    )
    assert report["steps"][0]["stats"]["cpu_s"] > 0


def samples(path: Path) -> str:
    """The hash of a file's decoded sound, 16 bit."""
    command = [ffmpeg(), "-v", "error", "-i", path, "-map", "0:a", "-c:a", "pcm_s16le"]
    done = subprocess.run(
        [*map(str, command), "-f", "hash", "-"], capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.kill
@pytest.mark.parametrize("preset", ["podcast-episode", "archive"])
def test_killed_three_times_it_makes_the_same_files(presets: Presets, preset: str) -> None:
    assert presets.killed(preset, SEED) == presets.undisturbed(preset).tree
