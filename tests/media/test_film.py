"""Films of all kinds become one: every frame that is due, at its time, and the sound with it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from longtake.contracts import Stitch
from longtake.errors import InputUnsupported, InvalidJob
from longtake.stitching import resolve_stitch
from media.probing.in_child import inspect_in_child
from media.programme.plan import plan_stitch
from tests.media.engine import run
from tests.media.programme import decoded, stitch
from tests.media.test_stitch import tone

QUICK: dict[str, Any] = {"speed": "ultrafast", "crf": 12}
RATE = 48_000


def counted(
    path: Path,
    *options: str,
    first: int = 0,
    frames: int = 50,
    rate: str = "25",
    size: str = "320x180",
    codec: str = "libx264",
) -> str:
    """A film whose frames tell their number by how bright they are, 3 a frame from 40 on, and
    whose sound tells it by how loud it is."""
    grey = f"40+3*mod(N+{first}\\,60)"
    seconds = frames / float(Fraction(rate))
    run(
        *("-f", "lavfi", "-i", f"color=gray:s={size}:r={rate}:d={seconds}"),
        *("-f", "lavfi", "-i", f"sine=f=440:r={RATE}:d={seconds}"),
        *("-vf", f"geq=lum='{grey}':cb=128:cr=128", "-frames:v", str(frames)),
        *("-c:v", codec, "-crf", "8", "-g", "20", "-pix_fmt", "yuv420p", "-shortest"),
        *(*options, "-c:a", "libopus" if path.suffix == ".webm" else "aac", path),
    )
    return str(path)


def brightness(path: Path) -> list[int]:
    """Luma of every frame, in its middle."""
    raw = path.with_suffix(".raw")
    run(
        *("-i", path, "-map", "0:v:0", "-vf", "crop=16:16", "-fps_mode", "passthrough"),
        *("-pix_fmt", "yuv420p", "-f", "rawvideo", raw),
    )
    return list(raw.read_bytes()[:: 16 * 16 * 3 // 2])


def times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds."""
    listed = run(
        *("-copyts", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough"),
        *("-enc_time_base", "demux", "-f", "framemd5", "-"),
    )
    base, found = Fraction(1), []
    for line in listed.splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif not line.startswith("#"):
            found.append(int(line.split(",")[2]) * base)
    return found


async def test_what_a_programme_leaves_out_of_its_parts_is_told(tmp_path: Path) -> None:
    words, plain, rich = tmp_path / "a.srt", counted(tmp_path / "a.mp4"), tmp_path / "b.mkv"
    words.write_text("1\n00:00:00,500 --> 00:00:01,000\nHi\n")
    tracks = [word for each in ("0:v", "0:a", "0:a", "1:s") for word in ("-map", each)]
    run("-i", plain, "-i", words, *tracks, "-c", "copy", rich)
    looks = [await inspect_in_child(Path(path)) for path in (plain, rich)]
    indexes = {n: index for n, (_, index) in enumerate(looks) if index is not None}
    parts = [{"source": plain}, {"source": str(rich)}]
    told: dict[str, tuple[str, ...]] = {}
    for output in ("out.mp4", "out.mp3"):
        job = Stitch.model_validate({"timeline": parts, "outputs": [{"uri": f"/{output}"}]})
        plan = plan_stitch(resolve_stitch(job), [facts for facts, _ in looks], indexes)
        told[output] = plan.warnings
    sound = "part 2 (b.mkv): 1 of its 2 sound tracks are left out"
    assert told["out.mp4"] == ("part 2 (b.mkv): its subtitles are left out", sound)
    assert [words for words in told["out.mp3"] if "picture" not in words] == [sound]


async def test_cuts_show_every_frame_of_every_part(tmp_path: Path) -> None:
    parts = [
        {"source": counted(tmp_path / "a.mp4", frames=50)},
        {"source": counted(tmp_path / "b.mkv", "-bf", "3", frames=30, first=10), "end": "1"},
        {"source": counted(tmp_path / "c.mp4", frames=40, first=5), "start": "0.4", "end": "1.2"},
    ]
    out = tmp_path / "out.mp4"
    made = await stitch(tmp_path, timeline=parts, outputs=[{"uri": str(out)}], picture=QUICK)
    wanted = [*range(50), *range(10, 35), *range(15, 35)]
    assert times(out) == [Fraction(n, 25) for n in range(len(wanted))]
    assert brightness(out) == pytest.approx([40 + 3 * n for n in wanted], abs=2)
    assert len(decoded(out, tmp_path, RATE, 1)) == pytest.approx(len(wanted) * RATE // 25, abs=1024)
    assert made.timeline.samples == len(wanted) * RATE // 25


async def test_a_crossfade_shows_both_and_takes_its_time_off(tmp_path: Path) -> None:
    parts = [
        {"source": counted(tmp_path / "a.mp4", frames=50)},
        {"source": counted(tmp_path / "b.mp4", frames=45, first=10)},
        {"source": counted(tmp_path / "c.mp4", frames=40)},
    ]
    out = tmp_path / "out.mp4"
    made = await stitch(
        tmp_path,
        timeline=parts,
        join={"crossfade_s": "0.4"},
        outputs=[{"uri": str(out)}],
        picture=QUICK,
    )
    assert made.plan.film is not None
    assert [piece.fades for piece in made.plan.film.pieces()].count(True) == 2
    assert times(out) == [Fraction(n, 25) for n in range(50 + 45 + 40 - 2 * 10)]
    seen = brightness(out)
    of_a = [40 + 3 * n for n in range(50)]
    of_b = [40 + 3 * n for n in range(10, 55)]
    of_c = [40 + 3 * n for n in range(40)]
    assert seen[:40] == pytest.approx(of_a[:40], abs=2)
    assert seen[50:75] == pytest.approx(of_b[10:35], abs=2)
    assert seen[85:] == pytest.approx(of_c[10:], abs=2)
    shares = [
        (at - a) / (b - a) for at, a, b in zip(seen[40:50], of_a[40:], of_b[:10], strict=True)
    ]
    assert shares == pytest.approx([n / 10 for n in range(10)], abs=0.1)
    assert made.timeline.samples == 115 * RATE // 25


def flashing(path: Path, *options: str, rate: str = "25", sound: int = RATE) -> str:
    """Two seconds in which the picture turns white after one, and a beep begins with it."""
    seconds = 2.0
    run(
        *("-f", "lavfi", "-i", f"color=black:s=160x90:r={rate}:d={seconds}"),
        *("-f", "lavfi", "-i"),
        f"aevalsrc='if(between(t,1,1.2),0.5*sin(2*PI*1000*t),0)':s={sound}:d={seconds}",
        *("-vf", "drawbox=c=white:t=fill:enable='between(t,0.99,1.19)'", "-pix_fmt", "yuv420p"),
        *("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-c:a", "aac"),
        *(*options, path),
    )
    return str(path)


def onsets(levels: Sequence[float], quiet: int) -> list[int]:
    """Where something begins after at least `quiet` values of less than a third of the most."""
    third, last, found = max(levels) / 3, -quiet, []
    for at, level in enumerate(levels):
        if level > third:
            if at - last >= quiet:
                found.append(at)
            last = at
    return found


@pytest.mark.parametrize(("suffix", "crossfade"), [(".mp4", "0"), (".mp4", "0.4"), (".mkv", "0.4")])
async def test_picture_and_sound_are_together_behind_every_join(
    suffix: str, crossfade: str, tmp_path: Path
) -> None:
    """Whatever rates the parts have, and wherever their sound begins."""
    late = tmp_path / "late.mp4"
    flashing(tmp_path / "c.mp4")
    whole = ("-i", tmp_path / "c.mp4", "-itsoffset", "0.5", "-ss", "0.5", "-i", tmp_path / "c.mp4")
    run(*whole, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    parts = [
        flashing(tmp_path / "a.mp4"),
        flashing(tmp_path / "b.mkv", rate="30000/1001", sound=44_100),
        str(late),
        flashing(tmp_path / "d.mp4", rate="50", sound=32_000),
    ]
    out = tmp_path / f"out{suffix}"
    made = await stitch(
        tmp_path,
        timeline=[{"source": part} for part in parts],
        join={"crossfade_s": crossfade},
        outputs=[{"uri": str(out)}],
        picture=QUICK,
    )
    assert made.plan.film is not None
    step = 2 - float(crossfade)
    assert_together(out, tmp_path, [1 + n * step for n in range(4)])


def assert_together(film: Path, folder: Path, wanted: list[float]) -> None:
    seen, shown = times(film), onsets(brightness(film), 10)
    assert [float(seen[at]) for at in shown] == pytest.approx(wanted, abs=0.001)
    heard = onsets([abs(sample) for sample in decoded(film, folder, RATE, 1)], RATE // 2)
    assert [at / RATE for at in heard] == pytest.approx(wanted, abs=0.005)


async def test_copied_pictures_are_together_with_their_sound(tmp_path: Path) -> None:
    parts = [{"source": flashing(tmp_path / f"{name}.mp4")} for name in "abc"]
    parts[1] |= {"start": "1"}
    out = tmp_path / "out.mp4"
    made = await stitch(tmp_path, timeline=parts, outputs=[{"uri": str(out)}])
    assert made.plan.film is not None
    assert made.plan.film.encoded is None
    assert_together(out, tmp_path, [1, 2, 4])


async def test_parts_of_every_kind_become_one_picture(tmp_path: Path) -> None:
    """Portrait, other rates, interlaced, without sound: fitted in, at the first one's rate."""
    parts = [
        {"source": counted(tmp_path / "a.mp4", frames=50)},
        {"source": counted(tmp_path / "b.webm", size="180x320", codec="libvpx-vp9", frames=30)},
        {"source": counted(tmp_path / "c.mp4", rate="30000/1001", frames=60)},
        {"source": counted(tmp_path / "d.mkv", rate="15", frames=30, codec="mpeg4")},
    ]
    out = tmp_path / "out.mov"
    made = await stitch(
        tmp_path,
        timeline=parts,
        join={"crossfade_s": "0.2"},
        outputs=[{"uri": str(out)}, {"uri": str(tmp_path / "out.mp3")}],
        picture=QUICK,
    )
    assert made.plan.film is not None
    assert [shot.frames for shot in made.plan.film.shots] == [50, 30, 50, 50]
    whole = 180 - 3 * 5
    assert times(out) == [Fraction(n, 25) for n in range(whole)]
    video = made.facts[0].video[0]
    assert (video.width, video.height) == (320, 180)
    assert made.facts[0].audio[0].duration_s == pytest.approx(whole / 25, abs=0.03)
    assert made.facts[1].duration_s == pytest.approx(whole / 25, abs=0.03)


async def test_a_part_that_does_not_tell_its_pixels_shape_has_square_ones(tmp_path: Path) -> None:
    parts = [
        {"source": counted(tmp_path / "untold.mkv", "-vf", "setsar=0", frames=10)},
        {"source": counted(tmp_path / "square.mp4", frames=10, size="160x90")},
    ]
    out = tmp_path / "out.mp4"
    await stitch(tmp_path, timeline=parts, outputs=[{"uri": str(out)}], picture=QUICK)
    assert times(out) == [Fraction(n, 25) for n in range(20)]


async def test_parts_that_are_alike_are_copied(tmp_path: Path) -> None:
    """Packet by packet, cut at keyframes; the picture of anything else is encoded."""
    a, b = (tmp_path / f"{name}.mp4" for name in "ab")
    counted(a, "-bf", "2", frames=50)
    counted(b, "-bf", "2", frames=60, first=7)
    out = tmp_path / "out.mp4"
    parts = [{"source": str(a)}, {"source": str(b), "start": "0.8", "end": "1.6"}]
    made = await stitch(tmp_path, timeline=parts, outputs=[{"uri": str(out)}])
    assert made.plan.film is not None
    assert made.plan.film.encoded is None
    wanted = [*range(50), *range(7 + 20, 7 + 40)]
    assert times(out) == [Fraction(n, 25) for n in range(len(wanted))]
    assert brightness(out) == pytest.approx([40 + 3 * n for n in wanted], abs=1)
    assert packets(out) == packets(a) + packets(b)[20:40]

    parts[1]["start"] = "0.84"
    made = await stitch(tmp_path, timeline=parts, outputs=[{"uri": str(out)}])
    assert made.plan.film is not None
    assert "part 2 (b.mp4): it is not cut at keyframes" in made.plan.film.in_words
    assert len(times(out)) == 50 + 19


def packets(path: Path) -> list[bytes]:
    """The picture's, byte by byte."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


async def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    film, sound = counted(tmp_path / "a.mp4", frames=25), tone(tmp_path / "b.wav", 440, "1")
    outputs = [{"uri": str(tmp_path / "out.mp4")}]
    with pytest.raises(InputUnsupported, match=r"part 2 \(b.wav\) has no picture"):
        await stitch(tmp_path, timeline=[{"source": film}, {"source": sound}], outputs=outputs)
    gap = {"source": film, "join": {"gap_s": "1"}}
    with pytest.raises(InvalidJob, match="a gap has no picture"):
        await stitch(tmp_path, timeline=[{"source": film}, gap], outputs=outputs)
    trimmed = {"source": film, "trim": {}}
    with pytest.raises(InvalidJob, match="silence is not trimmed"):
        await stitch(tmp_path, timeline=[trimmed], outputs=outputs)
