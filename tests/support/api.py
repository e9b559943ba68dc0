"""A company's program that calls the API with a key of its own."""

from __future__ import annotations

from datetime import datetime

from django.test import Client
from django.utils import timezone

from credits import api_keys
from credits.identifiers import new_id
from credits.models import Company, Membership, Role, Scope, User

PROBLEM = "application/problem+json"


def key(
    company: Company,
    *scopes: Scope,
    by: User | None = None,
    now: datetime | None = None,
    **more,
) -> api_keys.NewKey:
    """Make a key for everything it may do, unless scopes are given."""
    # Requesting purchases and changing trackers take a person.
    everything = [scope for scope in Scope if by or scope not in api_keys.IN_A_PERSON_S_NAME]
    return api_keys.create(
        company=company,
        name="Nightly job",
        scopes=scopes or everything,
        by=by,
        now=now or timezone.now(),
        **more,
    )


def client(text: str) -> Client:
    """Return a client that brings the key, and shows failures as a user would see them."""
    return Client(headers={"authorization": f"Bearer {text}"}, raise_request_exception=False)


def admin(company: Company) -> User:
    """Return a tech admin of the company who never signs in: a password takes a while to make."""
    user = User.objects.create_user(f"tech-{new_id()}@{company.slug}.example")
    Membership.objects.create(user=user, company=company, role=Role.TECH_ADMIN)
    return user


def of(company: Company, *scopes: Scope, **more) -> Client:
    return client(key(company, *scopes, **more).text)


def problem(response) -> dict:
    """Return the problem an answer is, or fail with what it is instead."""
    assert response.headers["Content-Type"] == PROBLEM, response.content[:300]
    found = response.json()
    assert found["status"] == response.status_code
    assert found["request_id"] == response.headers["X-Request-Id"]
    return found
