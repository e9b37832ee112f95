"""A programme is a job like any other: kept through kills part by part, told with its levels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.service import Service, until
from tests.media.engine import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short jingle, and two talks with silence at both ends."""
    folder = tmp_path_factory.mktemp("studio")
    word = "(0.001+0.2*between(t,1,{end})*abs(sin(4*t)))*(2*random({n})-1)"
    for n, (name, seconds) in enumerate([("caller", 20), ("answer", 30)]):
        source = f"aevalsrc='{word.format(end=seconds - 2, n=n)}':s=24000:d={seconds}"
        run("-f", "lavfi", "-i", source, folder / f"{name}.wav")
    run("-f", "lavfi", "-i", "sine=330:r=44100:d=3", "-ac", 2, folder / "jingle.mp3")
    run("-f", "lavfi", "-i", "sine=440:r=44100:d=4", "-ac", 2, folder / "outro.mp3")
    return folder


def made(service: Service) -> dict[str, int]:
    """Finished parts in the work store, and their inodes."""
    objects = (service.home / "work" / "objects").glob("*/*")
    kinds = ("prepared-", "mix-", "level-", "chunk-", "crossfade-", "copied-")
    return {path.name: path.stat().st_ino for path in objects if path.name.startswith(kinds)}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three parts, each of another kind, long enough to be met while they are encoded."""
    folder = tmp_path_factory.mktemp("films")
    kinds = [
        ("a.mp4", "640x360", "25", "libx264", 12),
        ("b.webm", "360x640", "30", "libvpx-vp9", 6),
        ("c.mov", "480x360", "30000/1001", "libx264", 6),
    ]
    for name, size, rate, codec, seconds in kinds:
        run(
            *("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}"),
            *("-f", "lavfi", "-i", f"sine=330:r=48000:d={seconds}", "-pix_fmt", "yuv420p"),
            *("-c:v", codec, "-g", "30", "-b:v", "1M"),
            *(("-cpu-used", "8", "-deadline", "realtime") if codec == "libvpx-vp9" else ()),
            *("-c:a", "libopus" if name.endswith("webm") else "aac", folder / name),
        )
    return [folder / name for name, *_ in kinds]


def film(parts: list[Path], out: Path, crossfade_s: str = "0.5") -> dict[str, Any]:
    return {
        "timeline": [{"source": str(part)} for part in parts],
        "join": {"crossfade_s": crossfade_s},
        "picture": {"speed": "slow"},
        "outputs": [{"uri": str(out)}],
        "tags": {"title": "A film"},
    }


@pytest.mark.kill
def test_a_film_goes_on_after_kills_and_gives_the_same_bytes(
    service: Service, films: list[Path]
) -> None:
    folder = films[0].parent
    job = written(folder, "a", film(films, service.out / "undisturbed.mp4"))
    first = service.json("stitch", job)
    service.forget_work()
    job = written(folder, "b", film(films, service.out / "film.mp4"))
    assert service.run("stitch", job, "--id", "film", "--no-wait").returncode == 0
    until(lambda: pictures(service) and encoding(service), 90, "a piece is made, another begun")
    before = made(service)
    encoding(service)[0].kill()
    until(lambda: len(pictures(service)) > 1 and encoding(service), 90, "another is made")
    before |= made(service)
    service.worker().kill()
    result = service.json("watch", "film")
    assert result["state"] == "succeeded"
    assert before.items() <= made(service).items(), "a finished piece was made again"
    assert result["stats"]["retries"] >= 2
    (output,) = result["outputs"]
    assert output["sha256"] == first["outputs"][0]["sha256"]
    assert output["media"]["video"][0]["frames"] == (12 + 6 + 6) * 25 - 2 * 12
    assert output["media"]["tags"]["title"] == "A film"
    assert output["loudness"][0]["after"]["integrated_lufs"] == pytest.approx(-19, abs=0.1)  # mono
    assert result["decisions"]["picture"].startswith("encoded, 640x360 at 25 frames per second")

    # Another end: what is before it stays, but for the frames in which it was faded in.
    ending = films[0].with_name("end.mov")
    run("-i", films[2], "-vf", "negate", "-c:a", "copy", ending)
    before = made(service)
    job = written(folder, "c", film([*films[:2], ending], service.out / "other.mp4"))
    again = service.json("stitch", job)
    new = sorted(name.partition("-")[0] for name in made(service).keys() - before.keys())
    ends = new.count("chunk")
    assert new == [*["chunk"] * ends, "crossfade", "level", "mix", "prepared"]
    assert again["stats"]["counts"] == "steps"
    assert again["stats"]["chunks"] - again["stats"]["chunks_reused"] == ends + 4
    assert ends <= 2


def pictures(service: Service) -> list[str]:
    """Finished pieces of the picture."""
    return [name for name in made(service) if name.startswith(("chunk-", "crossfade-"))]


def encoding(service: Service) -> list[psutil.Process]:
    """Encoders of pieces of the picture."""
    return [each for each in service.encoders() if "libx264" in each.cmdline()]


def test_films_that_are_alike_are_copied(service: Service, films: list[Path]) -> None:
    document = film([films[0], films[0]], service.out / "twice.mp4", "0")
    del document["picture"]
    result = service.json("stitch", written(films[0].parent, "d", document))
    assert result["decisions"]["picture"] == "copied: the parts are alike"
    assert result["outputs"][0]["media"]["video"][0]["frames"] == 2 * 12 * 25


def show(studio: Path, out: Path, name: str, **changed: Any) -> dict[str, Any]:
    """A show, as it would lie beside its recordings."""
    return {
        "preset": "podcast-episode",
        "beside": ["chapters", "peaks", "waveform"],
        "stage_labels": {"stitching": "GENERATING_AUDIO"},
        "timeline": [
            {"source": "jingle.mp3", "role": "bumper"},
            {"source": "caller.wav", "name": "caller", "chapter": "The call"},
            {"source": "answer.wav", "name": "answer", "chapter": "The answer"},
            {"source": changed.get("outro", "jingle.mp3"), "role": "bumper"},
        ],
        "outputs": [{"uri": str(out / f"{name}.mp3")}],
        "tags": {"title": "A show"},
    }


def written(folder: Path, name: str, document: dict[str, Any]) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.kill
def test_a_killed_worker_goes_on_part_by_part_and_gives_the_same_bytes(
    service: Service, studio: Path
) -> None:
    first = service.json("stitch", written(studio, "a", show(studio, service.out, "undisturbed")))
    service.forget_work()
    command = ("stitch", written(studio, "b", show(studio, service.out, "episode")))
    done = service.run(*command, "--id", "show", "--no-wait")
    assert done.returncode == 0, done.stderr
    until(lambda: made(service), 90, "a part is prepared")
    before = made(service)
    service.worker().kill()
    labels = {str(service.json("status", "show")["progress"]["label"])}
    result = service.json("watch", "show")
    assert result["state"] == "succeeded"
    assert before.items() <= made(service).items(), "a finished part was made again"
    assert labels <= {"GENERATING_AUDIO", "None"}
    assert [output["sha256"] for output in result["outputs"]] == [
        output["sha256"] for output in first["outputs"]
    ]

    names = [Path(output["uri"]).name for output in result["outputs"]]
    assert names == [
        *("episode.mp3", "episode-caller.mp3", "episode-answer.mp3"),
        *("episode.chapters.json", "episode.peaks.json", "episode.waveform.png"),
    ]
    for output in result["outputs"][:3]:
        (track,) = output["loudness"]
        assert track["after"]["integrated_lufs"] == pytest.approx(-16, abs=0.1)
        assert track["after"]["true_peak_dbtp"] <= -1
        assert output["media"]["audio"][0]["channels"] == 2
    read = [Path(source["uri"]).name for source in result["sources"]]
    assert read == ["jingle.mp3", "caller.wav", "answer.wav"]
    assert result["outputs"][0]["media"]["tags"]["title"] == "A show"
    assert len(result["outputs"][0]["media"]["chapters"]) == 2
    chapters = json.loads((service.out / "episode.chapters.json").read_text())["chapters"]
    assert [chapter["title"] for chapter in chapters] == ["The call", "The answer"]
    peaks = json.loads((service.out / "episode.peaks.json").read_text())
    seconds = result["outputs"][0]["media"]["duration_s"]
    assert peaks["length"] == pytest.approx(seconds * 44_100 / 256, abs=8)
    assert (service.out / "episode.waveform.png").read_bytes().startswith(b"\x89PNG")
    assert "s of silence taken out" in result["decisions"]["part 2 (caller.wav)"]


def test_another_outro_leaves_the_speech_as_it_is(service: Service, studio: Path) -> None:
    other = written(studio, "c", show(studio, service.out, "other", outro="outro.mp3"))
    again = service.json("stitch", other)
    # Three parts of four, and both files of a part alone; the mix and its file are new.
    assert (again["stats"]["chunks"], again["stats"]["chunks_reused"]) == (8, 5)


def test_what_a_file_of_a_part_does_not_take_is_told_under_its_name(
    service: Service, studio: Path
) -> None:
    show = {
        "timeline": [{"source": "jingle.mp3", "name": "first"}, {"source": "outro.mp3"}],
        "outputs": [{"uri": str(service.out / "parts.wav")}],
        "segments": True,
        "tags": {"lyrics": "la"},
    }
    result = service.json("stitch", written(studio, "parts", show))
    assert result["warnings"] == [
        f"{name}.wav: tags that WAV did not take: lyrics"
        for name in ("parts", "parts-first", "parts-02")
    ]


def test_the_short_form_makes_a_show(service: Service, studio: Path) -> None:
    talk = studio / "short.wav"
    run("-i", studio / "caller.wav", "-t", 8, talk)
    jingle = studio / "jingle.mp3"
    bumpers = ("--intro", jingle, "--outro", jingle, "--between", jingle)
    options = ("--crossfade", "0.5s", "--trim-silence", "--target", "streaming")
    files = ("-o", service.out / "short.flac", "-o", service.out / "short.opus")
    result = service.json("stitch", talk, talk, *bumpers, *options, *files)
    assert [Path(output["uri"]).name for output in result["outputs"]] == [
        "short.flac",
        "short.opus",
    ]
    for output in result["outputs"]:
        level = output["loudness"][0]["after"]["integrated_lufs"]
        assert level == pytest.approx(-14, abs=0.1)
    programme = result["decisions"]["programme"]
    spoken = 2 * (8 - 1 + 0.1)
    assert float(programme.partition(" ")[0]) == pytest.approx(9 + spoken - 4 * 0.5, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.wav", "-o", "out.webm"), "use one of"),
        (("a.wav",), "-o OUT.mp3"),
        (("gone.wav", "-o", "out.mp3"), "gone.wav"),
        (("a.wav", "-o", "out.mp3", "-p", "radio"), "podcast-episode"),
        (("show.yaml", "-o", "out.mp3"), "says it all"),
        (("a.wav", "-o", "out.mp3", "--crossfade", "soon"), "crossfade_s"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_asked_is_told(
    service: Service, studio: Path, arguments: tuple[str, ...], words: str
) -> None:
    (studio / "a.wav").touch()
    named = [word if word.startswith("-") else _in(studio, word) for word in arguments]
    done = service.run("stitch", *named)
    assert done.returncode == 2
    assert words in done.stderr


def _in(folder: Path, word: str) -> str:
    return str(folder / word) if "." in word else word
