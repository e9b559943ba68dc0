"""A cache of the usage events: closed local days, added up. Never the truth, and never an act."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from credits.amounts import AmountField
from credits.models.entries import FeatureType, UsageAction
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys


class UsageDay(models.Model):
    """One closed local day whose usage events are added up; one without any has no sums.

    It is known by the instants between which it was, not by its date and zone: a company that
    moves to another zone, or a zone whose rules change, has other days, which are added up anew.
    """

    company = CompanyKey(related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_usageday"),
            # The claim of whoever adds a day up, and how readers find it.
            models.UniqueConstraint(
                fields=["company", "starts_at", "ends_at"], name="usage_day_is_added_up_once"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="usage_day_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"Usage day {self.pk}"


class UsageSum(models.Model):
    """What was used on one day under the same names: the sums of its usage events.

    Opaque ids only, as on the events.
    """

    company = CompanyKey(related_name="+", db_constraint=False)
    day = TenantKey(UsageDay, on_delete=models.CASCADE, related_name="sums")
    feature_type = models.CharField(max_length=10, choices=FeatureType.choices)
    feature_ref = models.UUIDField(null=True)
    feature_name = models.CharField(max_length=200)
    action = models.CharField(max_length=20, choices=UsageAction.choices)
    team_ref = models.UUIDField(null=True)
    user_ref = models.UUIDField(null=True)
    integration_ref = models.UUIDField(null=True)
    calls = models.PositiveBigIntegerField()
    emails = models.PositiveBigIntegerField()
    web_searches = models.PositiveBigIntegerField()
    request_count = models.PositiveBigIntegerField()
    amount = AmountField()

    class Meta:
        constraints: ClassVar = [
            # Also how a day's sums are found.
            models.UniqueConstraint(
                fields=[
                    *("day", "feature_type", "feature_ref", "feature_name", "action"),
                    *("team_ref", "user_ref", "integration_ref"),
                ],
                nulls_distinct=False,
                name="usage_sum_is_one_row_for_what_it_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(
                    feature_type__in=FeatureType.values,
                    action__in=UsageAction.values,
                    amount__gte=0,
                ),
                name="usage_sum_is_of_known_features_and_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"Usage sum {self.pk}"
