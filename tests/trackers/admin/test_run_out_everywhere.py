"""Wherever the run-out day is said, it is that of the credits page, as of the same instant (B4)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.core import mail
from django.urls import reverse

from config.demo.clock import seeded_clock
from credits import alert_mails, alerts, charging
from credits.ledger import Use
from credits.models import AlertMail
from credits.rating import Work
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from trackers import narrowing
from trackers.models import AdviceRun, Suggestion

pytestmark = pytest.mark.django_db

# 13:00 of a Thursday in Berlin, in winter.
NOON = datetime(2026, 11, 12, 12, tzinfo=UTC)


@pytest.fixture
def acme():
    """Ten a day since 3 October, 510 then, and none on the first two of the 28; 200 are left.

    Of 65 a week they last until 2 December, and for a part of the 3rd.
    """
    company = people.company()
    with seeded_clock(NOON - people.days(40)) as clock:
        people.credits_for(company, "1080")
        for ago in (*range(40, 28, -1), *range(26, 0, -1)):
            clock.set(NOON - people.days(ago))
            charging.charge(
                company=company,
                use=Use("TRACKER", "Budget", uuid.UUID(int=1), "CONTINUOUS"),
                work=Work(long_calls=510 if ago == 40 else 10),
                rates=people.rates(),
            )
        clock.set(NOON)
        yield company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def suggestion(tracker) -> Suggestion:
    run = AdviceRun.objects.create(company=tracker.company, computed_at=NOON)
    return Suggestion.objects.create(
        company=tracker.company,
        run=run,
        tracker=tracker,
        kind="EMAILS",
        edit_number=tracker.edit_number,
        conversations_before=14,
        conversations_after=4,
        credits_before=5,
        credits_after=4,
        read_count=14,
        found_count=3,
    )


def test_every_page_says_the_credits_page_s_day(acme, alice):
    client = signed_in(alice, acme)
    tracker = conversations.published(acme, alice, include_emails=True)
    draft = conversations.tracker(acme, "Delivery")

    def said(metric: str, name: str, row=None) -> str:
        page = client.get(reverse(f"admin:{name}", args=[row.pk] if row else []))
        return pages.read(page).figure(metric)

    assert said("runs-out", "credits_page") == "2026-12-03"
    before = "runs-out-before"
    assert said(before, "trackers_tracker_unpublish", tracker) == "2026-12-03"
    assert said(before, "trackers_suggestion_apply", suggestion(tracker)) == "2026-12-03"
    assert said(before, "trackers_tracker_publish", draft) == "2026-12-03"
    assert said(before, "trackers_tracker_change", draft) == "2026-12-03"
    narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=narrowing.Reads(calls=True, emails=False, filters=frozenset()),
        by=alice,
        now=NOON,
    )
    assert said(before, "trackers_tracker_undo", tracker) == "2026-12-03"


def test_the_mail_of_an_alert_says_it_too(acme, alice):
    alerts.evaluate(company_id=acme.pk, now=NOON)

    alert_mails.send(mail_id=AlertMail.objects.get().pk, clock=lambda: NOON)

    assert "Run out:    3 Dec 2026" in mail.outbox[0].body
