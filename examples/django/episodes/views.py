"""Drafts, uploads, and what Longtake tells."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from episodes.models import Episode
from longtake import LongtakeError, LongtakeSync, Stitch, UserError, Webhook, webhooks

STAGES = {"probing": "CHECKING", "stitching": "GENERATING_AUDIO", "publishing": "FINALIZING"}
"""What editors call the stages of a job."""


@functools.cache
def longtake() -> LongtakeSync:
    """One client for all threads of this process."""
    return LongtakeSync.connect()


@csrf_exempt
@require_POST
def create(request: HttpRequest) -> JsonResponse:
    """A draft without audio."""
    return JsonResponse(Episode.objects.create(title=request.POST["title"]).shown(), status=201)


@require_GET
def show(request: HttpRequest, number: int) -> JsonResponse:
    """An episode as it stands."""
    return JsonResponse(get_object_or_404(Episode, pk=number).shown())


@csrf_exempt
@require_POST
def publish(request: HttpRequest, number: int) -> JsonResponse:
    """Upload raw audio, start the job, and answer at once."""
    episode = get_object_or_404(Episode, pk=number)
    audio = request.FILES["audio"]
    key = f"raw/{number}/{audio.name}"
    boto3.client("s3").upload_fileobj(audio, settings.BUCKET, key)
    job = Stitch.model_validate(
        {
            "timeline": [f"s3://{settings.BUCKET}/{key}"],
            "outputs": [{"uri": f"s3://{settings.BUCKET}/episodes/{number}.mp3"}],
            "preset": "podcast-episode",
            "tags": {"title": episode.title},
            "overwrite": True,
            "labels": {"episode": str(number)},
            "stage_labels": STAGES,
            "notify": [Webhook(url=settings.HOOK_URL, secret="site")],
        }
    )
    try:
        handle = longtake().start(job)
    except UserError as error:
        return JsonResponse({"error": str(error)}, status=422)
    except LongtakeError as error:
        # The draft stays where it was. Nothing falls back to encoding in this process.
        return JsonResponse({"error": f"not published, try again: {error}"}, status=503)
    Episode.objects.filter(pk=number).update(job=handle.id)
    # A webhook may have been quicker than this line: it knows more.
    Episode.objects.filter(pk=number, sequence__lt=0).update(stage="QUEUED")
    if handle.found == "done":
        # It was published before, and told then: perhaps to a database that is gone.
        outputs = handle.result().model_dump()["outputs"]
        Episode.objects.filter(pk=number).update(**_published(outputs))
    episode.refresh_from_db()
    return JsonResponse(episode.shown(), status=202)


@csrf_exempt
@require_POST
def told(request: HttpRequest) -> HttpResponse:
    """Move a draft by what Longtake tells. The same event may come twice, or late."""
    try:
        event = webhooks.verify(request.body, request.headers, settings.HOOK_SECRET)
    except webhooks.NotVerified as error:
        return HttpResponse(str(error), status=401)
    data = event["data"]
    Episode.objects.filter(pk=int(data["labels"]["episode"]), sequence__lt=data["sequence"]).update(
        sequence=data["sequence"], **_changes(event["type"], data)
    )
    return HttpResponse(status=204)


def _changes(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What an event means for its episode."""
    if kind == "job.completed":
        return _published(data["result"]["outputs"])
    if kind == "job.failed":
        return {"stage": "DRAFT", "percent": 0, "error": data["result"]["error"]["message"]}
    if kind == "job.canceled":
        return {"stage": "DRAFT", "percent": 0, "error": None}
    percent = round(100 * data["progress"]["fraction"])
    label = data["progress"].get("label")
    return {"percent": percent, "stage": label} if label else {"percent": percent}


def _published(outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """What becomes of an episode whose job is done."""
    audio = next(made["uri"] for made in outputs if made["role"] == "main")
    return {"stage": "PUBLISHED", "percent": 100, "audio": audio, "error": None}
