"""The presets of pipelines, each given films or recordings from the corpus, where there is one."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import CORPUS
from tests.e2e.deaths import DEATHS
from tests.e2e.service import Service, until
from tests.e2e.trees import files
from tests.media.engine import run
from tests.speech import say

EPISODE = ("title=Monday", "show=Days", "chapters=One", "chapters=Two", "language=en")


@dataclass(frozen=True)
class Given:
    """What a preset is given."""

    inputs: tuple[str, ...]
    """`NAME=PATH`."""
    texts: tuple[str, ...] = ()
    word: str = ""
    """One that is heard."""

    @property
    def words(self) -> list[str]:
        """For the command line."""
        inputs = [word for each in self.inputs for word in ("--input", each)]
        return [*inputs, *(word for each in self.texts for word in ("--text", each))]


@dataclass(frozen=True)
class Made:
    """What a preset made, when nobody disturbed it."""

    folder: Path
    outputs: dict[str, Path]
    tree: dict[str, Any]
    parts: int
    """That it left in the work store."""


class Presets:
    """Presets that run in a service which does nothing else."""

    def __init__(self, service: Service, folder: Path) -> None:
        """`folder`: for what they are given."""
        self.service = service
        self.given = from_corpus(folder) if CORPUS.is_dir() else made_here(folder)
        self._made: dict[str, Made] = {}

    def undisturbed(self, preset: str) -> Made:
        """What a preset makes; it runs once."""
        if preset not in self._made:
            self._made[preset] = self._run(preset)
        return self._made[preset]

    def _run(self, preset: str) -> Made:
        self.service.forget_work()
        folder = self.service.out / f"{preset}-undisturbed"
        result = self.service.json("run", preset, *self.given[preset].words, "-o", folder)
        outputs = {output["role"]: Path(output["uri"]) for output in result["outputs"]}
        made = Made(folder, outputs, tree(folder, result["job_id"]), self.parts())
        assert not [name for name in made.tree if name.rpartition("/")[2].startswith(".")]
        return made

    def killed(self, preset: str, seed: int) -> dict[str, Any]:
        """What it makes, all done anew, while three deaths befall it by chance; as `tree` tells."""
        whole = self.undisturbed(preset).parts
        self.service.forget_work()
        job_id = f"{preset}-killed-{seed}"
        folder = self.service.out / job_id
        command = ("run", preset, *self.given[preset].words, "-o", folder, "--id", job_id)
        chance = random.Random(f"{seed} {preset}")
        moments = sorted(chance.sample(range(whole), len(DEATHS)))
        for moment, dies in zip(moments, chance.sample(list(DEATHS), len(DEATHS)), strict=True):
            self.service.start(*command)
            self._until(moment, job_id)
            time.sleep(chance.uniform(0, 0.3))
            print(f"seed {seed}: {dies} died at part {self.parts()} of {whole}")  # noqa: T201
            DEATHS[dies](self.service)
        done = self.service.run(*command)
        assert done.returncode == 0, done.stderr
        until(lambda: not self.service.encoders(), 10, "no encoder left")
        return tree(folder, job_id)

    def _until(self, moment: int, job_id: str) -> None:
        ended = self.service.home / "jobs" / f"{job_id}.json"
        until(lambda: self.parts() >= moment or ended.exists(), 120, f"part {moment}")
        assert not ended.exists(), f"it was over before part {moment}"

    def parts(self) -> int:
        """Finished parts in the work store: how far the only pipeline is."""
        return len(list((self.service.home / "work" / "objects").glob("*/*")))

    def probed(self, path: Path) -> Any:
        return self.service.json("probe", path)


def from_corpus(folder: Path) -> dict[str, Given]:
    upload = film(folder / "upload.mkv", CORPUS / "car-detection.mp4", CORPUS / "voice-zeus.mp3")
    lecture = film(
        folder / "lecture.mkv",
        CORPUS / "increasing-timestamps-360p.mp4",
        CORPUS / "voice-andromeda.mp3",
    )
    archive = film(folder / "archive.mkv", CORPUS / "cockatoo.mp4", CORPUS / "jfk.flac", seconds=2)
    jingles = [
        cut(CORPUS / f"bumper-{name}.mp3", folder / f"{name}.mp3", 3) for name in ("intro", "outro")
    ]
    parts = (CORPUS / "caller.wav", CORPUS / "voice-apollo.mp3")
    episode = (*(f"parts={part}" for part in parts), *(f"{path.stem}={path}" for path in jingles))
    return {
        "video-upload": Given((f"video={upload}",), ("language=en",), "flamingos"),
        "podcast-episode": Given(episode, EPISODE, "Venus"),
        "lecture": Given((f"recording={lecture}",), ("language=en",), "brain"),
        "archive": Given((f"film={archive}",)),
    }


def made_here(folder: Path) -> dict[str, Given]:
    talks = [
        say(words).write(folder / f"{number}.wav")
        for number, words in enumerate(("We will meet again on Monday.", "The weather is fine."))
    ]
    picture = folder / "picture.mp4"
    run("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-pix_fmt", "yuv420p", picture)
    talk = film(folder / "talk.mkv", picture, talks[0])
    return {
        "video-upload": Given((f"video={talk}",), ("language=en",), "Monday"),
        "podcast-episode": Given(tuple(f"parts={part}" for part in talks), EPISODE, "again"),
        "lecture": Given((f"recording={talk}",), ("language=en",), "Monday"),
        "archive": Given((f"film={talk}",)),
    }


def film(target: Path, picture: Path, sound: Path, seconds: float = 4) -> Path:
    """The beginning of a picture with that of a sound, both as they are."""
    reads = [word for path in (picture, sound) for word in ("-t", seconds, "-i", path)]
    run(*reads, "-map", "0:v:0", "-map", "1:a:0", "-c", "copy", target)
    return target


def cut(source: Path, target: Path, seconds: float) -> Path:
    run("-t", seconds, "-i", source, "-c", "copy", target)
    return target


def tree(folder: Path, job_id: str) -> dict[str, Any]:
    """All files by their bytes. Of archive's report it leaves out what no two runs have in common:
    their ids, where their outputs lie, and what they cost."""
    found: dict[str, Any] = dict(files(folder))
    if "report.json" in found:
        text = found["report.json"].decode().replace(str(folder), "OUT").replace(job_id, "ID")
        found["report.json"] = [step | {"stats": None} for step in json.loads(text)["steps"]]
    return found
