from __future__ import annotations

import pytest

from tests.cli.conftest import Command
from tests.patience import becomes

ASKED = ("transcode", "talk.mov", "-o", "talk.mp4", "--id", "mine")


@pytest.mark.usefixtures("control")
async def test_a_job_is_steered_by_its_id(longtake: Command) -> None:
    await longtake(*ASKED, "--no-wait", "--label", "hold=yes")
    assert (await longtake("pause", "mine", "--json")).document["state"] == "paused"
    assert (await longtake("resume", "mine", "--json")).document["state"] == "running"
    shown = await longtake("status", "mine")
    assert "2 of 4" in shown.out
    canceled = await longtake("cancel", "mine", "--reason", "wrong file", "--json")
    assert canceled.document == {"job_id": "mine", "state": "canceled"}
    watched = await longtake("watch", "mine", "--json")
    assert watched.code == 1
    assert watched.document["state"] == "canceled"
    assert "wrong file" in watched.document["error"]["message"]
    assert (await longtake("cancel", "mine")).code == 2


@pytest.mark.usefixtures("control")
async def test_a_failed_job_names_its_retry(longtake: Command) -> None:
    failed = await longtake(*ASKED, "--label", "fail=Poisoned")
    assert failed.code == 1
    assert "`longtake retry mine` runs only what is missing" in failed.err
    again = await longtake("retry", "mine", "--json")
    assert again.document["error"]["type"] == "Poisoned"
    status = (await longtake("status", "mine", "--json")).document
    assert (status["state"], status["error"]["type"]) == ("failed", "Poisoned")


@pytest.mark.usefixtures("control")
async def test_failed_jobs_are_found_and_run_once_more_by_their_error(longtake: Command) -> None:
    for name, error in (
        ("a", "Poisoned"),
        ("b", "StorageUnavailable"),
        ("c", "StorageUnavailable"),
    ):
        words = ("--id", name, "--label", f"fail={error}")
        await longtake("transcode", "talk.mov", "-o", f"{name}.mp4", *words)
    found = ("--error", "StorageUnavailable", "--since", "1h", "--json")

    async def listed() -> set[str]:
        jobs = (await longtake("list", "--state", "failed", *found)).document
        return {job["job_id"] for job in jobs}

    await becomes(listed, {"b", "c"})
    first = await longtake("list", "--limit", "1")
    assert "there are more: `--limit`" in first.err
    assert len(first.out.splitlines()) == 2, "headings, and one job"
    assert "more" not in (await longtake("list", "--limit", "3")).err
    again = (await longtake("retry", "--all", *found)).document
    assert {(job["job_id"], job["state"]) for job in again} == {("b", "queued"), ("c", "queued")}
    several = await longtake("retry", "a", "nothing", "--json")
    assert several.code == 1
    assert [job["job_id"] for job in several.document] == ["a", "nothing"]
    assert several.document[1]["error"]["type"] == "JobNotFound"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the jobs, or say --all"),
        (("mine", "--all"), "name the jobs, or say --all"),
        (("mine", "--error", "Poisoned"), "name the jobs, or say --all"),
        (("--all", "--error", "Poison"), "there is no error 'Poison'"),
        (("--all", "--kind", "fax"), "there is no job of kind 'fax'"),
        (("--all", "--since", "soon"), "'soon' is no time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_which_jobs_to_retry_is_said_in_one_way(
    longtake: Command, arguments: tuple[str, ...], words: str
) -> None:
    done = await longtake("retry", *arguments)
    assert done.code == 2
    assert words in done.err


async def test_a_kind_that_is_none_is_no_empty_list(longtake: Command) -> None:
    done = await longtake("list", "--kind", "fax")
    assert done.code == 2
    assert "there is no job of kind 'fax'; use one of: transcode," in done.err


@pytest.mark.usefixtures("control")
async def test_jobs_are_listed(longtake: Command) -> None:
    assert "no jobs" in (await longtake("list")).err
    assert (await longtake("list", "--json")).document == []
    await longtake(*ASKED)

    async def succeeded() -> list[str]:
        jobs = (await longtake("list", "--state", "succeeded", "--json")).document
        return [job["job_id"] for job in jobs]

    await becomes(succeeded, ["mine"])
    listed = await longtake("list")
    assert "mine" in listed.out
    assert "succeeded" in listed.out
    head, row = listed.out.splitlines()
    assert head.split("\t")[0] == "JOB"
    assert {"mine", "succeeded", "talk.mov", "talk.mp4"} <= set(row.split("\t"))
    (line,) = (await longtake("list", "--json")).document
    assert line["job_id"] == "mine"
    assert (await longtake("list", "--state", "failed", "--json")).document == []
    assert (await longtake("list", "--state", "odd")).code == 2


async def test_an_unknown_id_is_a_bad_request(longtake: Command) -> None:
    for command in ("status", "watch", "cancel", "pause", "resume", "retry"):
        done = await longtake(command, "nothing")
        assert done.code == 2
        assert "error: JobNotFound: there is no job 'nothing'" in done.err


async def test_a_word_that_an_option_does_not_know_is_told_without_names_of_ours(
    alone: Command,
) -> None:
    done = await alone("list", "--state", "foo")
    assert done.code == 2
    assert "'--state': 'foo' is not one of 'queued'" in done.err
