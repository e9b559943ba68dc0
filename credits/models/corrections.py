"""Why the books were corrected, and by whom: the part of an act that can be erased."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Length, Trim
from django.db.models.lookups import GreaterThanOrEqual

from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.models.entries import LedgerEntry, UsageEvent
from credits.models.people import User
from credits.models.pool import CreditGrant, WrittenByTheLedgerModel
from credits.tenancy import CompanyKey, TenantKey, TenantOneToOne, target_of_composite_keys

REASON_LENGTH_MIN = 10


class CorrectionKind(models.TextChoices):
    """What a person did to a grant or a charge."""

    CANCELLED = "CANCELLED", "Cancelled"
    VOIDED = "VOIDED", "Voided"
    REFUNDED = "REFUNDED", "Refunded"
    ADJUSTED = "ADJUSTED", "Adjusted"


class Correction(WrittenByTheLedgerModel):
    """One act of correction: its reason and its person, beside the entry that it wrote.

    Entries hold no personal text and are never changed; this row may be: whoever erases a
    reason writes a sentence in its place. ``amount`` is that of the entry, with its sign; it is 0
    and there is no entry where nothing moved: a cancelled grant, a void of credits all held.
    The id is the ``cause_ref`` of every entry of the act, except that the entry which makes a
    grant effective names the grant.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="corrections")
    kind = models.CharField(max_length=10, choices=CorrectionKind.choices)
    grant = TenantKey(CreditGrant, null=True, related_name="corrections")
    usage_event = TenantKey(UsageEvent, null=True, related_name="corrections")
    entry = TenantOneToOne(LedgerEntry, null=True, related_name="correction")
    amount = AmountField()
    reason = models.TextField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_correction"),
            models.CheckConstraint(
                condition=Q(kind__in=CorrectionKind.values), name="correction_kind_is_known"
            ),
            models.CheckConstraint(
                condition=GreaterThanOrEqual(Length(Trim(F("reason"))), Value(REASON_LENGTH_MIN)),
                name="correction_says_why",
            ),
            # Allocations are cancelled and issued anew by the scheduler; the rest is a person's.
            models.CheckConstraint(
                condition=Q(by__isnull=False) | Q(kind=CorrectionKind.CANCELLED),
                name="correction_names_its_person",
            ),
            models.CheckConstraint(
                condition=Q(amount=0, entry=None) | ~Q(amount=0) & Q(entry__isnull=False),
                name="correction_has_an_entry_when_it_moves_credits",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[CorrectionKind.CANCELLED, CorrectionKind.VOIDED],
                    grant__isnull=False,
                    usage_event=None,
                )
                | Q(kind=CorrectionKind.REFUNDED, grant=None, usage_event__isnull=False)
                | Q(kind=CorrectionKind.ADJUSTED, usage_event=None),
                name="correction_names_what_it_corrects",
            ),
        ]
        indexes: ClassVar = [
            # A grant's page: what was done to it.
            models.Index("company", "grant", name="correction_of_a_grant"),
            # A charge's page: its refunds.
            models.Index("company", "usage_event", name="correction_of_a_charge"),
        ]

    def __str__(self) -> str:
        return f"Correction {self.pk}"
