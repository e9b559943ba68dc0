"""Time zones a company had before, has, and will have."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.identifiers import new_id
from credits.models import User
from credits.tenancy import CompanyKey


class ZoneChange(models.Model):
    """One decision of a person's that a company counts its days in another time zone.

    ``effective_at`` is where the period that ran when it was decided ends; without one it is the
    instant of the decision. The company has its new zone from ``applied_at``. A decision that was
    replaced or taken back before it counted has ``withdrawn_at``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="zone_changes")
    before = models.CharField(max_length=60)
    after = models.CharField(max_length=60)
    effective_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    applied_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["company"],
                condition=Q(applied_at=None, withdrawn_at=None),
                name="a_company_has_one_zone_change_ahead",
            ),
            models.CheckConstraint(
                condition=~Q(before=F("after")), name="zone_change_names_another_zone"
            ),
            models.CheckConstraint(
                condition=Q(applied_at=None)
                | Q(withdrawn_at=None, applied_at__gte=F("effective_at")),
                name="zone_change_counts_when_it_is_due_or_never",
            ),
        ]
        indexes: ClassVar = [
            # A company's changes, newest first.
            models.Index("company", F("decided_at").desc(), name="zone_change_newest_first"),
        ]

    def __str__(self) -> str:
        return f"Zone change {self.pk}"
