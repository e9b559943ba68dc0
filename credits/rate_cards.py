"""Set prices: a new rate card for a time to come. A card in force or past is never edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from credits.amounts import exact
from credits.models import Rate, RateCard, RateItem, User


class RateCardStartsTooEarly(Exception):
    """A rate card starts in the future: work already done keeps its price."""


class RateCardExists(Exception):
    """Another rate card starts at this very instant; choose another."""


class ItemWithoutRate(Exception):
    """A rate card prices every item; 0 is a price too."""


def publish(
    *, effective_at: datetime, rates: dict[str, Decimal], note: str, by: User | None, now: datetime
) -> RateCard:
    """Make the card in force from ``effective_at`` until the next one's; rates are in credits.

    :raises InexactAmount: for a fourth decimal place.
    :raises RateCardStartsTooEarly: it does not start after ``now``.
    :raises RateCardExists: for a second card at the same instant.
    :raises ItemWithoutRate: an item has no price.
    """
    amounts = {item: exact(rate) for item, rate in rates.items()}
    if set(amounts) != set(RateItem.values):
        raise ItemWithoutRate(ItemWithoutRate.__doc__)
    if effective_at <= now:
        raise RateCardStartsTooEarly(RateCardStartsTooEarly.__doc__)
    with transaction.atomic():
        card, is_new = RateCard.objects.get_or_create(
            effective_at=effective_at, defaults={"note": note, "created_by": by}
        )
        if not is_new:
            raise RateCardExists(RateCardExists.__doc__)
        Rate.objects.bulk_create(
            Rate(rate_card=card, item=item, amount=amount) for item, amount in amounts.items()
        )
    return card
