"""Inputs on which other tools failed, made with the engine's FFmpeg: one function each."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from tests.media.engine import run
from tests.media.test_colour import hdr, with_dolby_box

_QUICK = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "2", "-pix_fmt", "yuv420p"]


def _picture(options: str) -> list[str]:
    return ["-f", "lavfi", "-i", options]


def _tone(seconds: float) -> list[str]:
    return _picture(f"sine=440:r=48000:d={seconds:g}")


def vfr_screen(folder: Path) -> Path:
    """60 frames/s, a freeze of 1.5 s, 10 frames/s, 60 again; flash and beep both at 5.000 s."""
    target = folder / "vfr-screen.mp4"
    beep = "aevalsrc='if(between(t,5,5.1),0.8*sin(2*PI*1000*t),0)':s=48000:d=6"
    kept = "select='lt(t,1)+between(t,2.5,3.999)*not(mod(n,6))+gte(t,4.5)'"
    run(
        *_picture("testsrc2=s=320x180:r=60:d=6"),
        *_picture(beep),
        *("-vf", f"{kept},drawbox=c=white:t=fill:enable='between(t,5,5.099)'"),
        *("-fps_mode", "passthrough", "-enc_time_base", "1:90000", *_QUICK, "-g", "60"),
        *("-crf", "30", "-c:a", "aac", "-b:a", "96k", "-video_track_timescale", "90000", target),
    )
    return target


def screen_444_full_range(folder: Path) -> Path:
    """H.264 High 4:4:4 Predictive in full range; left half black, right half white."""
    target = folder / "screen-444-full-range.mp4"
    run(
        *_picture("color=black:s=640x360:r=30:d=2"),
        *_tone(2),
        "-vf",
        "drawbox=x=320:w=320:h=360:y=0:c=white:t=fill,"
        "scale=out_range=pc:out_color_matrix=bt709,format=yuv444p,"
        "setparams=range=pc:colorspace=bt709:color_primaries=bt709:color_trc=bt709",
        *(*_QUICK, "-pix_fmt", "yuv444p", "-color_range", "pc", "-qp", "10"),
        *("-c:a", "aac", "-b:a", "64k", target),
    )
    return target


def phone_dolby_vision_84(folder: Path) -> Path:
    """A phone's HLG with the record of Dolby Vision 8.4 and none of its metadata: black, white
    of 75 % and red."""
    plain = hdr(folder / "hlg.mov", "arib-std-b67", seconds=1)
    return with_dolby_box(plain, folder / "phone-dolby-vision-84.mov")


def camera_timecode_data(folder: Path) -> Path:
    """A camera's MOV: picture, sound, a timecode track and a telemetry track."""
    target, telemetry = folder / "camera-timecode-data.mov", folder / "telemetry.bin"
    telemetry.write_bytes(b"g" * 4000)
    run(
        *_picture("testsrc2=s=320x180:r=25:d=2"),
        *_tone(2),
        *("-f", "data", "-i", telemetry, "-map", "0", "-map", "1", "-map", "2", *_QUICK),
        *("-crf", "30", "-c:a", "aac", "-b:a", "64k", "-c:d", "copy", "-tag:d", "gpmd"),
        *("-timecode", "01:00:00:00", target),
    )
    return target


def browser_recording(folder: Path) -> Path:
    """A WebM as a browser's recorder writes it: no duration, no index, uneven pictures."""
    target = folder / "browser-recording.webm"
    run(
        *_picture("testsrc2=s=640x360:r=30:d=5"),
        *_tone(5),
        *("-vf", "select='not(eq(mod(n,7),3))'", "-fps_mode", "vfr", "-c:v", "libvpx"),
        *("-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k", "-g", "120"),
        *("-c:a", "libopus", "-b:a", "48k", "-live", "1", "-f", "webm", target),
    )
    return target


def lying_vbr_header(folder: Path) -> Path:
    """Two VBR files joined byte by byte: the header says 3 s, the size 16 s; 8 s can be heard."""
    target, first, second = folder / "lying-vbr-header.mp3", folder / "a.mp3", folder / "b.mp3"
    mp3 = ("-c:a", "libmp3lame", "-id3v2_version", "0")
    run(*_picture("sine=440:r=44100:d=3"), *mp3, "-q:a", "5", first)
    run(*_picture("anoisesrc=a=0.2:c=pink:r=44100:d=5:seed=3"), *mp3, "-q:a", "2", second)
    target.write_bytes(first.read_bytes() + second.read_bytes())
    return target


def behind_2_gib(folder: Path) -> Path:
    """A clip whose media and index lie behind a hole of 2.2 GiB; 0.3 MB on the disk."""
    target, small, hole = folder / "behind-2GiB-sparse.mp4", folder / "small.mp4", 2_362_232_012
    run(
        *(*_picture("testsrc2=s=320x180:r=25:d=4"), *_tone(4), *_QUICK),
        *("-crf", "30", "-c:a", "aac", "-b:a", "64k", small),
    )
    data = bytearray(small.read_bytes())
    head, at = struct.unpack_from(">I", data)[0], 0
    while (at := data.find(b"stco", at + 1)) > 0:
        for entry in range(struct.unpack_from(">I", data, at + 8)[0]):
            place = at + 12 + 4 * entry
            offset = struct.unpack_from(">I", data, place)[0]
            struct.pack_into(">I", data, place, offset + hole)
    with target.open("wb") as file:
        file.write(data[:head] + struct.pack(">I4s", hole, b"free"))
        file.seek(head + hole)
        file.write(data[head:])
    assert os.stat(target).st_blocks * 512 < 4 << 20, "the file is not sparse here"  # noqa: PTH116
    return target


def upload_stopped(folder: Path) -> Path:
    """The header promises 20 s; the file ends between two clusters after 9 s."""
    target, whole = folder / "upload-stopped.mkv", folder / "whole.mkv"
    run(
        *(*_picture("testsrc2=s=320x180:r=25:d=20"), *_tone(20), *_QUICK, "-g", "25"),
        *("-crf", "32", "-c:a", "aac", "-b:a", "48k", "-cluster_time_limit", "1000", whole),
    )
    data, cut = whole.read_bytes(), 0
    for _ in range(10):
        cut = data.index(b"\x1f\x43\xb6\x75", cut + 1)
    target.write_bytes(data[:cut])
    return target


def open_gop_milliseconds(folder: Path) -> Path:
    """24000/1001 in whole milliseconds, open GOPs with leading pictures, first frame at 83 ms."""
    target = folder / "open-gop-milliseconds.mkv"
    run(
        *(*_picture("testsrc2=s=320x180:r=24000/1001:d=12.012"), "-frames:v", "288"),
        *("-c:v", "libx264", "-preset", "fast", "-threads", "2", "-pix_fmt", "yuv420p"),
        *("-g", "48", "-keyint_min", "48", "-sc_threshold", "0", "-bf", "3", "-x264-params"),
        *("open-gop=1:b-pyramid=normal:b-adapt=0", "-crf", "32"),
        *("-output_ts_offset", "0.083", target),
    )
    return target


def surround_voice_in_centre(folder: Path) -> Path:
    """5.1: a voice of 1 kHz in the centre and 400 Hz in front left; from 2 s on, all is loud."""
    target, loud = folder / "surround-voice-in-centre.flac", "0.944*sin(2*PI*1000*t)"
    quiet = ["0.1*sin(2*PI*400*t)", "0", "0.1*sin(2*PI*1000*t)", "0", "0", "0"]
    channels = "|".join(f"if(lt(t,2),{each},{loud})" for each in quiet)
    run(*_picture(f"aevalsrc='{channels}':c=5.1:s=48000:d=4"), "-c:a", "flac", target)
    return target


def huge_metadata(folder: Path) -> Path:
    """Three seconds of sound with 3,000 chapters and a comment of 20,000 characters."""
    target, metadata = folder / "huge-metadata.mka", folder / "metadata"
    lines = [";FFMETADATA1", "comment=" + "備考" * 10_000]
    for number in range(3000):
        title = f"{number} " + "章節" * 20 + '"' * 400
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={number}", f"END={number + 1}"]
        lines += [f"title={title}"]
    metadata.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run(
        *(*_tone(3), "-i", metadata, "-map", "0", "-map_metadata", "1", "-map_chapters", "1"),
        *("-c:a", "libopus", "-b:a", "32k", target),
    )
    return target


def four_sound_tracks(folder: Path) -> Path:
    """English (default), French, a commentary in English, and one without language: 300 to 600 Hz;
    the first three are called Stereo."""
    target = folder / "four-sound-tracks.mkv"
    tones = [f"sine={hertz}:r=48000:d=6" for hertz in (300, 400, 500, 600)]
    told = [("eng", "default"), ("fre", "0"), ("eng", "comment"), (None, "0")]
    words: list[str] = []
    for number, (language, disposition) in enumerate(told):
        words += ["-map", f"{number + 1}:a", f"-disposition:a:{number}", disposition]
        if language:
            words += [f"-metadata:s:a:{number}", f"language={language}"]
            words += [f"-metadata:s:a:{number}", "title=Stereo"]
    run(
        *_picture("testsrc2=s=320x180:r=25:d=6"),
        *(word for tone in tones for word in _picture(tone)),
        *("-map", "0:v", *words, *_QUICK, "-c:a", "aac", "-b:a", "64k", target),
    )
    return target
