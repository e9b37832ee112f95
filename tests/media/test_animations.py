"""Clips as GIF, WebP and AVIF: every frame at its time, shown for ever, in the right colours."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import PIL.AvifImagePlugin
import PIL.Image
import pytest

from longtake.contracts import Transcode
from longtake.contracts.encode import VideoOptions
from longtake.errors import InputCorrupt, InputUnsupported, InvalidJob
from longtake.presets import resolve
from media.ffmpeg.tools import ffmpeg
from media.probing.animation_files import read_animation
from media.transcode.tracks import sound_left_out
from tests.media.engine import transcode
from tests.media.pixels import shot
from tests.patience import WAIT_S

SUFFIXES = ("gif", "webp", "avif")


def run(*words: str) -> bytes:
    """What FFmpeg writes to stdout. No word has a space in it."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-y"]
    command += [word for some in words for word in some.split()]
    return subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S).stdout


def make(target: Path, *words: str) -> Path:
    run(*words, str(target))
    return target


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of test picture at 25 frames a second, with sound from before it on."""
    return make(
        tmp_path_factory.mktemp("moving") / "moving.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=d=2",
        "-c:v libx264 -preset ultrafast -g 10 -c:a aac",
    )


def decoded(path: Path) -> int:
    """How many frames a stranger sees. AVIF's first stream is its still image."""
    where = "0:v:1" if path.suffix == ".avif" else "0:v:0"
    told = run("-i", str(path), "-map", where, "-fps_mode passthrough -f framecrc -").decode()
    return sum(not line.startswith("#") for line in told.splitlines())


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_a_clip_has_every_frame_at_its_time_and_is_shown_for_ever(
    moving: Path, tmp_path: Path, suffix: str
) -> None:
    made = await transcode(
        moving,
        tmp_path / f"out.{suffix}",
        start=Fraction(1, 2),
        video={"frame_rate": "12.5", "fit": "160x160"},
    )
    animation = read_animation(made.path)
    assert (animation.width, animation.height) == (160, 90)
    assert animation.loops == 0
    assert animation.starts == tuple(Fraction(8 * n, 100) for n in range(19))
    assert abs(animation.end - Fraction(3, 2)) <= Fraction(8, 100)
    assert decoded(made.path) == 19
    assert made.facts.video[0].frames == 19
    assert not made.facts.audio


async def test_rates_that_gif_has_no_time_for_stay_within_its_tick(
    moving: Path, tmp_path: Path
) -> None:
    made = await transcode(moving, tmp_path / "out.gif", video={"frame_rate": 15, "fit": "160x160"})
    animation = read_animation(made.path)
    wanted = [Fraction(n, 15) for n in range(30)]
    assert len(animation.starts) == 30
    for at, right in zip(animation.starts, wanted, strict=True):
        assert abs(at - right) <= Fraction(1, 100)
    assert animation.end == 2


async def test_a_still_stretch_is_shown_for_as_long(tmp_path: Path) -> None:
    source = make(
        tmp_path / "still.mkv",
        "-f lavfi -i testsrc2=s=160x90:r=20:d=1",
        "-vf tpad=stop=20:stop_mode=clone -c:v ffv1",
    )
    made = await transcode(source, tmp_path / "out.webp")
    animation = read_animation(made.path)
    assert len(animation.starts) < 40  # WebP stores nothing where nothing moves
    assert abs(animation.end - 2) <= Fraction(1, 20)


COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


@pytest.mark.parametrize("suffix", ["gif", "webp"])
async def test_hd_colours_are_right(tmp_path: Path, suffix: str) -> None:
    """The source is BT.709, a WebP is BT.601 and a GIF is RGB: a wrong matrix would show."""
    quarters = "".join(
        f",drawbox={320 * n}:0:320:720:{name}:fill" for n, name in enumerate(COLOURS)
    )
    source = make(
        tmp_path / "quarters.mp4",
        *("-f", "lavfi", "-i", f"color=s=1280x720:r=10:d=0.5,format=gbrp{quarters}"),
        *("-vf", "scale=out_color_matrix=bt709:out_range=limited,format=yuv444p"),
        "-colorspace bt709 -color_primaries bt709 -color_trc bt709",
        "-c:v libx264 -preset ultrafast -crf 5",
    )
    made = await transcode(source, tmp_path / f"out.{suffix}")
    width, height = made.facts.video[0].width, made.facts.video[0].height
    seen = shot(made.path, 0, (width, height))
    for number, colour in enumerate(COLOURS.values()):
        found = seen.at(width * (2 * number + 1) // 8, height // 2)
        assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 12, (colour, found)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red, and on the left transparent: from the left, three pixels more with each frame."""
    opaque_right = "geq=r=255:g=0:b=0:a='255*gte(X,80+3*N)'"
    return make(
        tmp_path_factory.mktemp("half") / "half.mkv",
        "-f lavfi -i color=red:s=160x90:r=10:d=0.5,format=bgra",
        *("-vf", f"format=gbrap,{opaque_right},format=bgra", "-c:v", "ffv1"),
    )


@pytest.mark.parametrize("suffix", ["gif", "webp"])
async def test_transparency_stays(half: Path, tmp_path: Path, suffix: str) -> None:
    made = await transcode(half, tmp_path / f"out.{suffix}")
    shown = "-vf format=rgba,alphaextract -frames:v 1 -f rawvideo -pix_fmt gray -"
    alpha = run("-i", str(made.path), shown)
    assert alpha[45 * 160 + 20] == 0
    assert alpha[45 * 160 + 140] == 255
    told = {"gif": "pal8", "webp": "yuva420p"}
    assert made.facts.video[0].pixel_format == told[suffix]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10"])
async def test_an_avif_is_transparent_in_every_frame(
    half: Path, tmp_path: Path, pixel_format: str
) -> None:
    """As libavif reads it, which browsers do."""
    video = {"pixel_format": pixel_format, "crf": 20}
    made = await transcode(half, tmp_path / "out.avif", video=video)
    assert made.warnings == ()
    with PIL.Image.open(made.path) as image:
        assert isinstance(image, PIL.AvifImagePlugin.AvifImageFile)
        assert image.n_frames == 5
        for number in range(5):
            image.seek(number)
            pixels = image.convert("RGBA")
            edge = 80 + 3 * number
            for x, alpha in ((20, 0), (edge - 2, 0), (edge + 2, 255), (140, 255)):
                assert near(pixels.getpixel((x, 45)), (255, 0, 0, alpha)), (number, x)


def near(seen: object, wanted: tuple[int, ...]) -> bool:
    """What is transparent has no colour; elsewhere a lossy picture is a little off."""
    assert isinstance(seen, tuple)
    if wanted[3] == 0:
        return bool(seen[3] <= 8)
    return all(abs(a - b) <= 8 for a, b in zip(seen, wanted, strict=True))


async def test_an_avif_for_a_bit_rate_says_that_transparency_is_lost(
    half: Path, tmp_path: Path
) -> None:
    made = await transcode(half, tmp_path / "out.avif", video={"bitrate_bps": 100_000})
    assert any("transparency is left out" in words for words in made.warnings)


async def test_a_watermark_lies_over_the_clip(moving: Path, tmp_path: Path) -> None:
    mark = make(
        tmp_path / "mark.png", *["-f", "lavfi", "-i", "color=lime:s=32x32:d=1", "-frames:v", "1"]
    )
    made = await transcode(
        moving,
        tmp_path / "out.gif",
        video={"watermark": {"image": str(mark), "position": "center", "width": 0.2}},
    )
    red, green, blue = shot(made.path, 5, (320, 180)).at(160, 90)
    assert green > 230
    assert red < 40
    assert blue < 40


async def test_too_long_a_clip_is_refused_with_what_to_do(tmp_path: Path) -> None:
    source = make(
        tmp_path / "long.mp4",
        *[
            "-f",
            "lavfi",
            "-i",
            "color=s=1280x720:r=25:d=6",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ],
    )
    with pytest.raises(InvalidJob, match=r"at most 138, which last 5\.5 s.*--start"):
        await transcode(source, tmp_path / "out.gif", video={"fit": "1280x1280", "frame_rate": 25})
    made = await transcode(source, tmp_path / "out.avif", video={"fit": "1280x1280"})
    assert made.facts.video[0].frames == 150


async def test_a_gif_is_not_made_faster_than_it_is_shown(tmp_path: Path) -> None:
    source = make(
        tmp_path / "fast.mp4",
        *[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=160x90:r=60:d=1",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ],
    )
    with pytest.raises(InvalidJob, match="at most 50 frames a second"):
        await transcode(source, tmp_path / "out.gif", video={"frame_rate": 60})


async def test_the_loss_of_sound_is_told(moving: Path, tmp_path: Path) -> None:
    made = await transcode(moving, tmp_path / "out.avif")
    assert sound_left_out(made.source, "gif") == ("the sound is left out: GIF holds none",)
    assert sound_left_out(made.source, "mp4") == ()
    assert sound_left_out(made.facts, "gif") == ()


@pytest.mark.parametrize("container", ["mkv", "mp4", "webp"])
def test_a_gif_is_in_its_own_file_alone(container: str) -> None:
    with pytest.raises(InvalidJob, match="cannot hold gif"):
        resolve(Transcode(input="a.mp4", output=f"b.{container}", video=VideoOptions(codec="gif")))


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_a_cut_off_file_is_not_taken_for_an_animation(
    moving: Path, tmp_path: Path, suffix: str
) -> None:
    made = await transcode(moving, tmp_path / f"out.{suffix}", video={"fit": "160x160"})
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(made.path.read_bytes()[: 300 if suffix == "avif" else 3000])
    with pytest.raises(InputCorrupt, match="cut off"):
        read_animation(cut)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_animation_is_never_a_copy(suffix: str) -> None:
    job = Transcode(input="a.mp4", output=f"b.{suffix}", video=VideoOptions(codec="copy"))
    with pytest.raises(InvalidJob, match="always encoded"):
        resolve(job)


async def test_one_frame_is_no_animated_avif(moving: Path, tmp_path: Path) -> None:
    clip = {"start": Fraction(1), "end": Fraction(104, 100)}
    with pytest.raises(InvalidJob, match="needs two frames"):
        await transcode(moving, tmp_path / "out.avif", **clip)
    made = await transcode(moving, tmp_path / "out.webp", **clip)
    assert made.facts.video[0].frames == 1


async def test_sound_alone_is_no_animation(tmp_path: Path) -> None:
    source = tmp_path / "tone.wav"
    run("-f", "lavfi", "-i", "sine=d=1", str(source))
    with pytest.raises(InputUnsupported, match=r"has no picture; .* as in `-o sound.m4a`"):
        await transcode(source, tmp_path / "out.gif")
