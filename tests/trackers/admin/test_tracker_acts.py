"""Publish, unpublish and backfill: pages that say in numbers what they will do (UX §1c)."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import Source, UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, publishing, scanning
from trackers.models import Backfill, Scan, Tracker, TrackerFilter, TrackerVersion

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
SHARES = {
    Source.ALLOCATION: "25 % of 50.0 credits",
    Source.PURCHASE: "no credits are allocated to seats at present",
}


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def acme(now):
    """A month of 20 calls and 5 e-mails: 12.5 credits; and two long calls of the month before."""
    company = people.company()
    lately, before = now - timedelta(days=3), now - timedelta(days=45)
    conversations.ingest(
        company,
        *(record(f"long-{n}", started_at=lately, duration_seconds=900) for n in range(4)),
        *(record(f"short-{n}", started_at=lately) for n in range(16)),
        *(record(f"mail-{n}", started_at=lately, kind="email") for n in range(5)),
        *(record(f"old-{n}", started_at=before, duration_seconds=900) for n in range(2)),
    )
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def tracker(acme):
    return conversations.tracker(acme, include_emails=True)


def url(name: str, tracker) -> str:
    return reverse(f"admin:trackers_tracker_{name}", args=[tracker.pk])


def value(response, metric: str) -> str:
    found = re.findall(rf'data-metric="{metric}" data-value="([^"]*)"', response.content.decode())
    assert len(set(found)) == 1, (metric, found)
    return found[0]


def fact(response, name: str) -> str:
    """Return what the page's list of facts says under a name."""
    text = html.unescape(response.content.decode())
    return re.search(rf"<dt>{name}</dt><dd>(.*?)</dd>", text)[1]


def hidden(response) -> dict[str, str]:
    """Return what the page would send back unseen."""
    found = re.findall(
        r'<input type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode()
    )
    return {name: given for name, given in found if name != "csrfmiddlewaretoken"}


def days(response) -> dict[str, str]:
    form = response.context["offer"].form
    return {name: str(form[name].value()) for name in ("from_day", "to_day")}


def confirm(page, target: str, **changes):
    """Open a confirmation page and send it as it was shown, with changes."""
    shown = page.get(target)
    return page.post(target, hidden(shown) | days(shown) | changes)


def test_publishing_says_the_monthly_estimate_and_what_is_available(page, acme, tracker):
    people.credits_for(acme, "200")

    response = page.get(url("publish", tracker))

    text = re.sub(r"<[^>]+>", "", response.content.decode())
    # All on one day of the four of its weekday: ± 15.8.
    assert "≈ 12.5 credits a month (0.0 to 28.3): 20 calls, 5 e-mails in the last 30 days" in text
    assert (value(response, "monthly_estimate"), value(response, "available")) == ("12.5", "200.0")
    assert 'name="accepted"' not in response.content.decode()
    assert Tracker.objects.get().state == "DRAFT"


@pytest.mark.parametrize("source", SHARES)
def test_publishing_says_which_part_of_the_seats_credits_a_month_takes(page, acme, tracker, source):
    people.credits_for(acme, "50", source=source)

    response = page.get(url("publish", tracker))

    assert fact(response, "Of this period's seat allocation") == SHARES[source]


def test_figures_older_than_a_quarter_of_an_hour_are_shown_again(page, acme, tracker, now):
    people.credits_for(acme, "200")
    old, fresh = (now - timedelta(minutes=minutes) for minutes in (16, 14))

    refused = confirm(page, url("publish", tracker), shown_at=old.isoformat())

    assert "The figures were more than 15 minutes old." in refused.content.decode()
    assert Tracker.objects.get().state == "DRAFT"
    confirm(page, url("publish", tracker), shown_at=fresh.isoformat())
    assert Tracker.objects.get().state == "PUBLISHED"


def test_publishing_again_offers_the_history_of_the_gap(page, acme, alice, now):
    people.credits_for(acme, "200")
    tracker = conversations.published(acme, alice)
    gap_began = now - timedelta(days=5)
    publishing.unpublish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=gap_began
    )

    response = page.get(url("publish", tracker))

    assert days(response)["from_day"] == gap_began.astimezone(BERLIN).date().isoformat()
    assert value(response, "history_credits") == "12.0"  # 4 × 1.0 + 16 × 0.5, none before it.


def test_publishing_needs_only_the_confirmation_while_it_is_cheap(page, acme, alice, tracker):
    people.credits_for(acme, "125")

    response = confirm(page, url("publish", tracker))

    tracker.refresh_from_db()
    assert response.url == reverse("admin:trackers_tracker_change", args=[tracker.pk])
    assert (tracker.state, Backfill.objects.count()) == ("PUBLISHED", 0)
    assert tracker.history.latest("history_id").history_user == alice


def test_above_a_tenth_of_what_is_available_publishing_needs_a_tick(page, acme, tracker):
    people.credits_for(acme, "124.9")

    refused = confirm(page, url("publish", tracker))

    assert "Tick that you accept what a month may cost." in refused.content.decode()
    assert Tracker.objects.get().state == "DRAFT"
    confirm(page, url("publish", tracker), accepted="1")
    assert Tracker.objects.get().state == "PUBLISHED"


def test_history_is_offered_from_the_oldest_matching_conversation_with_its_exact_price(
    page, acme, tracker, now
):
    response = page.get(url("publish", tracker))

    assert days(response) == {
        "from_day": str((now - timedelta(days=45)).astimezone(BERLIN).date()),
        "to_day": str(now.astimezone(BERLIN).date()),
    }
    assert value(response, "history_conversations") == "27"
    assert value(response, "history_credits") == "14.5"


def test_publishing_with_history_charges_the_estimate_to_the_last_tenth(
    page, acme, tracker, monkeypatch
):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    people.credits_for(acme, "200")

    response = confirm(page, url("publish", tracker), with_history="1")

    backfill = Backfill.objects.get()
    assert response.url == reverse("admin:trackers_backfill_change", args=[backfill.pk])
    while scanning.run_batch(
        version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now
    ):
        pass
    assert sum(event.amount for event in UsageEvent.objects.all()) == Decimal("14.500")
    assert balances.now(company=acme).available == Decimal("185.500")
    assert Backfill.objects.get().state == "DONE"
    assert reconciliation.check() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"from_day": "2026-01-01"}, "These are the figures for what you entered."),
        ({"from_day": "soon"}, "Correct the dates or the ceiling below."),
        ({"ceiling": "-1"}, "Correct the dates or the ceiling below."),
        ({"ceiling": "0.0001"}, "Correct the dates or the ceiling below."),
        ({"to_day": "9999-12-31"}, "Correct the dates or the ceiling below."),
        ({"shown_estimate": "14.4"}, "this backfill needs 14.5 credits by now, more than the 14.4"),
        ({"shown_estimate": ""}, "These are the figures for what you entered."),
        ({"edit_number": "x"}, "These are the figures for what you entered."),
        ({}, "this backfill needs 14.5 credits and 14.4 are available. Shorten it or set a"),
    ],
)
def test_what_differs_from_what_was_shown_publishes_nothing_and_is_shown_again(
    page, acme, tracker, changes, problem
):
    people.credits_for(acme, "14.4")

    response = confirm(
        page, url("publish", tracker), **({"with_history": "1", "accepted": "1"} | changes)
    )

    assert response.status_code == 200
    assert problem in response.content.decode()
    assert Tracker.objects.get().state == "DRAFT"
    assert TrackerVersion.objects.get().published_at is None
    assert (Backfill.objects.count(), Scan.objects.count()) == (0, 0)


def test_other_days_are_priced_first_and_then_confirmed(page, acme, tracker, now):
    people.credits_for(acme, "200")
    recent = str((now - timedelta(days=10)).astimezone(BERLIN).date())

    shown = confirm(page, url("publish", tracker), with_history="1", from_day=recent, show="1")

    assert value(shown, "history_credits") == "12.5"
    assert 'name="with_history" id="id_with_history" value="1" checked' in shown.content.decode()
    assert Tracker.objects.get().state == "DRAFT"
    page.post(
        url("publish", tracker), hidden(shown) | days(shown) | {"with_history": "1", "ceiling": "3"}
    )
    backfill = Backfill.objects.get()
    assert (backfill.estimate, backfill.ceiling) == (Decimal("12.500"), Decimal("3.000"))
    first = datetime.fromisoformat(recent).replace(tzinfo=BERLIN)
    assert backfill.from_at == first


def test_a_stale_confirmation_is_refused_and_shown_again_with_the_figures_of_now(
    page, acme, tracker
):
    people.credits_for(acme, "200")
    shown = page.get(url("publish", tracker))
    Tracker.objects.filter(pk=tracker.pk).update(edit_number=2, include_emails=False)

    response = page.post(url("publish", tracker), hidden(shown) | days(shown))

    assert "changed this at" in response.content.decode()
    assert value(response, "monthly_estimate") == "12.0"
    assert hidden(response)["edit_number"] == "2"
    assert Tracker.objects.get().state == "DRAFT"


def test_a_new_version_says_what_of_the_old_one_ends(page, acme, alice, now):
    people.credits_for(acme, "200")
    tracker = conversations.published(acme, alice, now=now)
    backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )
    TrackerVersion.objects.create(company=acme, tracker=tracker, number=2, question="Too dear?")

    shown = page.get(url("publish", tracker))
    assert "Version 2 replaces version 1" in shown.content.decode()
    assert value(shown, "waiting") == "22"
    assert value(shown, "history_conversations") == "22"
    confirm(page, url("publish", tracker), with_history="1", accepted="1")

    old, new = Backfill.objects.order_by("version__number")
    assert (old.state, new.state, new.version.number) == ("STOPPED", "RUNNING", 2)


def test_a_new_version_says_what_it_reads_instead_of_the_old_one_and_its_price(
    page, acme, alice, now
):
    """Three new calls are queued; what the filters of today leave out is not read."""
    people.credits_for(acme, "200")
    tracker = conversations.published(acme, alice, now=now)
    long = {"started_at": now, "duration_seconds": 900}
    other = {"account": {"name": "Initech", "type": "customer"}}
    conversations.ingest(
        acme,
        *(record(f"new-{n}", **long) for n in range(2)),
        record("other", **long, **other),
        now=now,
    )
    TrackerFilter.objects.create(
        company=acme, tracker=tracker, field="ACCOUNT_TYPE", text="prospect"
    )
    TrackerVersion.objects.create(company=acme, tracker=tracker, number=2, question="Too dear?")

    shown = page.get(url("publish", tracker))
    assert (value(shown, "waiting"), value(shown, "taken_over")) == ("3", "2")
    assert Decimal(value(shown, "taken_over_credits")) == Decimal("2.000")
    confirm(page, url("publish", tracker), accepted="1")

    assert Scan.objects.filter(version__number=2, state="PENDING").count() == 2


def test_unpublishing_says_what_ends_and_then_skips_it(page, acme, alice, now):
    tracker = conversations.published(acme, alice, now=now)
    conversations.ingest(acme, *(record(f"new-{n}", started_at=now) for n in range(3)), now=now)
    Scan.objects.filter(conversation__external_id="new-0").update(state="WAITING")

    shown = page.get(url("unpublish", tracker))
    assert (value(shown, "running"), value(shown, "waiting")) == ("0", "3")
    assert Tracker.objects.get().state == "PUBLISHED"
    refused = page.post(url("unpublish", tracker), {"edit_number": 1})
    assert "changed this at" in refused.content.decode()
    page.post(url("unpublish", tracker), hidden(shown))

    assert Tracker.objects.get().state == "UNPUBLISHED"
    assert {scan.state for scan in Scan.objects.all()} == {"SKIPPED"}


def test_a_backfill_of_a_published_tracker_is_confirmed_with_its_price(page, acme, alice, now):
    people.credits_for(acme, "200")
    tracker = conversations.published(acme, alice, now=now)

    shown = page.get(url("backfill", tracker))
    assert value(shown, "history_credits") == "14.0"
    response = confirm(page, url("backfill", tracker), ceiling="2.5")

    backfill = Backfill.objects.get()
    assert response.url == reverse("admin:trackers_backfill_change", args=[backfill.pk])
    assert (backfill.started_by, backfill.ceiling) == (alice, Decimal("2.500"))
    assert "A backfill of this tracker is under way" in str(
        page.get(url("backfill", tracker)).content
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, "this backfill needs 14.0 credits and 13.9 are available. Shorten it or set a"),
        ({"edit_number": "1"}, "the tracker was changed after you opened this page"),
        ({"shown_estimate": "13.9"}, "more than the 13.9 shown before"),
        ({"from_day": "2026-01-02"}, "These are the figures for what you entered."),
        (
            {"from_day": "2026-01-02", "to_day": "2026-01-01"},
            "These are the figures for what you entered.",
        ),
    ],
)
def test_a_backfill_that_cannot_be_is_refused_in_words_and_nothing_starts(
    page, acme, alice, now, changes, problem
):
    people.credits_for(acme, "13.9")
    tracker = conversations.published(acme, alice, now=now)

    response = confirm(page, url("backfill", tracker), **changes)

    assert problem in response.content.decode()
    assert (Backfill.objects.count(), Scan.objects.count()) == (0, 0)


def test_what_is_published_and_unchanged_is_not_published_again(page, acme, alice):
    tracker = conversations.published(acme, alice)

    for answer in (
        page.get(url("publish", tracker), follow=True),
        page.post(url("publish", tracker), {"edit_number": 2, "accepted": "1"}, follow=True),
    ):
        assert "This tracker is published already" in answer.content.decode()
    assert Tracker.objects.get().edit_number == 2


def test_a_draft_has_no_history_to_read_before_it_is_published(page, tracker):
    response = page.get(url("backfill", tracker), follow=True)

    assert "Publish the tracker first" in response.content.decode()


def test_a_confirmation_without_its_token_does_nothing(alice, tracker):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    assert strict.post(url("publish", tracker), {"edit_number": 1}).status_code == 403
    assert Tracker.objects.get().state == "DRAFT"
