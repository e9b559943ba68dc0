"""Open a company in one act: tenant, pool, contract, seats, credits, and its first person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing import contracts
from billing.contracts import Outcome, Seats, Terms
from credits import audit, companies, invitations
from credits.audit import Action
from credits.models import Company, Role, User


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new company is to be; ``admin_email`` is its first tech admin's."""

    name: str
    slug: str
    time_zone: str
    terms: Terms
    seats: Sequence[Seats]
    admin_email: str
    admin_name: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A company as it was opened; its admin has not been written to yet."""

    company: Company
    admin: User
    outcome: Outcome


def open_company(*, wish: Wish, by: User, now: datetime) -> Opened:
    """Make the company and all that belongs to it, or nothing at all.

    Send the invitation after the commit (``invitations.send``); it may be sent again.

    :raises ValidationError: for a slug that is taken or malformed, or an unknown time zone.
    :raises ContractRefused: for terms that make no sense.
    :raises SeatsRefused: for seats that make no sense.
    :raises InvitationRefused: the admin cannot be invited.
    """
    with transaction.atomic():
        company = companies.open_company(
            name=wish.name,
            slug=wish.slug,
            time_zone=wish.time_zone,
        )
        audit.record(
            action=Action.OPENED,
            by=by,
            company=company,
            subject=company,
            after={"name": wish.name, "slug": wish.slug, "time_zone": wish.time_zone},
        )
        admin = invitations.invite(
            company=company,
            email=wish.admin_email,
            name=wish.admin_name,
            role=Role.TECH_ADMIN,
            by=by,
        )
        outcome = contracts.agree(
            company=company, terms=wish.terms, seat_counts=wish.seats, by=by, now=now
        )
    return Opened(company=company, admin=admin, outcome=outcome)


def preview(*, wish: Wish, by: User, now: datetime) -> Outcome:
    """Return what opening would write, and take it back; raises what opening would."""
    return contracts.dry_run(lambda: open_company(wish=wish, by=by, now=now).outcome)
