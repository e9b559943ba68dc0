"""Limits that cannot be set, that only alert beside others, and of keys that are replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from credits import api_keys, companies, limits
from credits.models import AuditEvent, Company, SpendingLimit
from tests.credits.conftest import NOON
from tests.credits.test_limits import (
    charge,
    key_of,
    limit,
    refusal_of,
    tracker,
    use_of,
    used,
)
from tests.support import people, statement


@pytest.fixture
def acme(clock):
    company = people.company("Acme")
    statement.lot(company, "March", "100")
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.mark.parametrize(
    ("credits", "sentence"),
    [
        ("-1", "A limit is from 0 to 1,000,000,000 credits."),
        ("1000000000.001", "A limit is from 0 to 1,000,000,000 credits."),
        ("0.0001", "Credits have at most three decimal places; 0.0001 has more."),
        ("NaN", "“NaN” is not an amount of credits."),
    ],
)
def test_a_limit_that_is_no_amount_is_refused_in_a_sentence(acme, credits, sentence):
    with pytest.raises(limits.LimitRefused) as refused:
        limit(acme, credits)

    assert str(refused.value) == sentence
    assert not SpendingLimit.objects.exists()
    assert not AuditEvent.objects.filter(subject_type="credits.spendinglimit").exists()


def test_a_company_has_200_limits_at_most(acme, monkeypatch):
    monkeypatch.setattr(limits, "LIMITS_MAX", 2)
    limit(acme, "1")
    limit(acme, "1", window="MONTH")

    with pytest.raises(limits.TooManyLimits):
        limit(acme, "1", about=tracker())

    limit(acme, "2")
    assert used(acme) == ["Acme: 0.0 of 2.0 a day", "Acme: 0.0 of 1.0 a month"]
    assert AuditEvent.objects.filter(subject_type="credits.spendinglimit").count() == 3


def test_a_closed_company_sets_no_limit(acme):
    Company.objects.filter(pk=acme.pk).update(
        closed_at=NOON, closed_by=people.vera(), closing_reason="Left us"
    )

    with pytest.raises(companies.CompanyClosed):
        limit(acme, "1")


@pytest.mark.parametrize("alerts_at", ["2", "9", "30"])
def test_a_limit_that_only_alerts_never_stands_before_one_that_refuses(acme, alerts_at):
    limit(acme, alerts_at, is_hard=False)
    hard = limit(acme, "10", about=limits.of_feature("ASK"))
    charge(acme, "8")

    refused = refusal_of(acme, "3")

    assert (refused.limit, refused.available) == (hard, Decimal("2.000"))
    assert str(refused) == (
        "This needs 3.0 credits, and the limit of 10.0 credits a day for AI Ask Anything leaves "
        "2.0."
    )
    charge(acme, "2")
    assert used(acme) == [
        f"Acme: 10.0 of {alerts_at}.0 a day",
        "AI Ask Anything: 10.0 of 10.0 a day",
    ]


def test_a_replaced_key_and_its_successor_have_one_limit_together(acme, alice):
    old = key_of(acme)
    limit(acme, "10", about=limits.of_key(old))
    charge(acme, "6", use_of(kind="ASK", key=old.pk))

    new = api_keys.rotate(key=old, by=alice, now=datetime.now(UTC)).key

    charge(acme, "3", use_of(kind="ASK", key=new.pk))
    assert used(acme) == ["Nightly export: 9.0 of 10.0 a day"]
    refusal_of(acme, "2", use_of(kind="ASK", key=old.pk))
    refusal_of(acme, "2", use_of(kind="ASK", key=new.pk))
    limit(acme, "11", about=limits.of_key(new))
    charge(acme, "2", use_of(kind="ASK", key=old.pk))
    assert used(acme) == ["Nightly export: 11.0 of 11.0 a day"]


def test_a_limit_set_on_a_replaced_key_counts_what_its_successor_used(acme, alice):
    old = key_of(acme)
    new = api_keys.rotate(key=old, by=alice, now=datetime.now(UTC)).key
    charge(acme, "6", use_of(kind="ASK", key=new.pk))

    limit(acme, "10", about=limits.of_key(old))

    assert used(acme) == ["Nightly export: 6.0 of 10.0 a day"]
    refusal_of(acme, "5", use_of(kind="ASK", key=new.pk))


def test_a_limit_set_on_a_successor_counts_what_its_forerunner_used(acme, alice):
    old = key_of(acme)
    charge(acme, "6", use_of(kind="ASK", key=old.pk))
    new = api_keys.rotate(key=old, by=alice, now=datetime.now(UTC)).key

    limit(acme, "10", about=limits.of_key(new))

    assert used(acme) == ["Nightly export: 6.0 of 10.0 a day"]
    refusal_of(acme, "5", use_of(kind="ASK", key=old.pk))
