"""A correction's line in the audit trail says what the ledger did, in its own figures."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits.models import AuditText, UsageEvent
from tests.credits.admin.test_correcting import confirmed, page_of, wish
from tests.support import people, statement
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    with seeded_clock(NOON) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    return people.company("Acme")


@pytest.fixture
def client(acme):
    return signed_in(people.vera(), acme)


def lines() -> list[tuple[str, str, dict[str, tuple[str | None, str | None]]]]:
    """Return action, subject and changes of every correction, oldest first."""
    texts = AuditText.objects.select_related("event").order_by("event__occurred_at", "event__pk")
    return [
        (
            text.event.action,
            text.subject_label,
            {one["field"]: (one["before"], one["after"]) for one in text.changes},
        )
        for text in texts.filter(event__action__in=["CANCELLED", "VOIDED", "ADJUSTED", "REFUNDED"])
    ]


def test_a_void_tells_the_balance_before_and_after_and_its_entry(acme, client):
    order = statement.lot(acme, "Order 7", "50")
    statement.charge(acme, "10")

    confirmed(client, page_of("void", order), wish())

    assert lines() == [
        (
            "VOIDED",
            "Purchase of 50.0 credits",
            {"balance": ("40.0", "0.0"), "credits": (None, "-40.0"), "entry": (None, "#3")},
        )
    ]


def test_a_refund_tells_what_came_back_and_whether_the_expired_part_comes_again(
    acme, client, clock
):
    lot = statement.lot(acme, "Order 7", "5", expires_at=NOON + timedelta(days=1))
    statement.lot(acme, "Order 8", "7")
    statement.charge(acme, "5")
    assert lot.amount == 5
    clock.set(NOON + timedelta(days=2))

    confirmed(
        client,
        page_of("refund", UsageEvent.objects.get()),
        wish(amount="1.5"),
        replace_expired="on",
    )

    [(action, _, changes)] = lines()
    assert action == "REFUNDED"
    assert changes == {
        "balance": ("7.0", "8.5"),
        "credits": (None, "1.5"),
        "entry": (None, "#4"),
        "replace_expired": (None, "yes"),
    }


def test_an_adjustment_names_the_grant_it_takes_from(acme, client):
    statement.lot(acme, "Order 7", "50")
    goodwill = people.credits_for(acme, "20")

    confirmed(client, page_of("adjust"), wish(amount="-2.5", grant=str(goodwill.pk)))

    assert lines() == [
        (
            "ADJUSTED",
            "Acme",
            {
                "grant": (None, "Adjustment of 20.0 credits"),
                "balance": ("70.0", "67.5"),
                "credits": (None, "-2.5"),
                "entry": (None, "#3"),
            },
        )
    ]


def test_a_cancelled_grant_moves_nothing_and_names_no_entry(acme, client):
    later = people.credits_for(acme, "20", effective_at=NOON + timedelta(days=3))

    confirmed(client, page_of("cancel", later), wish())

    assert lines() == [("CANCELLED", "Adjustment of 20.0 credits", {})]


def test_the_ledger_s_list_says_what_a_correction_was_for(acme, client):
    statement.lot(acme, "Order 7", "50")
    statement.charge(acme, "10")

    confirmed(client, page_of("refund", UsageEvent.objects.get()), wish(amount="4"))
    confirmed(client, page_of("adjust"), wish(amount="-1"))

    page = text_of(client.get(reverse("admin:credits_ledgerentry_changelist")))
    cells = re.findall(r'class="field-about[^>]*>(.*?)</td>', page, re.DOTALL)
    assert [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in cells] == [
        "What is spent next",
        "Ask anything, refunded",
        "Ask anything, API request",
        "Purchase grant",
    ]
