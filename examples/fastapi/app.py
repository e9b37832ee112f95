"""A site for podcasts that has Longtake publish its episodes.

A draft is made, raw audio is uploaded to a bucket, and one job joins, levels and encodes it. The
request that starts the job answers at once; signed webhooks move the draft through its stages.

    S3_BUCKET=podcast HOOK_URL=https://site.example/hooks/longtake HOOK_SECRET=whsec_… \\
        uvicorn app:app
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import boto3
from fastapi import FastAPI, Form, HTTPException, Request, UploadFile
from fastapi.concurrency import run_in_threadpool

from longtake import Longtake, LongtakeError, Stitch, UserError, Webhook, webhooks

BUCKET = os.environ["S3_BUCKET"]
HOOK_URL = os.environ["HOOK_URL"]
HOOK_SECRET = os.environ["HOOK_SECRET"]
DATABASE = os.environ.get("DATABASE", "episodes.sqlite")

STAGES = {"probing": "CHECKING", "stitching": "GENERATING_AUDIO", "publishing": "FINALIZING"}
"""What editors call the stages of a job."""

longtake = Longtake()
s3 = boto3.client("s3")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the table of episodes."""
    with database() as rows:
        rows.execute(
            "CREATE TABLE IF NOT EXISTS episodes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, "
            "stage TEXT NOT NULL, percent INTEGER NOT NULL DEFAULT 0, job TEXT, audio TEXT, "
            "error TEXT, sequence INTEGER NOT NULL DEFAULT -1)"
        )
    yield


app = FastAPI(lifespan=lifespan)


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """A transaction."""
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()


@app.post("/episodes", status_code=201)
def create(title: Annotated[str, Form()]) -> dict[str, Any]:
    """A draft without audio."""
    with database() as rows:
        made = rows.execute("INSERT INTO episodes (title, stage) VALUES (?, 'DRAFT')", (title,))
    return episode(made.lastrowid or 0)


@app.get("/episodes/{number}")
def episode(number: int) -> dict[str, Any]:
    """An episode as it stands."""
    with database() as rows:
        row = rows.execute("SELECT * FROM episodes WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise HTTPException(404, f"there is no episode {number}")
    return {name: row[name] for name in row.keys() if name != "sequence"}  # noqa: SIM118


@app.post("/episodes/{number}/publish", status_code=202)
async def publish(number: int, audio: UploadFile) -> dict[str, Any]:
    """Upload raw audio, start the job, and answer at once."""
    draft = await run_in_threadpool(episode, number)
    key = f"raw/{number}/{audio.filename}"
    await run_in_threadpool(s3.upload_fileobj, audio.file, BUCKET, key)
    job = Stitch(
        timeline=(f"s3://{BUCKET}/{key}",),  # type: ignore[arg-type] # a source alone is a part, too
        outputs=({"uri": f"s3://{BUCKET}/episodes/{number}.mp3"},),  # type: ignore[arg-type]
        preset="podcast-episode",
        tags={"title": draft["title"]},
        overwrite=True,
        labels={"episode": str(number)},
        stage_labels=STAGES,  # type: ignore[arg-type]
        notify=(Webhook(url=HOOK_URL, secret="site"),),
    )
    try:
        handle = await longtake.start(job)
    except UserError as error:
        raise HTTPException(422, str(error)) from error
    except LongtakeError as error:
        # The draft stays where it was. Nothing falls back to encoding in this process.
        raise HTTPException(503, f"not published, try again: {error}") from error
    with database() as rows:
        # A webhook may have been quicker than this line: it knows more.
        rows.execute(
            "UPDATE episodes SET job = ?, stage = CASE WHEN sequence < 0 THEN 'QUEUED' ELSE stage "
            "END WHERE id = ?",
            (handle.id, number),
        )
    if handle.found == "done":
        # It was published before, and told then: perhaps to a database that is gone.
        result = await handle.result()
        await run_in_threadpool(change, number, published(result.model_dump()["outputs"]))
    return await run_in_threadpool(episode, number)


@app.post("/hooks/longtake", status_code=204)
async def told(request: Request) -> None:
    """Move a draft by what Longtake tells. The same event may come twice, or late."""
    try:
        event = webhooks.verify(await request.body(), request.headers, HOOK_SECRET)
    except webhooks.NotVerified as error:
        raise HTTPException(401, str(error)) from error
    await run_in_threadpool(move, event)


def move(event: dict[str, Any]) -> None:
    """Take a step of an episode's job."""
    data = event["data"]
    changes: dict[str, Any] = {"percent": round(100 * data["progress"]["fraction"])}
    if event["type"] == "job.completed":
        changes = published(data["result"]["outputs"])
    elif event["type"] == "job.failed":
        changes = {"stage": "DRAFT", "percent": 0, "error": data["result"]["error"]["message"]}
    elif event["type"] == "job.canceled":
        changes = {"stage": "DRAFT", "percent": 0, "error": None}
    elif label := data["progress"].get("label"):
        changes["stage"] = label
    later = "AND sequence < :sequence"
    change(int(data["labels"]["episode"]), {**changes, "sequence": data["sequence"]}, later)


def published(outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """What becomes of an episode whose job is done."""
    audio = next(made["uri"] for made in outputs if made["role"] == "main")
    return {"stage": "PUBLISHED", "percent": 100, "audio": audio, "error": None}


def change(number: int, changes: dict[str, Any], condition: str = "") -> None:
    """Write to an episode."""
    names = ", ".join(f"{name} = :{name}" for name in changes)
    with database() as rows:
        rows.execute(
            f"UPDATE episodes SET {names} WHERE id = :id {condition}", {**changes, "id": number}
        )
