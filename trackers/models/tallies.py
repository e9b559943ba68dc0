"""How often a company's programs send conversations in."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from credits.models import Company


class IngestionTally(models.Model):
    """How many requests one company sent conversations with: lately, and on one day in UTC.

    As ``credits.models.RequestTally`` counts all the others (credits/rate_limits.py).
    """

    company = models.OneToOneField(
        Company, on_delete=models.PROTECT, primary_key=True, related_name="ingestion_tally"
    )
    recent_at = ArrayField(models.DateTimeField())
    day = models.DateField()
    day_count = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(day_count__gt=0), name="ingestion_tally_counts_from_one"
            ),
        ]

    def __str__(self) -> str:
        return f"Ingestion tally of company {self.company_id}"
