"""Files that try to do harm are refused, or read for what they are; nothing else is touched."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from longtake.errors import InputCorrupt, InputTooLarge, InputUnsupported, UserError
from media.children.process import Limits, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.ffmpeg.tools import ffmpeg
from media.picture.watermark import png_size
from media.probing.in_child import inspect_in_child
from media.probing.probe import probe
from tests.conftest import CORPUS
from tests.media import hostile
from tests.media.engine import run, transcode
from tests.media.hostile import LURES, TOKEN, Bait
from tests.media.listener import Listener, listening
from tests.patience import WAIT_S


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that nobody must call."""
    with listening() as listener:
        yield listener
        assert listener.settled() == [], "a connection was made"


@pytest.fixture
def bait(tmp_path: Path, listener: Listener) -> Bait:
    return hostile.bait(tmp_path, listener.url("latest/meta-data"))


async def whitelists_alone(source: Path, target: Path) -> str:
    """Read a file with FFmpeg as encoders do, but let FFmpeg choose the container.

    Returns its last words; it must fail.
    """
    command = Ffmpeg.quiet().read(source, "mov").write(target, "rawvideo").arguments()
    at = command.index("-f")
    del command[at : at + 2]
    with pytest.raises(ProcessFailed) as failed:
        await run_ffmpeg(command)
    assert not _bytes(target)
    return failed.value.stderr


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize("name", LURES)
async def test_a_file_that_names_others_is_refused(tmp_path: Path, bait: Bait, name: str) -> None:
    lure = hostile.lure(name, tmp_path, bait)
    with pytest.raises(InputUnsupported) as refused:
        await inspect_in_child(lure)
    assert name in str(refused.value)
    said = str(refused.value) + await whitelists_alone(lure, tmp_path / "out")
    assert TOKEN not in said


@pytest.mark.parametrize("name", ["list.m3u8", "script.mp4"])
async def test_the_lures_work_where_nothing_guards(tmp_path: Path, name: str) -> None:
    """Without this the test above would prove nothing."""
    bait = hostile.bait(tmp_path, "http://127.0.0.1:9/")
    lure = hostile.lure(name, tmp_path, bait)
    command = [ffmpeg(), "-v", "error", "-i", str(lure), "-f", "framecrc", "-"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=WAIT_S)
    assert done.stdout.count(b"\n0,") > 10, "the secret film's frames came out"


@pytest.mark.parametrize("head", [b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom", b"\x47" * 600])
async def test_a_playlist_behind_the_first_bytes_of_a_film(
    tmp_path: Path, bait: Bait, head: bytes
) -> None:
    lure = hostile.lure("list-of-text.ts", tmp_path, bait)
    lure.write_bytes(head + b"\n" + lure.read_bytes())
    with pytest.raises(UserError) as refused:
        await inspect_in_child(lure)
    assert TOKEN not in str(refused.value)


async def test_subtitles_that_are_a_playlist_are_not_followed(tmp_path: Path, bait: Bait) -> None:
    source = hostile.playlist_in_avi(tmp_path, bait)
    facts, _ = await inspect_in_child(source)
    assert facts.video[0].frames == 5
    made = await transcode(source, tmp_path / "out.mp4", preset="web-480p")
    assert made.facts.video[0].frames == 5
    assert TOKEN.encode() not in made.path.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "film%03d.mp4",
        "-film.mp4",
        "concat:secret.ts|film.mp4",
        "http:film.mp4",
        "subfile,,start,0,end,9,,:film.mp4",
        "film's [*] \\ $(x).mp4",
    ],
)
async def test_a_name_is_only_a_name(tmp_path: Path, bait: Bait, name: str) -> None:
    source = tmp_path / name
    run("-i", bait.film, "-c:v", "libx264", "-preset", "ultrafast", "-f", "mp4", f"file:{source}")
    made = await transcode(source, tmp_path / "out.mp4", preset="web-480p")
    assert made.facts.video[0].frames == 25


async def test_a_pattern_of_names_is_refused(tmp_path: Path) -> None:
    run("-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.2", tmp_path / "secret%03d.png")
    pattern = tmp_path / "secret%d.png"
    pattern.write_bytes((tmp_path / "secret001.png").read_bytes())
    with pytest.raises(InputUnsupported):
        await inspect_in_child(pattern)
    await whitelists_alone(pattern, tmp_path / "out")


async def test_a_length_that_the_header_invents_is_not_believed(tmp_path: Path) -> None:
    source = hostile.claims_4_gib(tmp_path)
    facts, _ = await inspect_in_child(source)
    assert facts.duration_s == pytest.approx(1.0, abs=0.001)
    command = Ffmpeg.quiet().read(source, "wav").write("-", "null").arguments()
    await run_ffmpeg(command, limits=Limits(memory_bytes=1 << 30))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (hostile.png_bomb, InputUnsupported, "not a media file"),
        (hostile.mp4_bomb, InputTooLarge, "16000x16000"),
        (partial(hostile.mp4_bomb, side=60_000), InputCorrupt, "no size"),
        (hostile.many_streams, InputTooLarge, "70 streams"),
        (hostile.two_frames_far_apart, InputTooLarge, "50 hours"),
    ],
)
async def test_what_is_too_large_is_refused_before_it_is_decoded(
    tmp_path: Path, make: Callable[[Path], Path], error: type[UserError], words: str
) -> None:
    source = make(tmp_path)
    assert source.stat().st_size < 200_000
    with pytest.raises(error, match=words):
        await inspect_in_child(source)


async def test_pictures_that_grow_beyond_the_limit_are_not_decoded(tmp_path: Path) -> None:
    source = hostile.growing_bomb(tmp_path)
    command = Ffmpeg.quiet().read(source, "mov").write("-", "null").arguments()
    finished = await run_ffmpeg(command)
    assert finished.errors
    assert "8192x8320 exceeds" in finished.stderr


async def test_a_watermark_that_grows_beyond_the_limit_is_not_decoded(tmp_path: Path) -> None:
    """Its size was read from the first picture of the file."""
    image = hostile.png_with_bomb_behind(tmp_path)
    assert png_size(image) == (64, 64)
    finished = await run_ffmpeg(Ffmpeg.quiet().read_image(image).write("-", "null").arguments())
    assert "9000x9000 exceeds" in finished.stderr


_READS_CAPTIONS = """
import av.logging, sys
from fractions import Fraction
from media.captions.sources import read_stream
av.logging.set_level(av.logging.ERROR)
with av.logging.Capture(local=False) as told:
    print(read_stream(sys.argv[1], 1, Fraction(0)).cues[0].text)
print([words.strip() for _, _, words in told])
"""


def test_rare_decoders_stay_shut_also_where_words_are_looked_for(tmp_path: Path) -> None:
    source = hostile.rare_codec_with_captions(tmp_path)
    command = [sys.executable, "-c", _READS_CAPTIONS, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WAIT_S)
    assert done.stdout.startswith("hello")
    assert "Codec (asv1) not on whitelist" in done.stdout


REFUSED = {
    "zero-byte.mp4": InputCorrupt,
    "text.mp4": InputUnsupported,
    "truncated.mp4": InputCorrupt,
    "local-file-playlist.m3u8": InputUnsupported,
    "playlist-named.mp4": InputUnsupported,
    "concat-script.mp4": InputUnsupported,
    "metadata-service-playlist.mp4": InputUnsupported,
    "pixel-bomb.png": InputUnsupported,
}
ELSEWHERE = {"README.md", "bit-flips.mp4", "claims-4GiB.wav"}
corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="no media corpus beside the checkout")


@corpus
def test_every_hostile_file_of_the_corpus_has_its_test() -> None:
    found = {path.name for path in (CORPUS / "hostile").iterdir()}
    assert found == {*REFUSED, *ELSEWHERE}


@corpus
@pytest.mark.parametrize("name", REFUSED)
async def test_the_corpus_is_refused(tmp_path: Path, name: str) -> None:
    source = CORPUS / "hostile" / name
    with pytest.raises(REFUSED[name]) as refused:
        await inspect_in_child(source)
    said = str(refused.value) + await whitelists_alone(source, tmp_path / "out")
    assert "root:" not in said


@corpus
async def test_damaged_payload_gives_the_rest_and_a_count(tmp_path: Path) -> None:
    source = CORPUS / "hostile" / "bit-flips.mp4"
    facts, _ = await inspect_in_child(source)
    command = Ffmpeg.quiet().read(source, facts.container).write("-", "null").arguments()
    assert (await run_ffmpeg(command)).errors > 0


async def test_a_copy_tells_what_was_garbled_on_the_way(tmp_path: Path) -> None:
    """Nobody decodes what is copied; but a transport stream marks what its receiver got wrong."""
    whole, garbled = tmp_path / "whole.ts", tmp_path / "garbled.ts"
    run(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", 25, "-c:a", "aac", whole),
    )
    made = await transcode(whole, tmp_path / "whole.mkv", preset="remux")
    assert not made.warnings
    data = bytearray(whole.read_bytes())
    pictures = [
        at for at in range(0, len(data), 188) if data[at + 1] & 0x1F == 1 and not data[at + 2]
    ]
    for at in pictures[40:60]:
        data[at + 1] |= 0x80  # transport_error_indicator (ISO/IEC 13818-1, 2.4.3.3)
    garbled.write_bytes(data)
    made = await transcode(garbled, tmp_path / "garbled.mkv", preset="remux")
    (warning,) = made.warnings
    assert re.match(r"the source is damaged: \d+ packets? of the picture not whole", warning)
    assert "damaged-packets" in {finding.code for finding in (await probe(garbled)).findings}


@corpus
async def test_the_wav_that_claims_4_gib_is_read_for_what_it_holds(tmp_path: Path) -> None:
    source = CORPUS / "hostile" / "claims-4GiB.wav"
    made = await transcode(source, tmp_path / "out.mp4", video={"codec": "none"})
    assert made.facts.duration_s == pytest.approx(1.0, abs=0.03)
