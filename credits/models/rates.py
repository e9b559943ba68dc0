"""The rate card: what each item costs, from when (SPEC §3)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from credits.amounts import AmountField
from credits.models.people import User


class RateItem(models.TextChoices):
    """An item that has a price."""

    EMAIL = "EMAIL", "E-mail analysed"
    CALL_LONG = "CALL_LONG", "Call longer than 10 minutes"
    CALL_SHORT = "CALL_SHORT", "Call of 10 minutes or less"
    WEB_SEARCH = "WEB_SEARCH", "Web search in a brief"


class RateCard(models.Model):
    """One version of the prices, in force from ``effective_at`` until the next one's."""

    effective_at = models.DateTimeField("in force from", unique=True)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )

    def __str__(self) -> str:
        return f"Rate card {self.pk}"


class Rate(models.Model):
    """What one item costs on one card, in credits."""

    rate_card = models.ForeignKey(RateCard, on_delete=models.PROTECT, related_name="rates")
    item = models.CharField(max_length=20, choices=RateItem.choices)
    amount = AmountField("credits")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["rate_card", "item"], name="rate_card_prices_an_item_once"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="rate_is_not_negative"),
            models.CheckConstraint(
                condition=Q(item__in=RateItem.values), name="rate_item_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Rate {self.pk}"
