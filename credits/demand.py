"""What waits for credits, as those know who have it waiting (setting ``CREDIT_DEMAND``)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Protocol

from django.conf import settings
from django.db.models import DecimalField, Value
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.module_loading import import_string

from credits import metering, shown
from credits.amounts import DIGITS, ZERO
from credits.models import Company

# Of estimates: more places than a charge has.
PACE: DecimalField[Decimal, Decimal] = DecimalField(max_digits=DIGITS + 6, decimal_places=9)


class Demand(Protocol):
    """What one feature has waiting for credits."""

    feature_type: str
    feature_name: str
    calls: int
    emails: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for credits, all features together and each, the dearest first.

    A conversation that several features wait for counts once for each: it is read as often.
    """

    calls: int
    emails: int
    credits: Decimal
    by_feature: tuple[Demand, ...]

    @property
    def count(self) -> int:
        return self.calls + self.emails

    @property
    def in_words(self) -> str:
        return shown.to_read(self.calls, self.emails, readers=len(self.by_feature))

    def __bool__(self) -> bool:
        return self.count > 0


def planned_per_day(company: Company) -> Combinable:
    """Say, in somebody's query, by how much changes that are made move the pace of each day.

    Below 0 for less. Of ``forecasts.HISTORY_DAYS`` days of history those from before a change
    still count as they were; with each day that passes they are fewer, and the move smaller.
    """
    parts = [import_string(path)(company=company) for path in settings.CREDIT_PLANNED]
    return reduce(operator.add, parts, Value(ZERO, output_field=PACE))


def note(request: HttpRequest, found: Waiting) -> None:
    """Keep what a page has read of what waits, so that its sidebar need not ask again."""
    request.waiting_count = found.count  # type: ignore[attr-defined]


def noted(request: HttpRequest) -> int | None:
    """Return how many the page has found waiting in its company; None where it did not ask."""
    return getattr(request, "waiting_count", None)


def waiting(*, company: Company) -> Waiting:
    """Return what a company has waiting for credits now."""
    demands: list[Demand] = []
    for path in settings.CREDIT_DEMAND:
        ask: Callable[..., list[Demand]] = import_string(path)
        demands += ask(company=company)
    return Waiting(
        calls=sum(demand.calls for demand in demands),
        emails=sum(demand.emails for demand in demands),
        credits=metering.total(demands),
        by_feature=tuple(sorted(demands, key=lambda demand: -demand.credits)),
    )
