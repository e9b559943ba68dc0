"""What work costs (SPEC §3): the rate card's own figures, to the last decimal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from credits import charging, rating
from credits.models import Rate, RateCard, UsageEvent
from credits.rating import Work
from tests.credits.conftest import NOON
from tests.support import conversations, people, statement
from tests.support.people import days
from trackers import filters
from trackers.models import Conversation, TrackerVersion

pytestmark = pytest.mark.django_db

WORK = {
    "an e-mail": (Work(emails_with_text=1), "0.100"),
    "an e-mail without text": (Work(emails_without_text=1), "0.000"),
    "a long call": (Work(long_calls=1), "1.000"),
    "a short call": (Work(short_calls=1), "0.500"),
    "a call without text": (Work(calls_without_text=1), "0.000"),
    "a web search": (Work(web_searches=1), "5.000"),
    "nothing": (Work(), "0.000"),
    "ten calls and 26 e-mails": (Work(long_calls=7, short_calls=3, emails_with_text=26), "11.100"),
    "a great deal": (Work(short_calls=123_457, emails_with_text=1), "61728.600"),
}


@pytest.mark.parametrize("work", WORK)
def test_the_price_of(work):
    done, price = WORK[work]

    assert str(rating.price(done, people.rates())) == price


def test_everything_done_is_counted_what_is_free_included():
    work = Work(
        long_calls=1,
        short_calls=2,
        calls_without_text=4,
        emails_with_text=8,
        emails_without_text=16,
    )

    assert (work.calls, work.emails) == (7, 24)


CONVERSATIONS = {
    "a call of 0 s": ({"duration_seconds": 0}, "CALL_SHORT"),
    "a call of 600 s": ({"duration_seconds": 600}, "CALL_SHORT"),
    "a call of 601 s": ({"duration_seconds": 601}, "CALL_LONG"),
    "a long call in which only our side has words": (
        {"duration_seconds": 3600, "utterances": [("r", "Hello?"), ("c", "…!")]},
        "CALL_WITHOUT_TEXT",
    ),
    "an e-mail": ({"kind": "email"}, "EMAIL"),
    "an e-mail as long as a long call": ({"kind": "email", "duration_seconds": 601}, "EMAIL"),
    "an e-mail without a letter or digit": (
        {"kind": "email", "utterances": [("c", "–– ✓ !!")]},
        "EMAIL_WITHOUT_TEXT",
    ),
    "an e-mail of one digit": ({"kind": "email", "utterances": [("c", "7")]}, "EMAIL"),
}


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_what_a_conversation_is_charged_as(kind):
    acme = people.company()
    changes, item = CONVERSATIONS[kind]
    conversations.ingest(acme, conversations.record("one", **_content(changes)))

    found = filters.with_item(
        Conversation.objects.filter(company=acme), TrackerVersion(side="CUSTOMER")
    )

    assert found.values_list("item", flat=True).get() == item


def _content(changes) -> dict:
    utterances = changes.get("utterances", [("c", "That is too expensive.")])
    spoken = [
        {"id": f"u{place}", "speaker": speaker, "start": float(place), "text": text}
        for place, (speaker, text) in enumerate(utterances)
    ]
    return changes | {"utterances": spoken}


@pytest.fixture
def dearer(clock):
    """From tomorrow noon an e-mail costs 0.125 and a short call nothing."""
    card = RateCard.objects.create(effective_at=NOON + days(1), note="Second rate card")
    rates = {"EMAIL": "0.125", "CALL_LONG": "2", "CALL_SHORT": "0", "WEB_SEARCH": "5"}
    for item, amount in rates.items():
        Rate.objects.create(rate_card=card, item=item, amount=Decimal(amount))
    return card


def test_a_rate_card_is_in_force_from_its_instant(dearer):
    email = Work(emails_with_text=1)
    before = rating.rates_at(NOON + days(1) - timedelta(microseconds=1))
    after = rating.rates_at(NOON + days(1))

    assert str(rating.price(email, before)) == "0.100"
    assert str(rating.price(email, after)) == "0.125"
    assert str(rating.price(Work(short_calls=5), after)) == "0.000"


def test_before_the_first_rate_card_nothing_can_be_priced():
    with pytest.raises(rating.NoRateCard):
        rating.rates_at(datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC))


def test_a_later_rate_card_does_not_change_an_open_reservation(acme, dearer, clock):
    statement.lot(acme, "March", "10")
    clock.set(NOON + days(1) - timedelta(minutes=1))
    rates = rating.rates_at(clock())
    work = Work(long_calls=1, short_calls=1, emails_with_text=5)
    reservation = charging.reserve(
        company=acme, amount=rating.price(work, rates), use=statement.use(), rates=rates
    )
    clock.set(NOON + days(1) + timedelta(minutes=1))

    with pytest.raises(ValueError, match=r"^A capture is priced by the rate card of its reserv"):
        charging.capture(reservation=reservation, work=work, rates=rating.rates_at(clock()))
    event = charging.capture(reservation=reservation, work=work, rates=rates)

    assert UsageEvent.objects.get(pk=event.pk).rate_card_id == rates.card_id != dearer.pk
    assert statement.of(acme)[1:] == ["03 Mar 12:01 Used -2.0 = 8.0 (March -2.0)"]
