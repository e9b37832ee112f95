"""What a Stitch may say, and how its preset completes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from longtake import InvalidJob, Stitch
from longtake.cli.stitch import _show
from longtake.documents import read_document
from longtake.identity import content_hash, located, summary
from longtake.kinds import parse, to_json
from longtake.stitching import resolve_stitch, stitch_presets


def job(*parts: dict[str, Any], **asked: Any) -> Stitch:
    timeline = list(parts) or [{"source": "a.wav"}, {"source": "b.wav"}]
    whole = {"kind": "stitch", "timeline": timeline, "outputs": [{"uri": "out.mp3"}], **asked}
    found = parse(whole)
    assert isinstance(found, Stitch)
    return found


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"outputs": [{"uri": "song.wma"}]}, "use one of .mp3, .m4a, .opus"),
        ({"outputs": [{"uri": "film.webm"}]}, "use one of .*.mp4, .m4v, .mov, .mkv"),
        ({"outputs": [{"uri": "a.mp4"}, {"uri": "b.mov"}]}, "one output may have the pictures"),
        ({"outputs": [{"uri": "a.mp4"}], "segments": True}, "name one of sound first"),
        ({"picture": {"size": "321x180"}}, "even number"),
        ({"picture": {"codec": "vp9"}}, "h264"),
        ({"outputs": [{"uri": "a.flac", "vbr": 2}]}, "vbr is for mp3"),
        ({"outputs": [{"uri": "a.mp3", "vbr": 2, "bitrate_bps": 96_000}]}, "drop one"),
        ({"outputs": [{"uri": "a.wav", "bitrate_bps": 96_000}]}, "keeps every sample"),
        (
            {"outputs": [{"uri": "a.mp3", "bitrate_bps": 999_000}]},
            "at most 320,000 bit/s, not 999,000",
        ),
        ({"outputs": [{"uri": "a.wav"}]}, "files of their own"),
        ({"outputs": []}, "1 to 8 outputs"),
        ({"timeline": []}, "1 to 100 parts"),
        ({"join": {"gap_s": 1, "crossfade_s": 1}}, "drop one"),
        ({"timeline": [{"source": "a", "role": "music-bed"}]}, "no music-bed"),
        ({"timeline": [{"source": "a"}, {"source": "b", "role": "music-bed"}]}, "behind it"),
        ({"timeline": [{"source": "a", "duck_db": 3}]}, "of a music-bed"),
        ({"timeline": [{"source": "a", "start": 2, "end": 1}]}, "must lie behind"),
        ({"timeline": [{"source": "a", "trim": True}]}, r"an object: \{\} for both ends"),
        ({"timeline": [{"source": "a", "name": "Caller"}]}, "'Caller' will not do; use small"),
        ({"timeline": [{"source": "a", "fade_in": {"length_s": 1, "curve": "x"}}]}, "qsin"),
        (
            {"segments": True, "timeline": [{"source": "a", "name": "02"}, {"source": "b"}]},
            "02.mp3",
        ),
        ({"outputs": [{"uri": "a.mp3"}, {"uri": "a.mp3"}]}, "two files would be called a.mp3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_contradicts_itself_is_refused_in_words(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob, match=words):
        job(**asked)


def test_places_in_lists_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = located(job(cover="cover.jpg"))
    assert found.sources == tuple(str(tmp_path / n) for n in ("a.wav", "b.wav", "cover.jpg"))
    assert found.targets == (str(tmp_path / "out.mp3"),)
    assert summary(found) == "stitch a.wav, b.wav, cover.jpg → out.mp3"


def test_words_for_stages_make_no_other_job() -> None:
    said = job(stage_labels={"stitching": "GENERATING_AUDIO"})
    assert content_hash(said) == content_hash(job())
    with pytest.raises(InvalidJob, match="stage_labels"):
        job(stage_labels={"singing": "LA"})


def test_files_of_parts_are_named_after_the_first_output() -> None:
    bed = {"source": "bed.mp3", "role": "music-bed"}
    parts = (bed, {"source": "a.wav"}, {"source": "b.mp3", "role": "bumper", "name": "jingle"})
    asked = job(*parts, segments=True, outputs=[{"uri": "/o/ep.1.mp3"}])
    found = [asked.segment_uri(number) for number in range(3)]
    assert found == [None, "/o/ep.1-01.mp3", "/o/ep.1-jingle.mp3"]
    assert job(*parts, segments=["bumper"]).segment_uri(1) is None
    assert job(*parts).segment_uri(1) is None
    assert asked.beside_uri("chapters") == "/o/ep.1.chapters.json"


def test_a_preset_completes_the_job_and_never_overrules_it() -> None:
    parts = (
        {"source": "a.wav"},
        {"source": "b.wav", "trim": False},
        {"source": "c.mp3", "role": "bumper", "join": {"gap_s": 2}},
    )
    whole = resolve_stitch(job(*parts, preset="podcast-episode", channels=1))
    assert whole.channels == 1
    assert whole.sample_rate == 44_100
    assert whole.join is not None
    assert whole.join.crossfade_s == 1
    caller, answer, bumper = whole.timeline
    assert caller.trim
    assert caller.trim.longest_pause_s == 1
    assert answer.trim is False
    assert bumper.trim
    assert bumper.trim.threshold_dbfs == -60
    assert bumper.join is not None
    assert bumper.join.gap_s == 2
    assert whole.outputs[0].bitrate_bps == 128_000
    assert resolve_stitch(job()).outputs[0].bitrate_bps == 160_000
    with pytest.raises(InvalidJob, match="voice-memo"):
        resolve_stitch(job(preset="radio"))


def test_the_presets_complete_a_job() -> None:
    for name in stitch_presets():
        whole = resolve_stitch(job(preset=name))
        assert whole.aim(2).integrated_lufs == (-20 if name == "audiobook-chapter" else -16)


def test_a_part_may_be_its_source_alone(tmp_path: Path) -> None:
    found = job(timeline=["a.wav", {"source": "b.wav"}])
    assert found == job()
    assert to_json(found) == to_json(job())
    item = Stitch.model_json_schema()["properties"]["timeline"]["items"]
    assert [kind.get("type", kind.get("$ref")) for kind in item["anyOf"]] == [
        "string",
        "#/$defs/Part",
    ]
    (tmp_path / "show.yaml").write_text("timeline: [a.wav, b.wav]\noutputs: [{uri: out.mp3}]\n")
    told = parse(_show(tmp_path / "show.yaml", []))
    assert told.sources == (str(tmp_path / "a.wav"), str(tmp_path / "b.wav"))
    with pytest.raises(InvalidJob, match=r"timeline\.0: a part is its source"):
        job(timeline=[7])
    with pytest.raises(InvalidJob, match="timeline: Input should be a list"):
        job(timeline="a.wav")
    with pytest.raises(InvalidJob, match="fade_in: Input should be an object"):
        job({"source": "a.wav", "fade_in": 3})


def test_tags_are_text_as_people_write_them(tmp_path: Path) -> None:
    file = tmp_path / "show.yaml"
    file.write_text(
        "timeline: [{source: a.wav}]\noutputs: [{uri: b.mp3}]\n"
        "tags: {date: 2026-01-31, track: 3, title: '7'}\n"
    )
    job = Stitch.model_validate(read_document(file))
    assert job.tags == {"date": "2026-01-31", "track": "3", "title": "7"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("timeline: []\noutputs: []\ntimeline: []\n", "timeline is there twice.*line 3"),
        ("timeline:\n- {source: a.wav\noutputs: []\n", "line 3"),
        ("[1, 2]: {[3]: 4}\n", "unhashable key.*line 1"),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_with_the_line(
    text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "show.yaml").write_text(text)
    with pytest.raises(yaml.YAMLError, match=f"(?s){words}"):
        read_document(tmp_path / "show.yaml")
