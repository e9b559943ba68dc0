"""Granting credits: two steps, exact figures, once (SPEC §2, §9)."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits import balances, charging, reconciliation
from credits.ledger import Use
from credits.models import CreditGrant, LedgerEntry, Source
from credits.rating import Work
from tests.support import people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

URL = "/admin/credits/creditgrant/add/"


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def client(acme, vera):
    return signed_in(vera, acme)


def wish(**changes) -> dict[str, str]:
    return {
        "source": "ADJUSTMENT",
        "amount": "50",
        "first": "",
        "last": "",
        "reason": "Goodwill after the outage of 3 November",
        "key": str(uuid.uuid4()),
    } | changes


def seen_on(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found, "This is no confirmation page."
    return found[1]


def confirmed(client, form: dict[str, str], seen: str):
    return client.post(URL, form | {"seen": seen, "step": "confirm"})


def test_a_grant_shows_its_figures_first_and_then_does_what_they_say(acme, vera, client):
    people.credits_for(acme, "54.2")
    form = wish(last="2199-12-31")

    page = text_of(client.post(URL, form))
    before = CreditGrant.objects.count()
    answer = confirmed(client, form, seen_on(page))

    assert 'data-metric="balance-before" data-value="54.2">54.2<' in page
    assert 'data-metric="balance-after" data-value="104.2">104.2<' in page
    assert "now" in page
    assert "31 Dec 2199" in page
    assert before == 1
    grant = CreditGrant.objects.get(company=acme, reason=form["reason"])
    assert answer["Location"] == reverse("admin:credits_creditgrant_change", args=[grant.pk])
    assert (grant.amount, grant.source, grant.created_by) == (Decimal(50), Source.ADJUSTMENT, vera)
    # Midnight in Berlin after the last day.
    assert grant.expires_at == datetime(2199, 12, 31, 23, tzinfo=UTC)
    assert balances.now(company=acme).remaining == Decimal("104.2")
    assert LedgerEntry.objects.get(company=acme, sequence=2).actor_ref == vera.public_id
    assert reconciliation.check() == []


def test_a_later_start_is_scheduled_for_local_midnight(acme, client):
    people.credits_for(acme, "54.2")
    form = wish(first="2190-12-01", last="2190-12-31")

    page = text_of(client.post(URL, form))
    confirmed(client, form, seen_on(page))

    assert 'data-value="54.2"' in page
    assert 'data-value="104.2"' in page
    assert "1 Dec 2190 00:00 CET" in page
    grant = CreditGrant.objects.get(company=acme, reason=form["reason"])
    assert grant.effective_at == datetime(2190, 11, 30, 23, tzinfo=UTC)
    assert grant.expires_at == datetime(2190, 12, 31, 23, tzinfo=UTC)
    assert balances.now(company=acme).remaining == Decimal("54.2")
    shown = text_of(client.get(reverse("admin:credits_creditgrant_changelist")))
    assert 'data-status="scheduled"' in shown


def test_a_double_submit_grants_once(acme, client):
    form = wish()
    seen = seen_on(text_of(client.post(URL, form)))

    first, second = confirmed(client, form, seen), confirmed(client, form, seen)

    assert first["Location"] == second["Location"]
    assert CreditGrant.objects.filter(company=acme).count() == 1
    assert balances.now(company=acme).remaining == Decimal(50)


def test_the_same_form_with_another_amount_grants_nothing_more(acme, client):
    form = wish()
    confirmed(client, form, seen_on(text_of(client.post(URL, form))))
    changed = form | {"amount": "60"}

    answer = confirmed(client, changed, seen_on(text_of(client.post(URL, changed))))

    assert "This form was used for another grant; open it anew to grant more." in text_of(answer)
    assert balances.now(company=acme).remaining == Decimal(50)


def test_a_confirmation_on_figures_that_moved_is_shown_again(acme, client):
    people.credits_for(acme, "54.2")
    form = wish()
    seen = seen_on(text_of(client.post(URL, form)))
    charging.charge(
        company=acme,
        use=Use("TRACKER", "T", None, "CONTINUOUS"),
        work=Work(long_calls=1),
        rates=people.rates(),
    )

    again = text_of(confirmed(client, form, seen))

    assert "The balance has moved since you looked. Nothing was granted yet; look again." in again
    assert 'data-metric="balance-before" data-value="53.2"' in again
    assert balances.now(company=acme).remaining == Decimal("53.2")
    assert confirmed(client, form, seen_on(again)).status_code == 302
    assert balances.now(company=acme).remaining == Decimal("103.2")


def test_a_confirmation_for_another_company_grants_nothing(acme, vera, client):
    beta = people.company("Beta")
    form = wish()
    seen = seen_on(text_of(client.post(URL, form)))

    answer = text_of(confirmed(signed_in(vera, beta), form, seen))

    assert "You are working in Beta now. Nothing was granted yet; look again." in answer
    assert not CreditGrant.objects.exists()


def test_a_confirmation_that_nobody_was_shown_grants_nothing(acme, client):
    answer = client.post(URL, wish(step="confirm"))

    assert answer.status_code == 200
    assert not CreditGrant.objects.exists()


def test_change_goes_back_to_the_form_with_what_was_typed(client):
    page = text_of(client.post(URL, wish(amount="12.5", step="change")))

    assert 'value="12.5"' in page
    assert not CreditGrant.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "0"}, "Enter an amount above 0."),
        ({"amount": "-5"}, "Enter an amount above 0."),
        ({"amount": "0.0001"}, "Credits have at most three decimal places; 0.0001 has more."),
        ({"amount": "1000000000.001"}, "Enter at most 1,000,000,000.0 credits in one grant."),
        ({"amount": "1e400"}, "Enter at most 1,000,000,000.0 credits in one grant."),
        ({"amount": "many"}, "Enter a number, such as 2000 or 12.5."),
        ({"amount": "NaN"}, "Enter a number, such as 2000 or 12.5."),
        ({"amount": "Infinity"}, "Enter a number, such as 2000 or 12.5."),
        ({"amount": ""}, "This field is required."),
        ({"reason": " "}, "Write why: an adjustment needs a reason."),
        ({"reason": "x" * 501}, "Ensure this value has at most 500 characters (it has 501)."),
        (
            {"first": "2190-12-05", "last": "2190-12-01"},
            "The grant would expire after 1 Dec 2190, before it starts on 5 Dec 2190.",
        ),
        (
            {"last": "2020-01-01"},
            "A grant must expire after it starts; a start already past counts from now.",
        ),
        ({"first": "soon"}, "Enter a day as year-month-day, such as 2026-12-31."),
        ({"last": "9999-12-31"}, "Enter a day between the years 2000 and 2199."),
        (
            {"source": "PURCHASE"},
            "Select a valid choice. PURCHASE is not one of the available choices.",
        ),
        (
            {"source": "ALLOCATION"},
            "Select a valid choice. ALLOCATION is not one of the available choices.",
        ),
        ({"key": "mine"}, "Enter a valid UUID."),
    ],
)
@pytest.mark.parametrize("step", ["", "confirm"])
def test_what_cannot_be_granted_is_said_in_one_sentence(acme, client, changes, sentence, step):
    answer = client.post(URL, wish(step=step) | changes)

    errors = answer.context["form"].errors
    assert [error for messages in errors.values() for error in messages] == [sentence]
    assert not CreditGrant.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_introductory_credits_come_once(acme, client):
    people.credits_for(acme, "100", source=Source.INTRODUCTORY)

    answer = client.post(URL, wish(source="INTRODUCTORY", reason=""))

    assert answer.context["form"].errors == {
        "source": ["A company gets introductory credits once, and this one has had them."]
    }
    assert CreditGrant.objects.filter(company=acme).count() == 1


def test_introductory_credits_need_no_reason(acme, client):
    form = wish(source="INTRODUCTORY", reason="")

    confirmed(client, form, seen_on(text_of(client.post(URL, form))))

    assert CreditGrant.objects.get(company=acme).source == Source.INTRODUCTORY


def test_a_grant_belongs_to_a_company_that_was_chosen(vera):
    answer = signed_in(vera).post(URL, wish())

    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:credits_creditgrant_changelist")
    assert not CreditGrant.objects.exists()


@pytest.mark.parametrize("who", [people.alice, people.bob, people.vic])
def test_a_company_s_own_people_cannot_grant(acme, who):
    answer = signed_in(who(acme)).post(URL, wish(step="confirm"))

    assert answer.status_code == 403
    assert not CreditGrant.objects.exists()


def test_an_auditor_cannot_grant(acme):
    answer = signed_in(people.audrey(), acme).post(URL, wish(step="confirm"))

    assert answer.status_code == 403
    assert not CreditGrant.objects.exists()


def test_each_grant_says_its_state(acme, client):
    with seeded_clock(datetime(2026, 10, 1, tzinfo=UTC)) as clock:
        people.credits_for(acme, "1", expires_at=datetime(2026, 10, 2, tzinfo=UTC))
        clock.set(datetime(2026, 10, 3, tzinfo=UTC))
        people.credits_for(acme, "2")
        charging.charge(
            company=acme,
            use=Use("TRACKER", "T", None, "CONTINUOUS"),
            work=Work(long_calls=2),
            rates=people.rates(),
        )
        people.credits_for(acme, "3")
        people.credits_for(acme, "4", effective_at=datetime(2190, 1, 1, tzinfo=UTC))

        shown = text_of(client.get(reverse("admin:credits_creditgrant_changelist")))
        only = {
            state: re.findall(
                r'data-metric="grant-amount" data-value="([^"]+)"',
                text_of(
                    client.get(reverse("admin:credits_creditgrant_changelist"), {"state": state})
                ),
            )
            for state in ("Scheduled", "Active", "Used up", "Expired", "Voided")
        }

    assert re.findall(r'data-status="([^"]+)"', shown) == [
        "scheduled",
        "active",
        "used-up",
        "expired",
    ]
    assert only == {
        "Scheduled": ["4.0"],
        "Active": ["3.0"],
        "Used up": ["2.0"],
        "Expired": ["1.0"],
        "Voided": [],
    }
