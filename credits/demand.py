"""What waits for credits, as those know who have it waiting (setting ``CREDIT_DEMAND``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from credits import metering
from credits.models import Company


class Demand(Protocol):
    """What one feature has waiting for credits."""

    feature_type: str
    feature_name: str
    calls: int
    emails: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for credits, all features together and each, the dearest first."""

    calls: int
    emails: int
    credits: Decimal
    by_feature: tuple[Demand, ...]

    @property
    def count(self) -> int:
        return self.calls + self.emails

    def __bool__(self) -> bool:
        return self.count > 0


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
