"""Which steps a job's progress counts."""

from __future__ import annotations

from longtake.contracts.steps.album import ENCODE_STAGE, FINISH_FILE
from longtake.contracts.steps.command import RUN_COMMAND
from longtake.contracts.steps.normalize import LEVEL_TRACK, MEASURE_TRACK
from longtake.contracts.steps.preview import MAKE_PART
from longtake.contracts.steps.stitch import ENCODE_CROSSFADE, LEVEL_SOUND, MIX, PREPARE_PART
from longtake.contracts.steps.transcode import ENCODE_CHUNK, SCORE_CHUNK
from longtake.contracts.steps.transcribe import TRANSCRIBE_WINDOW

COUNTED = (
    *(ENCODE_CHUNK.name, SCORE_CHUNK.name, RUN_COMMAND.name, MAKE_PART.name, MEASURE_TRACK.name),
    *(LEVEL_TRACK.name, ENCODE_STAGE.name, FINISH_FILE.name),
    *(PREPARE_PART.name, MIX.name, LEVEL_SOUND.name, ENCODE_CROSSFADE.name),
    TRANSCRIBE_WINDOW.name,
)
"""Steps that a job's progress counts: their heartbeats say how far the running ones are."""
