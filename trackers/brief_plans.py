"""What a run of a brief is to do, and what that costs at most."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

from credits.amounts import ZERO
from credits.rating import Rates, Work
from trackers.entities import Selection
from trackers.models import BriefSection


@dataclass(frozen=True, slots=True)
class Part:
    """One section to be run: what it is to do, and what that costs at most, in credits."""

    section: BriefSection
    work: Work
    price: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run reads and does, section by section, and what it costs at most."""

    selection: Selection
    parts: tuple[Part, ...]
    rates: Rates

    @property
    def credits(self) -> Decimal:
        return sum((part.price for part in self.parts), ZERO)

    @property
    def work(self) -> Work:
        """Return all that is to be done: what two sections read is read twice."""
        names = [field.name for field in fields(Work) if field.name != "request_count"]
        return Work(**{name: sum(getattr(one.work, name) for one in self.parts) for name in names})
