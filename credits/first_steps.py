"""A company's first steps: a short list that ticks itself off, until a person hides it for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Exists
from django.db.models.expressions import Combinable
from django.utils.module_loading import import_string

from credits.models import Company, CreditGrant, Membership


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; ``url_name`` is where, and ``is_done`` tells from the rows whether it is."""

    title: str
    hint: str
    url_name: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class AskedStep:
    """A step whose state the database is asked for: ``is_done`` goes into somebody's query."""

    title: str
    hint: str
    url_name: str
    is_done: Combinable

    def answered(self, is_done: bool) -> Step:
        return Step(self.title, self.hint, self.url_name, is_done)


def of_company(company: Company) -> list[AskedStep]:
    """Return what a company has to do, in order; asks the database nothing itself."""
    steps = [
        AskedStep(
            "Get credits",
            "Your provider grants or sells them; nothing is ever bought automatically.",
            "admin:credits_creditgrant_changelist",
            Exists(CreditGrant.objects.filter(company=company)),
        )
    ]
    for path in settings.CREDIT_FIRST_STEPS:
        ask: Callable[..., list[AskedStep]] = import_string(path)
        steps += ask(company=company)
    return steps


def of_member(membership: Membership) -> Step:
    """Return what the person has to do themselves."""
    return Step(
        "Read what costs credits, and what is free",
        "Two minutes, with the prices in force.",
        "admin:credits_guide",
        membership.guide_read_at is not None,
    )


def note_guide_read(*, membership: Membership, now: datetime) -> None:
    """Remember the first time a member read the guide; later ones change nothing."""
    Membership.objects.filter(pk=membership.pk, guide_read_at=None).update(guide_read_at=now)


def hide(*, membership: Membership, now: datetime) -> None:
    """Take the list off a member's credits page for good."""
    Membership.objects.filter(pk=membership.pk, first_steps_hidden_at=None).update(
        first_steps_hidden_at=now
    )
