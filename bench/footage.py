"""Footage to measure on: made once from arithmetic and, where it is there, the media corpus.

The same commands give the same frames, so figures of one machine can be compared over time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from media.ffmpeg.filter_files import escaped
from media.ffmpeg.tools import ffmpeg

CORPUS = Path(os.environ.get("LONGTAKE_TEST_MEDIA", Path(__file__).parents[2] / "shared" / "media"))
FPS = 24
SCENE_S = 7
"""Not a divisor of chunk lengths: where a chunk ends, the scene goes on."""

_REAL = ("bbb-2500ms.ts", "cockatoo.mp4", "bbb-1080p60-vp8.webm", "car-detection.mp4")
"""Clips of the corpus that become scenes: animation twice, an animal, traffic."""

_PAN = "crop=1920:1080:x='(iw-ow)/2*(1+sin(t/{x}))':y='(ih-oh)/2*(1+cos(t/{y}))'"
"""Every scene moves as a whole, so that no block can simply be repeated."""

_MADE = (
    "mandelbrot=size=2304x1296:rate=24:start_scale=0.8:end_scale=0.0002:end_pts=240:maxiter=400",
    "testsrc2=size=2304x1296:rate=24",
    "life=size=384x216:rate=24:mold=10:random_seed=7:life_color=#C83232:death_color=#203060:"
    "mold_color=#70B080,scale=2304:1296:flags=bicubic",
    "cellauto=size=384x216:rate=24:rule=110:random_seed=3:scroll=1,scale=2304:1296:flags=bicubic",
)


@dataclass(frozen=True)
class Footage:
    """A file to encode."""

    path: Path
    seconds: int
    fps: int = FPS

    @property
    def megabits(self) -> float:
        """Mbit/s of the whole file."""
        return self.path.stat().st_size * 8 / self.seconds / 1e6


async def rich(folder: Path, seconds: int) -> Footage:
    """1080p that is hard to encode: panned scenes under light film grain, cut every 7 s.

    Several Mbit/s in x264 medium at crf 23; about 17 Mbit/s as it lies, with a keyframe every
    two seconds. Where the corpus is, two scenes of three are real pictures.
    """
    scenes = [_scene(number) for number in range(-(-seconds // SCENE_S))]
    command: list[str] = []
    for scene in scenes:
        command += scene.input
    graph = ";".join(f"[{n}:v]{scene.filters}[v{n}]" for n, scene in enumerate(scenes))
    joined = "".join(f"[v{n}]" for n in range(len(scenes)))
    graph += f";{joined}concat=n={len(scenes)},noise=alls=3:allf=t:all_seed=11,format=yuv420p[v]"
    command += ["-f", "lavfi", "-i", f"{_SOUND}:d={seconds}"]
    command += ["-filter_complex", graph, "-map", "[v]", "-map", f"{len(scenes)}:a"]
    command += ["-t", str(seconds), *_SOURCE]
    return Footage(await _made(folder, f"rich-{seconds}s", command), seconds)


async def plain(folder: Path, size: str, seconds: int) -> Footage:
    """A test picture, for when the job itself matters and not the encoder."""
    command = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FPS}:duration={seconds}"]
    command += ["-f", "lavfi", "-i", f"{_SOUND}:d={seconds}", *_SOURCE]
    return Footage(await _made(folder, f"plain-{size}-{seconds}s", command), seconds)


async def easy(folder: Path, seconds: int) -> list[Footage]:
    """Films that are easy to encode: slides of text at 1080p and, where the corpus is, an animal
    on a branch (720p) and a street (432p), played over and over."""
    font = escaped(Path(__file__).parents[1] / "media" / "fonts" / "DejaVuSans.ttf")
    lines = ",".join(
        f"drawtext=fontfile={font}:fontsize={size}:fontcolor={colour}:x=120:y={y}:"
        f"text='%{{eif\\:floor(t/{SLIDE_S})*7919+{y}\\:x\\:{digits}}}'"
        for y, size, colour, digits in _LINES
    )
    picture = f"color=c=0xF8F8F4:s=1920x1080:r={FPS}:d={seconds},drawbox=h=200:c=0x1E3C8C:t=fill"
    sound = ("-f", "lavfi", "-i", f"{_SOUND}:d={seconds}")
    command = ["-f", "lavfi", "-i", f"{picture},{lines}", *sound, *_SOURCE]
    films = [Footage(await _made(folder, f"slides-{seconds}s", command), seconds)]
    for name in ("cockatoo", "car-detection"):
        clip = CORPUS / f"{name}.mp4"
        if clip.exists():
            command = ["-stream_loop", "-1", "-t", str(seconds), "-i", str(clip), *sound]
            command += ["-map", "0:v", "-map", "1:a", "-vf", f"fps={FPS}", *_SOURCE]
            films.append(Footage(await _made(folder, f"{name}-{seconds}s", command), seconds))
    return films


SLIDE_S = 6
_LINES = (
    (60, 90, "white", 24),
    *((300 + 70 * line, 48, "0x202020", 52) for line in range(10)),
)
"""Of a slide: top and height in px, colour, and how many characters."""


def copies(footage: Footage, folder: Path, count: int) -> list[Footage]:
    """The same film in files of different content: a numbered `free` box at the end of each."""
    folder.mkdir(parents=True, exist_ok=True)
    film, made = footage.path.read_bytes(), []
    for number in range(count):
        path = folder / f"copy-{number}.mp4"
        path.write_bytes(film + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
        made.append(Footage(path, footage.seconds, footage.fps))
    return made


_SOUND = "aevalsrc='0.3*sin(440*t*2*PI+3*sin(t*5))+0.1*random(0)|0.3*sin(330*t*2*PI)':s=48000"

_SOURCE = (
    *("-c:v", "libx264", "-preset", "ultrafast", "-threads", "2", "-pix_fmt", "yuv420p"),
    # Two-second GOPs, keyframes nowhere else, no more than a camera's bit rate.
    *("-crf", "20", "-g", "48", "-sc_threshold", "0", "-maxrate", "24M", "-bufsize", "48M"),
    *("-c:a", "aac", "-b:a", "192k"),
    *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact"),
)


@dataclass(frozen=True)
class _Scene:
    input: tuple[str, ...]
    filters: str


def _scene(number: int) -> _Scene:
    pan = _PAN.format(x=2 + number % 3, y=3 + number % 2)
    trim = f"trim=duration={SCENE_S},setpts=PTS-STARTPTS,setsar=1,format=yuv420p"
    real = [CORPUS / name for name in _REAL if (CORPUS / name).exists()]
    if real and number % 3 < 2:
        clip = real[(number // 3 * 2 + number % 3) % len(real)]
        # Turned round in every other lap, so that no scene comes twice.
        flip = "hflip," if number // 3 % 2 else ""
        filters = f"fps={FPS},scale=2304:1296:flags=bicubic,{flip}{pan},{trim}"
        return _Scene(("-stream_loop", "-1", "-t", str(SCENE_S), "-i", str(clip)), filters)
    made = _MADE[number // 3 % len(_MADE) if real else number % len(_MADE)]
    return _Scene(("-f", "lavfi", "-t", str(SCENE_S), "-i", made), f"{pan},{trim}")


async def _made(folder: Path, name: str, command: list[str]) -> Path:
    return await asyncio.to_thread(_make, folder, name, command)


def _make(folder: Path, name: str, command: list[str]) -> Path:
    recipe = hashlib.sha256(json.dumps(command).encode()).hexdigest()[:8]
    path = folder / f"{name}-{recipe}.mp4"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".partial.mp4")
    quiet = [ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*quiet, *command, str(draft)], check=True)
    return draft.replace(path)
