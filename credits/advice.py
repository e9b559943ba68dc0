"""What could be saved, as those know who use credits (setting ``CREDIT_ADVICE``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models.expressions import Combinable
from django.utils.module_loading import import_string

from credits.amounts import ZERO
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
    saved: Decimal
    url: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Suggestions, the dearest first, as worked out at ``as_of``; None where nobody did yet.

    ``reused`` are the credits of the last 30 days that were not used because an answer was given
    again.
    """

    suggestions: tuple[Suggestion, ...] = ()
    as_of: datetime | None = None
    reused: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class AskedAdvice:
    """Advice that the database is asked for in somebody's query, and how its answer is read."""

    value: Combinable
    read: Callable[[Any], Advice]


def asked(*, company: Company) -> list[AskedAdvice]:
    """Return what has to be asked; asks the database nothing itself."""
    return [import_string(path)(company=company) for path in settings.CREDIT_ADVICE]


def together(answers: Iterable[Advice]) -> Advice:
    """Put several answers together; the oldest says how fresh they are."""
    found = list(answers)
    return Advice(
        suggestions=tuple(
            sorted((one for each in found for one in each.suggestions), key=lambda one: -one.saved)
        ),
        as_of=min((advice.as_of for advice in found if advice.as_of is not None), default=None),
        reused=sum((advice.reused for advice in found), ZERO),
    )
