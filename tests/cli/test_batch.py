from __future__ import annotations

import pytest

from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kind", "pipeline"), "--kind pipeline: say which pipeline with --pipeline"),
        (("--text", "language=en"), "--text: say which pipeline with --pipeline"),
        (("--pipeline-input", "talk"), "--pipeline-input: say which pipeline with --pipeline"),
        (
            ("--kind", "normalize", "--pipeline", "video-upload"),
            "--kind normalize or --pipeline: say one of them",
        ),
    ],
)
async def test_options_of_a_pipeline_without_one_are_told(
    alone: Command, options: tuple[str, ...], said: str
) -> None:
    done = await alone("batch", "*.mov", "-o", "out", *options)
    assert done.code == 2
    assert f"error: InvalidJob: {said}" in done.err


async def test_lines_of_json_on_stdin_are_no_names(alone: Command) -> None:
    listed = 'talk.mov\n{"input": "talk.mov", "output": "a.mp4"}\n'
    done = await alone("batch", "-", "-o", "out", given=listed)
    assert done.code == 2
    assert "line 2 on stdin is JSON" in done.err
    assert "ends in .jsonl" in done.err
    assert not list(alone.folder.glob("home/lists/*"))
