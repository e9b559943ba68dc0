"""Periodic jobs: which period was last done, so that two schedulers do it once."""

from __future__ import annotations

from django.db import models


class JobRun(models.Model):
    """The state of one periodic job; ``period`` is the start of the last one claimed."""

    name = models.CharField(max_length=60, primary_key=True)
    period = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)
    summary = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name
