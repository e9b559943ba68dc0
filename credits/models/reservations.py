"""Promises and retries: credits held for work under way, and what a client's key did."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.models.entries import FeatureType, FeatureUse, UsageAction, UsageEvent
from credits.models.pool import CreditGrant, WrittenByTheLedgerModel
from credits.models.rates import RateCard
from credits.tenancy import CompanyKey, TenantKey, TenantOneToOne, target_of_composite_keys

LEASE_MAX = timedelta(minutes=60)


class ReservationState(models.TextChoices):
    """A grant expires; a reservation lapses."""

    OPEN = "OPEN", "Held"
    CAPTURED = "CAPTURED", "Charged"
    RELEASED = "RELEASED", "Released"
    LAPSED = "LAPSED", "Lapsed"


class Reservation(WrittenByTheLedgerModel, FeatureUse):
    """Credits of named lots held for work under way, until captured, released or lapsed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="reservations")
    state = models.CharField(
        max_length=10, choices=ReservationState.choices, default=ReservationState.OPEN
    )
    amount = AmountField()
    captured = AmountField(default=ZERO)
    rate_card = models.ForeignKey(
        RateCard, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    opened_at = models.DateTimeField()
    lapses_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    usage_event = TenantOneToOne(UsageEvent, null=True, related_name="reservation")

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_reservation"),
            models.CheckConstraint(
                condition=Q(amount__gt=0), name="reservation_amount_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(captured__gte=0, amount__gte=F("captured")),
                name="reservation_captures_no_more_than_it_holds",
            ),
            models.CheckConstraint(
                condition=Q(state=ReservationState.OPEN, closed_at=None)
                | Q(
                    state__in=[
                        ReservationState.CAPTURED,
                        ReservationState.RELEASED,
                        ReservationState.LAPSED,
                    ],
                    closed_at__isnull=False,
                ),
                name="reservation_is_open_until_it_is_closed",
            ),
            models.CheckConstraint(
                condition=Q(state=ReservationState.CAPTURED, usage_event__isnull=False)
                | ~Q(state=ReservationState.CAPTURED) & Q(usage_event=None, captured=0),
                name="reservation_captured_names_its_usage",
            ),
            models.CheckConstraint(
                condition=Q(lapses_at__gt=F("opened_at"))
                & Q(lapses_at__lte=F("opened_at") + LEASE_MAX),
                name="reservation_lapses_within_the_hour",
            ),
            models.CheckConstraint(
                condition=Q(feature_type__in=FeatureType.values, action__in=UsageAction.values),
                name="reservation_feature_and_action_are_known",
            ),
        ]
        indexes: ClassVar = [
            # Settling: the next reservation to lapse; also what is held now.
            models.Index(
                "company",
                "lapses_at",
                condition=Q(state=ReservationState.OPEN),
                name="reservation_next_to_lapse",
            ),
        ]

    def __str__(self) -> str:
        return f"Reservation {self.pk}"


class Hold(WrittenByTheLedgerModel):
    """How much of one grant a reservation holds; it counts while the reservation is open."""

    company = CompanyKey(related_name="+", db_constraint=False)
    reservation = TenantKey(Reservation, related_name="holds")
    grant = TenantKey(CreditGrant, related_name="holds")
    amount = AmountField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reservation", "grant"], name="hold_names_a_grant_once_per_reservation"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="hold_amount_is_positive"),
        ]

    def __str__(self) -> str:
        return f"Hold {self.pk}"


class Operation(models.TextChoices):
    """A write that a client may repeat with the same key."""

    CHARGE = "CHARGE", "Charge"
    RESERVE = "RESERVE", "Reserve"
    ISSUE = "ISSUE", "Issue"
    CANCEL = "CANCEL", "Cancel"
    VOID = "VOID", "Void"
    ADJUST = "ADJUST", "Adjust"
    REFUND = "REFUND", "Refund"


class IdempotencyRecord(models.Model):
    """What a client's key did, for ever: the same key never has a second effect.

    ``result_ref`` is the id of the row the first request made. ``answer`` is what the client was
    told, kept for 30 days.
    """

    company = CompanyKey(related_name="idempotency_records")
    operation = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    body_sha256 = models.BinaryField(max_length=32)
    result_ref = models.UUIDField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["company", "operation", "key"], name="idempotency_key_has_one_effect"
            ),
            models.CheckConstraint(condition=~Q(key=""), name="idempotency_key_is_not_empty"),
        ]

    def __str__(self) -> str:
        return f"Idempotency record {self.pk}"
