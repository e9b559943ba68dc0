"""What could be saved, as those know who use credits (setting ``CREDIT_ADVICE``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils.module_loading import import_string

from credits.models import Company


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One change that would save credits.

    ``sentence`` says what to do, ``evidence`` why, from the company's own figures; ``saved`` is
    an estimate a month. ``url`` leads to the page that shows the change before anything is done.
    """

    kind: str
    sentence: str
    evidence: str
    action: str
    saved: Decimal
    url: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Suggestions, the dearest first, as worked out at ``as_of``; None where nobody did yet."""

    suggestions: tuple[Suggestion, ...] = ()
    as_of: datetime | None = None


def of(*, company: Company) -> Advice:
    """Return what a company could save; the oldest answer says how fresh it is."""
    found: list[Suggestion] = []
    instants: list[datetime] = []
    for path in settings.CREDIT_ADVICE:
        ask: Callable[..., Advice] = import_string(path)
        advice = ask(company=company)
        found += advice.suggestions
        instants += [] if advice.as_of is None else [advice.as_of]
    return Advice(
        suggestions=tuple(sorted(found, key=lambda one: -one.saved)),
        as_of=min(instants, default=None),
    )
