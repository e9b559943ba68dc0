"""Terms: what a company agreed to, for how many seats."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.amounts import AmountField, validate_positive
from credits.identifiers import new_id
from credits.models import Company, CreditGrant, User
from credits.tenancy import CompanyKey, TenantKey, TenantOneToOne, target_of_composite_keys

SEAT_CREDITS_DEFAULT = 2000
INTRODUCTORY_DAYS_DEFAULT = 90
PURCHASE_MONTHS_DEFAULT = 12


class Period(models.TextChoices):
    """How long one seat allocation lasts."""

    MONTH = "MONTH", "Month"
    QUARTER = "QUARTER", "Quarter"
    YEAR = "YEAR", "Year"

    @property
    def months(self) -> int:
        return {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}[self]


class Contract(models.Model):
    """A company's terms; both days are local and included, no end means open-ended.

    An empty ``introductory_amount`` gives none; an empty ``approval_limit`` asks for no second
    person, however large a purchase. ``introductory_grant`` is set once and says that they were
    given, even when that grant was taken back. ``limit_before_raise`` is what the approval limit
    was before ``limit_raised_by`` raised it, and still is for that very person.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = models.OneToOneField(Company, on_delete=models.PROTECT, related_name="contract")
    starts_on = models.DateField("first day")
    ends_on = models.DateField("last day", null=True, blank=True)
    period = models.CharField(max_length=10, choices=Period.choices, default=Period.MONTH)
    introductory_amount = AmountField(null=True, blank=True, validators=[validate_positive])
    introductory_days = models.PositiveSmallIntegerField(default=INTRODUCTORY_DAYS_DEFAULT)
    introductory_grant = TenantOneToOne(CreditGrant, null=True, editable=False, related_name="+")
    approval_limit = AmountField(null=True, blank=True)
    limit_before_raise = AmountField(null=True, editable=False)
    limit_raised_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    purchase_months = models.PositiveSmallIntegerField(default=PURCHASE_MONTHS_DEFAULT)
    changed_at = models.DateTimeField(editable=False)
    changed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("billing_contract"),
            models.CheckConstraint(
                condition=Q(period__in=Period.values), name="contract_period_is_known"
            ),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")),
                name="contract_ends_on_or_after_its_first_day",
            ),
            models.CheckConstraint(
                condition=Q(introductory_amount=None) | Q(introductory_amount__gt=0),
                name="contract_introductory_amount_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(introductory_days__gte=1, purchase_months__gte=1),
                name="contract_lives_are_at_least_one",
            ),
            models.CheckConstraint(
                condition=Q(approval_limit=None) | Q(approval_limit__gte=0),
                name="contract_approval_limit_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(limit_before_raise=None, limit_raised_by=None)
                | Q(limit_before_raise__isnull=False, limit_raised_by__isnull=False)
                & (Q(approval_limit=None) | Q(approval_limit__gt=F("limit_before_raise"))),
                name="contract_limit_was_raised_by_a_person_from_a_lower_one",
            ),
        ]

    def __str__(self) -> str:
        return f"Contract {self.pk}"


class SeatType(models.Model):
    """A kind of seat a company pays for, and the credits one brings each period."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="seat_types")
    name = models.CharField(max_length=100)
    credits = AmountField("credits a seat and period", default=SEAT_CREDITS_DEFAULT)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("billing_seattype"),
            models.UniqueConstraint(
                fields=["company", "name"], name="seat_type_has_its_own_name_in_a_company"
            ),
            models.CheckConstraint(
                condition=Q(credits__gt=0), name="seat_type_credits_are_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SeatCount(models.Model):
    """How many seats of a type there are from a local day on, as somebody recorded it.

    Rows are only added (a trigger refuses the rest). On a day the row with the latest
    ``effective_on`` at or before it counts, of several the one recorded last; so a correction
    of the past is a new row for the same day.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="seat_counts")
    seat_type = TenantKey(SeatType, related_name="counts")
    count = models.PositiveIntegerField("seats")
    effective_on = models.DateField("from")
    recorded_at = models.DateTimeField(editable=False)
    recorded_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", editable=False
    )
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [target_of_composite_keys("billing_seatcount")]
        indexes: ClassVar = [
            # The count in force on a day.
            models.Index(
                "company",
                "seat_type",
                F("effective_on").desc(),
                F("recorded_at").desc(),
                F("id").desc(),
                name="seat_count_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"Seat count {self.pk}"
