"""What work costs: the rate card in force, and the price of a tally of work (SPEC §3).

The price is known before any AI runs, from counts alone. Estimates, reservations and captures
all come through ``price``; there is no other arithmetic of prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Case, CharField, Q, Value, When
from django.db.models.expressions import Combinable

from credits.amounts import exact
from credits.models import RateCard, RateItem

LONG_CALL_SECONDS = 600  # A call longer than this, not of exactly this, is a long one.

# Work that is done and counted but has no price: nothing on the tracker's side can be analyzed.
CALL_WITHOUT_TEXT = "CALL_WITHOUT_TEXT"
EMAIL_WITHOUT_TEXT = "EMAIL_WITHOUT_TEXT"
# Work of a feature that is free: keyword and pretrained trackers (I18).
FREE_CALL = "FREE_CALL"
FREE_EMAIL = "FREE_EMAIL"
_WITHOUT_PRICE = (CALL_WITHOUT_TEXT, EMAIL_WITHOUT_TEXT, FREE_CALL, FREE_EMAIL)


class NoRateCard(Exception):
    """No rate card is in force yet; a vendor's staff member has to publish one."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of one rate card, in credits per item."""

    card_id: int
    amounts: dict[str, Decimal]

    def of(self, item: str) -> Decimal:
        """Return the price of one item; 0 for work that has none."""
        if item in _WITHOUT_PRICE:
            return Decimal(0)
        return self.amounts[item]

    @property
    def dearest(self) -> Decimal:
        """Return the highest price of any one item."""
        return max(self.amounts.values(), default=Decimal(0))


@dataclass(frozen=True, slots=True)
class Work:
    """How much is to be done or was done, item by item."""

    long_calls: int = 0
    short_calls: int = 0
    calls_without_text: int = 0
    emails_with_text: int = 0
    emails_without_text: int = 0
    free_calls: int = 0
    free_emails: int = 0
    web_searches: int = 0
    request_count: int | None = None

    @property
    def calls(self) -> int:
        return self.long_calls + self.short_calls + self.calls_without_text + self.free_calls

    @property
    def emails(self) -> int:
        return self.emails_with_text + self.emails_without_text + self.free_emails

    @classmethod
    def of_items(cls, counts: dict[str, int]) -> Work:
        """Tally conversations by the item that ``item_of`` named for each."""
        return cls(
            long_calls=counts.get(RateItem.CALL_LONG, 0),
            short_calls=counts.get(RateItem.CALL_SHORT, 0),
            calls_without_text=counts.get(CALL_WITHOUT_TEXT, 0),
            emails_with_text=counts.get(RateItem.EMAIL, 0),
            emails_without_text=counts.get(EMAIL_WITHOUT_TEXT, 0),
            free_calls=counts.get(FREE_CALL, 0),
            free_emails=counts.get(FREE_EMAIL, 0),
        )


def rates_at(instant: datetime) -> Rates:
    """Return the prices in force at an instant.

    :raises NoRateCard: if the first card starts later.
    """
    card = card_at(instant)
    if card is None:
        raise NoRateCard(NoRateCard.__doc__)
    return Rates(card_id=card.pk, amounts={rate.item: rate.amount for rate in card.rates.all()})


def card_at(instant: datetime) -> RateCard | None:
    """Return the rate card in force at an instant, with its rates; None before the first one."""
    return (
        RateCard.objects.filter(effective_at__lte=instant)
        .order_by("-effective_at")
        .prefetch_related("rates")
        .first()
    )


def price(work: Work, rates: Rates) -> Decimal:
    """Return what the work costs, exactly: rates have at most three places, so nothing rounds."""
    return exact(
        work.long_calls * rates.of(RateItem.CALL_LONG)
        + work.short_calls * rates.of(RateItem.CALL_SHORT)
        + work.emails_with_text * rates.of(RateItem.EMAIL)
        + work.web_searches * rates.of(RateItem.WEB_SEARCH)
    )


def item_of(*, kind: str, duration_seconds: str, has_text: Q, is_free: bool = False) -> Combinable:
    """Return the expression that names the item of each conversation in a query.

    ``kind`` and ``duration_seconds`` name columns; ``kind`` holds CALL or EMAIL. The one place
    that knows what a long call is. Work of a free feature is counted, and has no price.
    """
    is_call = Q(**{kind: "CALL"})
    if is_free:
        return Case(
            When(is_call, then=Value(FREE_CALL)),
            default=Value(FREE_EMAIL),
            output_field=CharField(),
        )
    return Case(
        When(is_call & ~has_text, then=Value(CALL_WITHOUT_TEXT)),
        When(
            is_call & Q(**{f"{duration_seconds}__gt": LONG_CALL_SECONDS}),
            then=Value(RateItem.CALL_LONG),
        ),
        When(is_call, then=Value(RateItem.CALL_SHORT)),
        When(~has_text, then=Value(EMAIL_WITHOUT_TEXT)),
        default=Value(RateItem.EMAIL),
        output_field=CharField(),
    )
