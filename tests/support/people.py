"""A cast with meaning: Alice the tech admin, Bob the business admin, Vic the viewer."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Group

from credits import companies, grants, rating
from credits.models import Company, Membership, Role, Source, User

PASSWORD = "correct horse battery staple"


def company(name: str = "Acme", *, time_zone: str = "Europe/Berlin") -> Company:
    slug = f"{name.lower().replace(' ', '-')}-{uuid.uuid4().hex[:8]}"
    return companies.open_company(name=name, slug=slug, time_zone=time_zone)


def member(company: Company, role: Role, name: str) -> User:
    user = User.objects.create_user(f"{name.lower()}@{company.slug}.example", PASSWORD, name=name)
    Membership.objects.create(user=user, company=company, role=role)
    return user


def alice(company: Company) -> User:
    return member(company, Role.TECH_ADMIN, "Alice")


def bob(company: Company) -> User:
    return member(company, Role.BUSINESS_ADMIN, "Bob")


def vic(company: Company) -> User:
    return member(company, Role.VIEWER, "Vic")


def newcomer(company: Company) -> User:
    """Return a member who was invited and has neither signed in nor chosen a password."""
    user = User.objects.create_user(f"dana@{company.slug}.example", name="Dana")
    Membership.objects.create(user=user, company=company, role=Role.VIEWER)
    return user


def vera() -> User:
    user = User.objects.create_user(f"vera-{uuid.uuid4().hex[:8]}@vendor.example", PASSWORD)
    user.groups.add(Group.objects.get(name="Vendor staff"))
    return user


def audrey() -> User:
    user = User.objects.create_user(f"audrey-{uuid.uuid4().hex[:8]}@vendor.example", PASSWORD)
    user.groups.add(Group.objects.get(name="Vendor auditor"))
    return user


def credits_for(
    company: Company,
    amount: str,
    *,
    source: Source = Source.ADJUSTMENT,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
):
    return grants.issue(
        company=company,
        source=source,
        amount=Decimal(amount),
        # Nothing buys by itself: a purchase has its person.
        by=vera() if source == Source.PURCHASE else None,
        effective_at=effective_at,
        expires_at=expires_at,
    )


def rates():
    return rating.rates_at(datetime(2026, 1, 1, tzinfo=UTC))


def days(count: float) -> timedelta:
    return timedelta(days=count)
