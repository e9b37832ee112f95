from __future__ import annotations

import asyncio
import json
import signal

import pytest
from temporalio.client import Client

from longtake import JobResult
from tests.cli.conftest import Command
from tests.dev_server import dev_server
from tests.patience import WAIT_S

OF_A_RESULT = {"job_id", "state", "outputs", "sources", "stats", "decisions", "warnings"}


async def line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    assert stream is not None
    async with asyncio.timeout(WAIT_S):
        async for line in stream:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"nothing said {words!r}")


@pytest.mark.usefixtures("control")
async def test_a_result_is_shown_and_warnings_go_to_stderr(longtake: Command) -> None:
    done = await longtake("transcode", "talk.mov", "-o", "talk.mp4")
    assert done.code == 0
    assert str(longtake.folder / "talk.mp4") in done.out
    assert "sha256" in done.out
    assert "warning: this is no video" in done.err
    assert "warning" not in done.out


@pytest.mark.usefixtures("control")
async def test_json_is_one_document_and_the_same_again(longtake: Command) -> None:
    first = await longtake("transcode", "talk.mov", "-o", "talk.mp4", "--json")
    assert set(first.document) == OF_A_RESULT
    assert JobResult.model_validate(first.document).state == "succeeded"
    again = await longtake("transcode", "talk.mov", "-o", "talk.mp4", "--json")
    assert again.document == first.document
    assert "done before" in again.err


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(("error", "code"), [("InputCorrupt", 1), ("InvalidJob", 2)])
async def test_a_failed_job_ends_in_one_line_and_its_exit_code(
    longtake: Command, error: str, code: int
) -> None:
    asked = ("transcode", "talk.mov", "-o", "talk.mp4", "--label", f"fail={error}")
    done = await longtake(*asked, "--json")
    assert done.code == code
    assert f"error: {error}: it ended as {error}\n" in done.err
    assert done.document["state"] == "failed"
    assert done.document["job_id"].startswith("transcode-talk-")
    assert done.document["error"] == {"type": error, "message": f"it ended as {error}"}


@pytest.mark.usefixtures("control")
async def test_the_same_id_with_other_content_is_a_bad_request(longtake: Command) -> None:
    asked = ("transcode", "talk.mov", "-o", "talk.mp4", "--id", "mine")
    assert (await longtake(*asked)).code == 0
    done = await longtake(*asked, "--crf", "20")
    assert done.code == 2
    assert "error: InvalidJob: job id 'mine' belongs to another job" in done.err


@pytest.mark.usefixtures("control")
async def test_without_waiting_the_id_alone_is_on_stdout(longtake: Command) -> None:
    asked = ("transcode", "talk.mov", "-o", "talk.mp4", "--no-wait")
    started = await longtake(*asked)
    assert started.code == 0
    watched = await longtake("watch", started.out.strip(), "--json")
    assert watched.document["state"] == "succeeded"
    assert (await longtake(*asked, "--json")).document["job_id"] == started.out.strip()


@pytest.mark.usefixtures("control")
async def test_ctrl_c_detaches_at_once_and_says_how_to_rejoin(
    longtake: Command, temporal: Client
) -> None:
    asked = ("transcode", "talk.mov", "-o", "talk.mp4", "--id", "mine", "--label", "hold=yes")
    process = await longtake.start(*asked)
    await line_with(process.stderr, "encoding")
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), WAIT_S) == 130  # the job itself goes on for ever
    assert process.stderr is not None
    said = (await process.stderr.read()).decode()
    assert "longtake watch mine" in said
    assert "longtake cancel mine" in said
    description = await temporal.get_workflow_handle("mine").describe()
    assert description.status is not None
    assert description.status.name == "RUNNING"


@pytest.mark.usefixtures("control")
async def test_ctrl_c_prints_the_job_that_goes_on_as_json(longtake: Command) -> None:
    asked = ("transcode", "talk.mov", "-o", "talk.mp4", "--id", "mine", "--label", "hold=yes")
    process = await longtake.start(*asked, "--json")
    await line_with(process.stderr, "encoding")
    process.send_signal(signal.SIGINT)
    out, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 130
    assert json.loads(out) == {"job_id": "mine", "state": "running"}


async def test_a_service_that_dies_meanwhile_leaves_stdout_clean(alone: Command) -> None:
    asked = ("transcode", "talk.mov", "-o", "talk.mp4", "--id", "mine", "--json")
    async with dev_server() as client:
        alone.environment["TEMPORAL_ADDRESS"] = client.service_client.config.target_host
        process = await alone.start(*asked)
        await line_with(process.stderr, "queued")
    out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 3
    assert json.loads(out)["error"]["type"] == "ServiceUnreachable"
    assert "the same command again goes on where it was" in err.decode()


async def test_an_unreachable_service_is_exit_code_3(alone: Command) -> None:
    alone.environment["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
    done = await alone("transcode", "talk.mov", "-o", "talk.mp4", "--json")
    assert done.code == 3
    assert (
        "error: ServiceUnreachable: Temporal at 127.0.0.1:1 does not answer: Connection refused"
        in done.err
    )
    assert done.document["error"]["type"] == "ServiceUnreachable"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("gone.mov", "-o", "talk.mp4"), "error: InputNotFound: there is no file"),
        ((".", "-o", "talk.mp4"), "is a folder; name a media file"),
        (("talk.mov", "-o", "."), "error: OutputConflict: . is a folder; name a file in it"),
        (("talk.mov", "-o", "talk.avi"), "error: InvalidJob: output ends in '.avi': use one of"),
        (("talk.mov", "-o", "talk.mov"), "error: InvalidJob: output"),
        (("talk.mov", "-o", "a.mp4", "--crf", "99"), "crf of h264 goes from 0 (finest) to 51"),
        (("talk.mov", "-o", "a.mp4", "--priority", "9"), "error: InvalidJob: priority: Input"),
        (("talk.mov", "-o", "a.mp4", "-p", "web-4k"), "error: InvalidJob: there is no preset"),
        (("talk.mov", "-o", "a.mp4", "--start", "x"), "error: InvalidJob: start: expected seconds"),
    ],
)
async def test_a_bad_request_starts_nothing(
    alone: Command, asked: tuple[str, ...], said: str
) -> None:
    done = await alone("transcode", *asked, "--json")
    assert done.code == 2
    assert said in done.err
    assert done.document["job_id"] is None
    assert not (alone.folder / "home").exists()


async def test_a_misspelt_option_is_a_bad_request(alone: Command) -> None:
    done = await alone("transcode", "talk.mov", "-o", "talk.mp4", "--qualty", "3")
    assert done.code == 2
    assert done.out == ""
    assert "--qualty" in done.err
    done = await alone("transcode", "talk.mov", "-o", "talk.mp4", "--qualty", "3", "--json")
    assert done.code == 2
    assert done.document["error"]["type"] == "InvalidJob"
    assert "--qualty" in done.document["error"]["message"]
    assert done.document["outputs"] == []


@pytest.mark.usefixtures("control")
async def test_options_arrive_in_the_job(longtake: Command, temporal: Client) -> None:
    (longtake.folder / "mine.yaml").write_text("title: mine\naudience: me\n")
    options = (
        "--id mine --priority 1 --tenant acme --label a=b --overwrite --video h264 --crf 20 "
        "--height 480 --speed fast --upscale --max-bitrate 4M --keyframe-interval 2 --audio aac "
        "--audio-bitrate 96k --channels 1 --sample-rate 48000 --start 1:00 --end 2:00.5 "
        "--chunk 20 --gpu prefer --deadline 2099-01-01T00:00:00Z --preset ./mine.yaml"
    )
    await longtake("transcode", "talk.mov", "-o", "talk.mp4", "--no-wait", *options.split())
    memo = await (await temporal.get_workflow_handle("mine").describe()).memo()
    job = memo["job"]
    assert job.pop("deadline").startswith("2099-01-01T00:00:00")
    assert json.loads(json.dumps(job)) == {
        "captions": [],
        "notify": [],
        "kind": "transcode",
        "id": "mine",
        "priority": 1,
        "tenant": "acme",
        "labels": {"a": "b"},
        "stage_labels": {},
        "salvage": False,
        "gpu": "prefer",
        "overwrite": True,
        "input": str(longtake.folder / "talk.mov"),
        "output": str(longtake.folder / "talk.mp4"),
        "preset": {"title": "mine", "audience": "me", "video": {}, "audio": {}},
        "video": {
            "codec": "h264",
            "crf": 20,
            "height": 480,
            "speed": "fast",
            "upscale": True,
            "max_bitrate_bps": 4_000_000,
            "keyframe_interval_s": "2",
        },
        "audio": {
            "codec": "aac",
            "bitrate_bps": 96_000,
            "channels": 1,
            "sample_rate": 48_000,
        },
        "start": "60",
        "end": "241/2",
        "chunk_s": "20",
    }
