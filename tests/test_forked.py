"""A command that is forked is the command that Python starts, but for the time that takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked

ROOT = Path(__file__).parents[1]
JOB = "kind: transcode\ninput: /no/such/film.mp4\noutput: out.mp4\n"


@pytest.mark.parametrize(
    ("arguments", "given"),
    [(["presets"], ""), (["batch", "-"], JOB), (["check", "page.m3u8"], "")],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_it_says_and_ends_as_a_new_one(arguments: list[str], given: str, tmp_path: Path) -> None:
    environment = os.environ | {"LONGTAKE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "longtake", *arguments]
    new = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, input=given
    )
    done = forked.run(arguments, environment, tmp_path, given.encode())
    assert (done.returncode, done.stdout, done.stderr) == (new.returncode, new.stdout, new.stderr)


def test_it_knows_the_environment_of_its_caller(tmp_path: Path) -> None:
    for profile in ("one", "other"):
        done = forked.run(["list"], {"TEMPORAL_PROFILE": profile}, tmp_path)
        assert done.returncode == 3
        assert f"'{profile}'" in done.stderr


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        forked.run(["presets"], os.environ, tmp_path, timeout=1e-3)
