"""FFmpeg arguments of a user's own: what computes is allowed, what reaches anything is refused."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake import InvalidJob
from longtake.arguments import check
from longtake.filtergraph import FILES_OF, PURE, Filter, checked, parse
from media.ffmpeg.raw import raw_command
from media.ffmpeg.tools import ffmpeg
from tests.media.engine import frames, run

SECRET = "do-not-tell-2f1c"


@pytest.mark.parametrize(
    "words",
    [
        "-c:v libx264 -crf 20 -preset fast -c:a copy",
        "-ss 1:30 -t 5 -i {input} -map 0:v:0 -map 0:a? -c copy",
        "-vf scale=1280:-2,fps=30000/1001 -an",
        "-filter_complex [0:v]split[a][b];[a]hflip[c];[b][c]hstack[v] -map [v] -map 0:a",
        "-x264-params keyint=50:no-scenecut=1:open-gop=0 -metadata title=A/B",
        "-c:v libx265 -x265-params pools=none:log-level=error -tag:v hvc1",
        "-force_key_frames expr:gte(t,n_forced*2) -movflags +faststart",
        "-af loudnorm=I=-16:TP=-1.5,aresample=48000 -ar 48000 -bsf:v h264_mp4toannexb",
    ],
)
def test_what_only_computes_is_allowed(words: str) -> None:
    given = shlex.split(words)
    found = check(given)
    assert [*found.reading, *found.writing] or not given


TRICKS = {
    # other files in, other files out
    "-i other.mov": "one input",
    "-c copy -i other.mov": "one input",
    "-i {input} -c copy -i other.mov": "one declared input",
    "-c copy other.mp4": "second output",
    "-f tee a.mp4|b.mp4": "suffix decides",
    "-f segment": "suffix decides",
    "-f hls": "suffix decides",
    "-f dash": "suffix decides",
    "-f lavfi -i movie=SECRET": "one input",
    # options that open files
    "-filter_script:v SECRET": "opens a file",
    "-filter_complex_script SECRET": "opens a file",
    "-/filter:v SECRET": "value from a file",
    "-/c SECRET": "value from a file",
    "-attach SECRET": "opens a file",
    "-vpre SECRET": "opens a file",
    "-passlogfile SECRET": "statistics",
    "-pass 1": "statistics",
    "-vstats_file SECRET": "writes a file",
    "-vstats": "writes a file",
    "-report": "writes a file",
    "-dump_attachment:t SECRET": "writes a file",
    "-progress http://127.0.0.1/": "network",
    "-sdp_file SECRET": "network",
    "-init_hw_device vaapi=x:/dev/dri/card0": "device",
    "-hwaccel cuda -i {input}": "device",
    "-protocol_whitelist file,http -i {input}": "guards",
    "-format_whitelist hls -i {input}": "guards",
    "-f hls -i {input}": "suffix decides",
    "-film-grain-table SECRET": "not an option",
    "-hls_key_info_file SECRET": "not an option",
    "-print_graphs_file SECRET": "not an option",
    "-c:v wrapped_avframe": "encoders",
    "-map 1:v": "input 0",
    "-map_metadata 1": "0 (the input)",
    "-threads 512": "1 to 16",
    "-stream_loop -1 -i {input}": "9999",
    "-t -1": "0 or more",
    # parameters of encoders
    "-x264-params stats=SECRET": "'stats'",
    "-x264-params keyint=9:cqm=SECRET": "'cqm'",
    "-x264-params 'stats'=SECRET": "no file",
    "-x264opts dump-yuv=SECRET": "'dump-yuv'",
    "-x265-params csv=SECRET": "'csv'",
    "-x265-params scaling-list=SECRET": "'scaling-list'",
    "-x265-params analysis-save=SECRET": "'analysis-save'",
    "-svtav1-params fgs-table=SECRET": "'fgs-table'",
    # filters
    "-vf movie=SECRET,scale=2:2": "filter 'movie'",
    "-vf null,movie=SECRET": "filter 'movie'",
    "-vf [in]null[a];movie=SECRET[b];[a][b]overlay": "filter 'movie'",
    "-filter_complex amovie=SECRET": "filter 'amovie'",
    r"-vf \movie=SECRET": "filter 'movie'",
    "-vf 'movie'=SECRET": "filter 'movie'",
    "-vf movie@x=SECRET": "filter 'movie'",
    "-vf ' movie = SECRET'": "filter 'movie'",
    "-vf subtitles=SECRET": "filter 'subtitles'",
    "-vf ass=SECRET": "filter 'ass'",
    "-vf lut3d=SECRET": "filter 'lut3d'",
    "-vf drawtext=textfile=SECRET": "filter 'drawtext'",
    "-vf metadata=print:file=SECRET": "filter 'metadata'",
    "-af ametadata=print:file=SECRET": "filter 'ametadata'",
    "-vf sendcmd=f=SECRET": "filter 'sendcmd'",
    "-vf zmq": "filter 'zmq'",
    "-vf frei0r=SECRET": "filter 'frei0r'",
    "-vf libplacebo=custom_shader_path=SECRET": "filter 'libplacebo'",
    "-vf curves=psfile=SECRET": "curves.psfile",
    "-vf curves=none:0/0:0/0:0/0:0/0:0/0:SECRET": "name its options",
    "-vf curves=/all=SECRET": "opens a file",
    "-vf scale=/w=SECRET": "opens a file",
    "-vf paletteuse=debug_kdtree=SECRET": "paletteuse.debug_kdtree",
    "-af loudnorm=stats_file=SECRET": "loudnorm.stats_file",
    "-vf sws_flags=bilinear;movie=SECRET": "refused",
    "-vf vidstabdetect=result=SECRET": "can write files",
    "-bsf:v trace_headers": "bitstream filter",
}


@pytest.mark.parametrize(("words", "why"), TRICKS.items(), ids=list(TRICKS))
def test_a_trick_is_refused_with_its_reason(words: str, why: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    given = [word.replace("SECRET", str(secret)) for word in words_of(words)]
    with pytest.raises(InvalidJob) as refused:
        check(given)
    assert "is refused" in refused.value.message
    assert why in refused.value.message
    assert SECRET not in refused.value.message


def words_of(line: str) -> list[str]:
    """Split at spaces, but keep a filter graph and its quotes as one word."""
    name, _, graph = line.partition(" ")
    if name in ("-vf", "-af", "-filter_complex", "-x264-params"):
        return [name, graph[1:-1] if graph.startswith("' ") else graph]
    return line.split()


@pytest.mark.parametrize(
    "graph",
    [
        "scale=160:90,hflip",
        "select='not(mod(n,3))',setpts=N/25/TB",
        r"select=not(mod(n\,3))",
        "select='eq(n\\,2)+gt(n\\,5)',crop=w='min(100\\,iw)':h=50",
        "split [a] [b] ; [b] vflip [c] ; [a] [c] vstack=inputs=2",
        "drawbox=x=10:y=10:w='iw/2':h=20:color=red@0.5:t=fill",
        "lutyuv=y='255-val'",
        "curves=all='0/0 0.5/0.3 1/1'",
    ],
)
def test_a_graph_written_anew_means_the_same(graph: str, tmp_path: Path) -> None:
    source = tmp_path / "source.mkv"
    run("-f", "lavfi", "-i", "testsrc2=s=192x108:r=10:d=1", "-c:v", "ffv1", source)
    as_given, anew = tmp_path / "given.mkv", tmp_path / "anew.mkv"
    run("-i", source, "-vf", graph, "-c:v", "ffv1", as_given)
    command = raw_command(
        source, "matroska", (), ("-vf", checked(graph), "-c:v", "ffv1"), anew, "matroska"
    )
    subprocess.run(command.arguments(), check=True, capture_output=True)
    assert frames(anew, "yuv420p") == frames(as_given, "yuv420p")


@given(st.text("movie=/x:,;[]'\\\\ \n@q0", max_size=40))
def test_what_is_written_anew_is_read_as_the_same(value: str) -> None:
    written = Filter("scale", "", (("flags", value), (None, value)), ("in",), ("out",))
    assert parse(str(written)) == [[written]]


@given(st.text("movie=/x:,;[]'\\\\ \n@q0", max_size=40))
def test_no_text_gets_another_filter_through(tail: str) -> None:
    try:
        written = checked(f"scale={tail}")
    except InvalidJob:
        return
    assert {each.name for chain in parse(written) for each in chain} <= PURE
    assert checked(written) == written


@pytest.mark.parametrize(
    "value", [r"q\b'c:d,e;f[g]h=i", "q:movie=/etc/passwd", "q];movie=x", "=q", "q'", " q \\ "]
)
def test_ffmpeg_reads_exactly_what_is_written(value: str) -> None:
    graph = str(Filter("settb", "", (("expr", value),), (), ()))
    command = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "color=d=0.1", "-vf", graph]
    said = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True).stderr
    assert f"Invalid expression '{value}' for timebase" in said


def test_every_pure_filter_is_known_and_has_no_other_option_that_names_a_file() -> None:
    there = run("-filters")
    for name in sorted(PURE):
        assert re.search(rf" {name} ", there), f"{name} is no filter of this FFmpeg"
    suspicious = re.compile(r"file|path|url|dump|debug_|model|plugin|socket|address|dir$|dir_")
    for name in sorted(PURE):
        shown = subprocess.run(
            [ffmpeg(), "-hide_banner", "-h", f"filter={name}"], capture_output=True, text=True
        ).stdout
        texts = re.findall(r"^\s+(\S+)\s+<(?:string|binary|dictionary)>", shown, re.MULTILINE)
        reaching = {text for text in texts if suspicious.search(text)}
        assert reaching <= FILES_OF.get(name, frozenset()), f"{name}: {reaching}"
