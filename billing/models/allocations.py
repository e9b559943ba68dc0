"""What each period of a contract brought."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.contracts import SeatType
from credits.amounts import AmountField
from credits.identifiers import new_id
from credits.models import CreditGrant, User
from credits.tenancy import CompanyKey, TenantKey, TenantOneToOne, target_of_composite_keys


class AllocationState(models.TextChoices):
    """What became of a period's credits; the last two are never left."""

    ISSUED = "ISSUED", "Issued"
    CANCELLED = "CANCELLED", "Issued anew"
    MISSED = "MISSED", "Missed"


class Allocation(models.Model):
    """The credits of one period, from the seats known when it was written.

    ``starts_on`` and ``ends_on`` are local days, both included; ``starts_at`` and ``ends_at``
    are what they meant in ``time_zone``, half-open, and never move. A period in which nobody had
    a seat is issued with 0 credits and no grant. A missed one says what it would have brought.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="allocations")
    period_number = models.PositiveIntegerField("period")
    state = models.CharField(max_length=10, choices=AllocationState.choices)
    starts_on = models.DateField("first day")
    ends_on = models.DateField("last day")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    time_zone = models.CharField(max_length=60)
    amount = AmountField()
    grant = TenantOneToOne(CreditGrant, null=True, related_name="allocation")
    written_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("billing_allocation"),
            models.UniqueConstraint(
                fields=["company", "period_number"],
                condition=~Q(state=AllocationState.CANCELLED),
                name="a_period_is_allocated_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=AllocationState.values), name="allocation_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    period_number__gte=1,
                    ends_on__gte=F("starts_on"),
                    ends_at__gt=F("starts_at"),
                ),
                name="allocation_period_is_in_order",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0)
                & (
                    Q(state=AllocationState.MISSED, grant=None)
                    | ~Q(state=AllocationState.MISSED)
                    & (Q(amount=0, grant=None) | Q(amount__gt=0, grant__isnull=False))
                ),
                name="allocation_has_a_grant_when_it_brought_credits",
            ),
            models.CheckConstraint(
                condition=Q(state=AllocationState.CANCELLED, cancelled_at__isnull=False)
                | ~Q(state=AllocationState.CANCELLED) & Q(cancelled_at=None),
                name="allocation_cancellation_has_its_instant",
            ),
        ]
        indexes: ClassVar = [
            # A company's last period, and its list.
            models.Index(
                "company", F("period_number").desc(), F("id").desc(), name="allocation_last_period"
            ),
        ]

    def __str__(self) -> str:
        return f"Allocation {self.pk}"


class AllocationLine(models.Model):
    """How one seat type added to an allocation: a snapshot, never changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="allocation_lines")
    allocation = TenantKey(Allocation, related_name="lines")
    seat_type = TenantKey(SeatType, related_name="+")
    seat_name = models.CharField(max_length=100)
    seats = models.PositiveIntegerField()
    credits = AmountField("credits a seat")
    amount = AmountField("credits together")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("billing_allocationline"),
            models.UniqueConstraint(
                fields=["company", "allocation", "seat_type"],
                name="a_seat_type_stands_once_in_an_allocation",
            ),
            models.CheckConstraint(
                condition=Q(amount=F("seats") * F("credits")),
                name="allocation_line_is_seats_times_credits",
            ),
        ]

    def __str__(self) -> str:
        return f"Allocation line {self.pk}"


class TopUp(models.Model):
    """Credits given within a period for seats that were recorded late, by a person's choice."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="top_ups")
    allocation = TenantKey(Allocation, related_name="top_ups")
    amount = AmountField()
    grant = TenantOneToOne(CreditGrant, related_name="top_up")
    reason = models.CharField(max_length=500)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("billing_topup"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="top_up_amount_is_positive"),
        ]
        indexes: ClassVar = [
            # What an allocation was topped up with before.
            models.Index("company", "allocation", name="top_up_of_allocation"),
        ]

    def __str__(self) -> str:
        return f"Top-up {self.pk}"
