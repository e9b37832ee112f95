"""Documents for the tests, as people write them."""

from __future__ import annotations

from pathlib import Path

from longtake.contracts.pipeline import PipelineDocument
from longtake.pipelines.document import read_pipeline

HEAD = """\
inputs:
  video: {type: video}
  words: {type: captions, optional: true}
steps:
"""


def written(folder: Path, steps: str, outputs: str = "film: {from: film.video}") -> Path:
    """A file with these steps, the first of them in line 5."""
    path = folder / "pipeline.yaml"
    path.write_text(f"{HEAD}{steps}outputs:\n  {outputs}\n")
    return path


def read(folder: Path, steps: str, outputs: str = "film: {from: film.video}") -> PipelineDocument:
    """The document of such a file. Raises InvalidJob."""
    return read_pipeline(written(folder, steps, outputs))


def bare(steps: dict[str, dict[str, object]]) -> PipelineDocument:
    """A document whose steps only need each other: nothing is read or checked."""
    return PipelineDocument.model_validate(
        {
            "inputs": {"video": {}},
            "steps": {name: {"kind": "report", **step} for name, step in steps.items()},
            "outputs": {"last": {"from": f"{next(reversed(steps))}.report"}},
        }
    )
