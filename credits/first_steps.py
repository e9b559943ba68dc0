"""A company's first steps: a short list that ticks itself off, until a person hides it for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from credits.models import Company, Membership, User


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; ``url_name`` is where, and ``is_done`` tells from the rows whether it is."""

    title: str
    hint: str
    url_name: str
    is_done: bool


def of(*, user: User, company: Company, has_credits: bool) -> tuple[Step, ...] | None:
    """Return the steps of a person in a company, in order.

    None for people who are no members of it, and once they have hidden the list.
    """
    membership = Membership.objects.filter(user=user, company=company).first()
    if membership is None or membership.first_steps_hidden_at is not None:
        return None
    steps = [
        Step(
            "Get credits",
            "Your provider grants or sells them; nothing is ever bought automatically.",
            "admin:credits_creditgrant_changelist",
            has_credits,
        )
    ]
    for path in settings.CREDIT_FIRST_STEPS:
        ask: Callable[..., list[Step]] = import_string(path)
        steps += ask(company=company)
    steps.append(
        Step(
            "Read what costs credits, and what is free",
            "Two minutes, with the prices in force.",
            "admin:credits_guide",
            membership.guide_read_at is not None,
        )
    )
    return tuple(steps)


def note_guide_read(*, user: User, company: Company, now: datetime) -> None:
    """Remember the first time a member read the guide; later ones change nothing."""
    Membership.objects.filter(user=user, company=company, guide_read_at=None).update(
        guide_read_at=now
    )


def hide(*, user: User, company: Company, now: datetime) -> None:
    """Take the list off a member's credits page for good."""
    Membership.objects.filter(user=user, company=company, first_steps_hidden_at=None).update(
        first_steps_hidden_at=now
    )
