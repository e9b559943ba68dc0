"""After a filter was changed the credits page names the day that the preview did (UX §1b, B4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from config.demo.clock import seeded_clock
from credits import outlooks
from tests.security.acting import seen
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import narrowing, publishing, scanning
from trackers.models import AdviceRun, Narrowing, Suggestion, TrackerVersion
from trackers.narrowing import Reads

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(now):
    """A long call and ten e-mails, 2.0 credits, on each of 30 days; 100 credits are left."""
    acme = people.company()
    alice = people.alice(acme)
    with seeded_clock(now - timedelta(days=31)) as clock:
        people.credits_for(acme, "160")
        tracker = conversations.published(
            acme, alice, include_emails=True, now=now - timedelta(days=31)
        )
        mail = {"kind": "email", "duration_seconds": 0}
        for ago in range(30, 0, -1):
            at = now - timedelta(days=ago) + timedelta(minutes=1)
            conversations.ingest(
                acme,
                record(f"call-{ago}", started_at=at, duration_seconds=900),
                *(record(f"mail-{ago}-{n}", started_at=at, **mail) for n in range(10)),
                now=at,
            )
            clock.set(at)
            version = tracker.current_version_id
            while scanning.run_batch(version_id=version, backfill_id=None, clock=lambda at=at: at):
                pass
    return acme


def suggestion(acme) -> Suggestion:
    tracker = acme.trackers.get()
    return Suggestion.objects.create(
        company=acme,
        run=AdviceRun.objects.create(company=acme, computed_at=tracker.published_at),
        tracker=tracker,
        kind="EMAILS",
        edit_number=tracker.edit_number,
        conversations_before=330,
        conversations_after=30,
        credits_before=60,
        credits_after=30,
        read_count=330,
        found_count=30,
    )


def test_the_credits_page_says_the_day_that_the_preview_said(acme):
    client = signed_in(acme.memberships.get().user, acme)
    apply = reverse("admin:trackers_suggestion_apply", args=[suggestion(acme).pk])
    preview = pages.read(client.get(apply))
    before = pages.read(client.get(reverse("admin:credits_page")))

    seen(client, apply)

    after = pages.read(client.get(reverse("admin:credits_page")))
    assert before.figure("runs-out") == preview.figure("runs-out-before")
    assert after.figure("runs-out") == preview.figure("runs-out-after")
    assert after.figure("runs-out") > before.figure("runs-out")
    assert (preview.figure("credits-before"), preview.figure("credits-after")) == ("60.0", "30.0")
    assert "Trackers changed since take ≈ 1.0 less a day." in after.text


def narrow(acme, *, emails: bool, now) -> None:
    tracker = acme.trackers.get()
    narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=Reads(calls=True, emails=emails, filters=frozenset()),
        by=acme.memberships.get().user,
        now=now,
    )


def test_a_change_moves_less_with_each_day_that_is_history_already(acme, now):
    narrow(acme, emails=False, now=now)
    assert Narrowing.objects.get().more_a_month == Decimal(-30)

    def planned(days: int) -> Decimal:
        made_at = now - timedelta(days=days)
        Narrowing.objects.update(made_at=made_at)
        return outlooks.of(company=acme).planned_per_day

    assert planned(0) == Decimal(-1)
    assert planned(7) == Decimal("-0.75")
    assert planned(14) == Decimal("-0.5")
    assert planned(28) == 0
    assert planned(40) == 0


def test_a_change_and_its_undoing_move_nothing(acme, now):
    narrow(acme, emails=False, now=now)
    narrow(acme, emails=True, now=now)

    assert outlooks.of(company=acme).planned_per_day == 0


def test_a_draft_s_change_moves_nothing(now):
    acme = people.company()
    alice = people.alice(acme)
    at = now - timedelta(days=1)
    conversations.ingest(acme, record("call-1", started_at=at), now=at)
    tracker = conversations.tracker(acme)

    narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=Reads(calls=True, emails=True, filters=frozenset()),
        by=alice,
        now=now,
    )

    assert Narrowing.objects.get().more_a_month == 0


def publish(acme, tracker, *, now) -> None:
    by = acme.memberships.get().user
    publishing.publish(tracker_id=tracker.pk, edit_number=tracker.edit_number, by=by, now=now)
    tracker.refresh_from_db()


def test_after_publishing_the_credits_page_says_the_day_that_its_page_said(acme):
    client = signed_in(acme.memberships.get().user, acme)
    draft = conversations.tracker(acme, "Renewal at risk")
    address = reverse("admin:trackers_tracker_publish", args=[draft.pk])
    page = client.get(address)
    shown, before = pages.read(page), pages.read(client.get(reverse("admin:credits_page")))

    own_page = pages.read(client.get(reverse("admin:trackers_tracker_change", args=[draft.pk])))
    confirmed = {"edit_number": draft.edit_number, "shown_at": page.context["shown_at"].isoformat()}
    client.post(address, confirmed | {"accepted": "on"})

    after = pages.read(client.get(reverse("admin:credits_page")))
    assert Narrowing.objects.get().more_a_month == Decimal(30)
    assert own_page.figure("runs-out-after") == shown.figure("runs-out-after")
    assert before.figure("runs-out") == shown.figure("runs-out-before")
    assert after.figure("runs-out") == shown.figure("runs-out-after")
    assert after.figure("runs-out") < before.figure("runs-out")
    assert "Trackers changed since take ≈ 1.0 more a day." in after.text


def test_after_unpublishing_the_credits_page_says_the_day_that_its_page_said(acme):
    client = signed_in(acme.memberships.get().user, acme)
    tracker = acme.trackers.get()
    narrow(acme, emails=False, now=timezone.now())
    tracker.refresh_from_db()
    address = reverse("admin:trackers_tracker_unpublish", args=[tracker.pk])
    shown = pages.read(client.get(address))

    client.post(address, {"edit_number": tracker.edit_number})

    after = pages.read(client.get(reverse("admin:credits_page")))
    assert (shown.figure("credits-before"), shown.figure("credits-after")) == ("30.0", "0.0")
    assert [row.more_a_month for row in Narrowing.objects.order_by("made_at")] == [-30, -30]
    assert after.figure("runs-out") == shown.figure("runs-out-after")
    assert "Trackers changed since take ≈ 2.0 less a day." in after.text


@pytest.fixture
def small(now):
    """A long call and ten e-mails in the month, 2.0 credits, and nothing read yet."""
    small = people.company()
    alice, at = people.alice(small), now - timedelta(days=3)
    conversations.published(small, alice, include_emails=True, now=now - timedelta(days=31))
    mail = {"kind": "email", "duration_seconds": 0}
    conversations.ingest(
        small,
        record("call", started_at=at, duration_seconds=900),
        *(record(f"mail-{n}", started_at=at, **mail) for n in range(10)),
        now=now,
    )
    return small


def test_a_new_version_moves_by_what_it_uses_beyond_the_one_it_replaces(small, now):
    tracker = small.trackers.get()
    asked = {"number": 2, "question": "Did anybody object to the price?", "side": "ANY"}
    version = TrackerVersion.objects.create(company=small, tracker=tracker, **asked)

    publish(small, tracker, now=now)

    # The customer speaks in each of the conversations, so they cost what they did.
    assert tracker.current_version == version
    assert not Narrowing.objects.exists()


def test_publishing_is_nothing_that_the_history_offers_to_undo(small, now):
    tracker = small.trackers.get()
    narrow(small, emails=False, now=now)
    tracker.refresh_from_db()
    by = small.memberships.get().user
    publishing.unpublish(tracker_id=tracker.pk, edit_number=tracker.edit_number, by=by, now=now)
    tracker.refresh_from_db()

    publish(small, tracker, now=now)

    assert sorted(row.more_a_month for row in Narrowing.objects.all()) == [-1, -1, 1]
    assert round(outlooks.of(company=small).planned_per_day, 4) == Decimal("-0.0333")
    history = signed_in(by, small).get(reverse("admin:trackers_tracker_history", args=[tracker.pk]))
    # The narrowing before can still be taken back; unpublishing and publishing are not offered.
    said = pages.read(history).text
    assert (said.count("Undo"), said.count("E-mails: yes → no Undo")) == (1, 1)
