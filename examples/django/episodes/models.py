"""The one table of the site."""

from __future__ import annotations

from django.db import models


class Episode(models.Model):
    """An episode, from its draft on."""

    title = models.CharField(max_length=200)
    stage = models.CharField(max_length=40, default="DRAFT")
    percent = models.IntegerField(default=0)
    job = models.CharField(max_length=200, null=True)
    audio = models.CharField(max_length=1000, null=True)
    error = models.TextField(null=True)
    sequence = models.BigIntegerField(default=-1)
    """Of the last webhook: an older one changes nothing."""

    def shown(self) -> dict[str, object]:
        """What the site tells of it."""
        names = ("id", "title", "stage", "percent", "job", "audio", "error")
        return {name: getattr(self, name) for name in names}
