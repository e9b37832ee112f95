from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from longtake import Transcode, __version__
from longtake.cli.app import app
from longtake.contracts import Probe
from longtake.kinds import KINDS
from tests.cli.conftest import Command
from tests.media.engine import run


async def test_presets_are_listed_and_shown(alone: Command) -> None:
    listed = await alone("presets")
    assert "web-720p" in listed.out
    names = [preset["name"] for preset in (await alone("presets", "--json")).document]
    assert {"compress-video", "remux", "web-480p", "web-720p", "web-1080p"} <= set(names)
    assert (await alone("presets", "web-720p", "--json")).document["video"]["height"] == 720
    assert "crf: 23" in (await alone("presets", "web-720p")).out
    assert (await alone("presets", "web-4k")).code == 2
    assert "podcast-episode" in names
    assert "crossfade_s: 1" in (await alone("presets", "podcast-episode")).out


async def test_schemas_are_published(alone: Command) -> None:
    schemas = (await alone("schema")).document
    assert {"Transcode", "Preview", "Command", "JobResult", "Progress"} <= set(schemas)
    assert schemas["Transcode"] == Transcode.model_json_schema()
    assert (await alone("schema", "Progress")).document["title"] == "Progress"
    assert (await alone("schema", "Nothing")).code == 2


def test_every_command_that_starts_a_job_takes_the_whole_envelope() -> None:
    commands: Any = typer.main.get_command(app)
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in commands.commands.items()
    }
    envelope = {"--id", "--tenant", "--priority", "--label", "--notify", "--deadline", "--group"}
    for name in {*KINDS, "run"} - {"pipeline"}:
        assert envelope <= options[name], name


async def test_a_probe_shows_what_is_in_a_file(alone: Command, sound: Path) -> None:
    shown = await alone("probe", str(sound))
    assert "pcm_s16le" in shown.out
    facts = Probe.model_validate((await alone("probe", str(sound), "--json")).document)
    assert facts.audio[0].sample_rate == 8_000
    assert "  1 channel  " in shown.out


async def test_a_probe_counts_one_frame_as_one(alone: Command) -> None:
    path = alone.folder / "still.mkv"
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25", "-frames:v", 1, "-c:v", "ffv1", path)
    assert "  1 frame  1 keyframe  " in (await alone("probe", str(path))).out


async def test_a_probe_of_something_else_says_why(alone: Command) -> None:
    missing = await alone("probe", "gone.mov")
    assert (missing.code, missing.out) == (2, "")
    assert "error: InputNotFound:" in missing.err
    no_media = await alone("probe", "talk.mov", "--json")
    assert no_media.code == 1
    assert no_media.document["error"]["type"] == "InputUnsupported"


async def test_a_long_path_of_temporary_files_is_no_hindrance(alone: Command, sound: Path) -> None:
    folder = alone.folder / ("temporary-" * 9)  # too long for the path of a socket
    folder.mkdir()
    alone.environment["TMPDIR"] = str(folder)
    assert "pcm_s16le" in (await alone("probe", str(sound))).out
    assert list(folder.iterdir()) == []


async def test_the_version_and_the_commands_are_told(alone: Command) -> None:
    assert (await alone("--version")).out == f"longtake {__version__}\n"
    told = (await alone("--help")).out
    commands = (
        "up down worker ingest schedule transcode preview normalize stitch command status watch "
        "list cancel pause resume prioritize retry presets probe check play schema doctor gc"
    )
    assert all(command in told for command in commands.split())


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    import wave

    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"\0\1" * 8_000)
    return path


async def test_every_mistake_of_a_pipeline_has_a_line_of_its_own(alone: Command) -> None:
    steps = "steps:\n  film: {kind: transcode, input: {from: inputs.vido}, output: a.mp4}\n"
    text = f"inputs: {{video: {{type: video}}}}\n{steps}outputs:\n  film: {{from: flim.video}}\n"
    (alone.folder / "site.yaml").write_text(text)
    run = ("run", "site.yaml", "--input", "video=talk.mov", "-o", "out", "--plan")
    told = (await alone(*run)).err.splitlines()
    assert told[0] == "error: InvalidJob:"
    assert [line.partition(" ")[0] for line in told[1:]] == ["site.yaml:3:", "site.yaml:5:"]
    (alone.folder / "site.yaml").write_text("inputs: {video: [\n")
    (line,) = (await alone(*run)).err.splitlines()
    assert "is not YAML" in line
