"""What `docs/pipelines.md` shows can be run, and its tables are whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

from longtake.contracts.pipeline import Pipeline, PipelineDocument, Step, When
from longtake.pipelines.document import pipeline_presets, prepare, read_pipeline
from longtake.pipelines.ports import STEPS, TAKES

PAGE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_document_shown_is_sound(tmp_path: Path) -> None:
    text, *steps = blocks("yaml")
    path = tmp_path / "site.yaml"
    films = "inputs:\n  films: {type: files}\n"
    whole = text.replace("\noutputs:", f"\n{''.join(steps)}\noutputs:").replace("inputs:\n", films)
    path.write_text(whole)
    assert set(read_pipeline(path).steps) == {"level", "stream", "pictures", "captioned", "web"}


def test_the_job_shown_can_be_run() -> None:
    (text,) = blocks("json")
    assert prepare(Pipeline.model_validate(json.loads(text))).document.steps


def test_every_field_kind_place_and_preset_is_told() -> None:
    known = {
        *PipelineDocument.model_fields,
        *Step.model_fields,
        *When.model_fields,
        *STEPS,
        *pipeline_presets(),
        *(place for takes in TAKES.values() for place in takes),
    }
    told = set(re.findall(r"`([a-z_.*-]+)`", PAGE))
    assert known <= told
    for name, preset in pipeline_presets().items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*?) \|", PAGE, flags=re.MULTILINE)
        assert set(re.findall(r"`([a-z_]+)`", row)) == {*preset.inputs, *preset.texts}
