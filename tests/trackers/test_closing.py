"""What closing a company ends of its trackers' work: nothing is read or charged (SPEC §10)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import closing
from credits import balances, reconciliation
from credits.companies import CompanyClosed
from credits.models import Company, LedgerEntry, UsageEvent
from tests.support import conversations, people
from tests.support.browsing import signed_in, text_of
from tests.support.conversations import record
from trackers import backfills, batch_reading, claiming, publishing, scanning, sweeping
from trackers.models import Backfill, Conversation, Scan, Tracker

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(acme):
    return people.alice(acme)


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def tracker(acme, admin, now):
    return conversations.published(acme, admin, now=now - timedelta(days=60))


def close(company, by) -> Company:
    return closing.close(
        company=company, by=by, reason="The contract has ended", now=timezone.now()
    )


def launch(tracker, admin, now) -> Backfill:
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=admin,
        now=now,
    )


def run(tracker, backfill=None) -> int:
    return scanning.run_batch(
        version_id=tracker.current_version_id,
        backfill_id=backfill and backfill.pk,
        clock=timezone.now,
    )


def reasons(company) -> list[tuple[str, str]]:
    rows = Scan.objects.filter(company=company).order_by("conversation__external_id")
    return list(rows.values_list("state", "reason"))


def used(company) -> list[Decimal]:
    return list(UsageEvent.objects.filter(company=company).values_list("amount", flat=True))


def test_closing_unpublishes_its_trackers_and_skips_what_waits_with_the_reason(
    acme, admin, vera, tracker, now
):
    people.credits_for(acme, "0.5")
    conversations.ingest(acme, *(record(f"call-{n}", started_at=now) for n in range(3)), now=now)
    Scan.objects.filter(conversation__external_id="call-0").update(state="WAITING", price="0.5")

    closed = close(acme, vera)

    tracker.refresh_from_db()
    assert (tracker.state, tracker.unpublished_at is None) == ("UNPUBLISHED", False)
    assert reasons(acme) == [("SKIPPED", "The company was closed.")] * 3
    assert run(tracker) == 0
    assert used(acme) == []
    assert closed.closed_by == vera
    assert tracker.history.latest("history_id").history_user == vera
    assert reconciliation.check() == []


def test_closing_stops_a_running_backfill(acme, admin, vera, tracker, now):
    people.credits_for(acme, "10")
    conversations.ingest(
        acme, *(record(f"old-{n}", started_at=now - timedelta(days=70)) for n in range(4)), now=now
    )
    backfill = launch(tracker, admin, now)

    close(acme, vera)

    backfill.refresh_from_db()
    assert (backfill.state, backfill.end_reason) == ("STOPPED", "The company was closed.")
    assert reasons(acme) == [("SKIPPED", "The company was closed.")] * 4
    assert run(tracker, backfill) == 0
    with pytest.raises(CompanyClosed):
        backfills.resume(backfill_id=backfill.pk, by=admin, now=now)


def test_another_company_goes_on(acme, vera, tracker, now, analyzer):
    globex = people.company("Globex")
    other = conversations.published(globex, people.alice(globex), now=now - timedelta(days=60))
    people.credits_for(globex, "10")
    conversations.ingest(globex, record("call-1", started_at=now), now=now)

    close(acme, vera)

    assert run(other) == 1
    assert used(globex) == [Decimal("0.500")]


@pytest.mark.parametrize("is_history", [False, True])
def test_a_batch_under_way_is_thrown_away_uncharged_when_its_company_closes(
    acme, admin, vera, tracker, now, analyzer, is_history
):
    people.credits_for(acme, "10")
    started_at = now - timedelta(days=70) if is_history else now
    conversations.ingest(
        acme, *(record(f"call-{n}", started_at=started_at) for n in range(2)), now=now
    )
    backfill = launch(tracker, admin, now) if is_history else None

    def close_once():
        # Between two conversations of the batch, whose credits are held by then.
        if len(analyzer.read) == 1:
            assert balances.now(company=acme).reserved == Decimal("1.000")
            close(acme, vera)

    analyzer.on_read = close_once

    run(tracker, backfill)

    assert len(analyzer.read) >= 1
    assert used(acme) == []
    assert reasons(acme) == [("SKIPPED", "Stopped while it ran; nothing was charged.")] * 2
    closed_at = Company.objects.get(pk=acme.pk).closed_at
    kinds = LedgerEntry.objects.filter(company=acme).order_by("sequence")
    assert list(kinds.values_list("kind", flat=True)) == ["ADJUSTED", "VOIDED"]
    assert not UsageEvent.objects.filter(company=acme, occurred_at__gte=closed_at).exists()
    assert reconciliation.check() == []
    sweeping.sweep(now=timezone.now())
    assert run(tracker, backfill) == 0


def test_what_a_company_closed_before_had_queued_is_not_read_but_skipped(
    acme, vera, tracker, now, analyzer
):
    """A company closed by a release that left its trackers published."""
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("call-1", started_at=now), now=now)
    Company.objects.filter(pk=acme.pk).update(
        closed_at=now, closed_by=vera, closing_reason="The contract has ended"
    )

    claimed = run(tracker)
    sweeping.sweep(now=timezone.now())

    assert (claimed, analyzer.read, used(acme)) == (0, [], [])
    assert reasons(acme) == [("SKIPPED", "Stopped; nothing was charged.")]


def test_nothing_is_published_launched_or_taken_in_afterwards(acme, admin, vera, tracker, now):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("old", started_at=now - timedelta(days=70)), now=now)
    draft = conversations.tracker(acme, "Discounts")
    close(acme, vera)
    tracker.refresh_from_db()

    for one in (tracker, draft):
        with pytest.raises(CompanyClosed, match="Acme is closed"):
            publishing.publish(
                tracker_id=one.pk, edit_number=one.edit_number, by=admin, now=timezone.now()
            )
    with pytest.raises(CompanyClosed, match="Acme is closed"):
        launch(tracker, admin, now)
    with pytest.raises(CompanyClosed, match="Acme is closed"):
        conversations.ingest(acme, record("new", started_at=now))

    assert Conversation.objects.filter(company=acme).count() == 1
    assert not Tracker.objects.filter(company=acme, state="PUBLISHED").exists()


def test_the_dialog_says_how_many_of_them_closing_ends(acme, admin, vera, tracker, now):
    people.credits_for(acme, "10")
    conversations.ingest(
        acme,
        *(record(f"call-{n}", started_at=now) for n in range(3)),
        *(record(f"old-{n}", started_at=now - timedelta(days=70)) for n in range(2)),
        now=now,
    )
    launch(tracker, admin, now)
    Scan.objects.filter(conversation__external_id="call-0").update(state="WAITING", price="0.5")

    found = closing.preview(company=acme)

    assert found.others == (
        ("Trackers unpublished", 1),
        ("Backfills stopped", 1),
        ("Queued or waiting conversations skipped", 5),
        ("Conversations read just now, thrown away uncharged", 0),
    )


@pytest.mark.parametrize("act", ["publish", "unpublish", "backfill"])
@pytest.mark.parametrize("is_of_vendor", [False, True])
def test_its_pages_say_that_the_company_is_closed(acme, admin, vera, tracker, act, is_of_vendor):
    close(acme, vera)
    boss = vera if is_of_vendor else admin
    client = signed_in(boss)

    answer = client.get(reverse(f"admin:trackers_tracker_{act}", args=[tracker.pk]))
    saved = client.post(reverse("admin:trackers_tracker_change", args=[tracker.pk]), {})

    assert (answer.status_code, saved.status_code) == (403, 403)
    reason = "Your role" if is_of_vendor else "Acme is closed; nothing is added or used there"
    assert reason in text_of(answer)
    assert reason in text_of(saved)


def test_its_backfills_are_neither_resumed_nor_stopped_by_hand(acme, admin, vera, tracker, now):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("old", started_at=now - timedelta(days=70)), now=now)
    backfill = launch(tracker, admin, now)
    close(acme, vera)

    answers = [
        signed_in(admin).get(reverse(f"admin:trackers_backfill_{act}", args=[backfill.pk]))
        for act in ("resume", "stop")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert all("Acme is closed; nothing is added or used" in text_of(one) for one in answers)


@pytest.mark.parametrize(
    ("module", "name"), [(claiming, "hold_credits"), (batch_reading, "read"), (scanning, "_write")]
)
@pytest.mark.parametrize("is_history", [False, True])
def test_wherever_a_worker_stands_when_the_company_closes_nothing_is_charged(
    acme, admin, vera, tracker, now, analyzer, monkeypatch, module, name, is_history
):
    """At the fault points of DESIGN §4: after the claim, the reservation, the analyzer's reply."""
    people.credits_for(acme, "10")
    started_at = now - timedelta(days=70) if is_history else now
    conversations.ingest(
        acme, *(record(f"call-{n}", started_at=started_at) for n in range(2)), now=now
    )
    backfill = launch(tracker, admin, now) if is_history else None
    original = getattr(module, name)

    def closing_before(*args, **kwargs):
        close(acme, vera)
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, closing_before)

    run(tracker, backfill)
    sweeping.sweep(now=timezone.now())

    closed_at = Company.objects.get(pk=acme.pk).closed_at
    assert closed_at is not None
    assert used(acme) == []
    assert {state for state, _ in reasons(acme)} == {"SKIPPED"}
    assert all(reason for _, reason in reasons(acme))
    assert balances.now(company=acme).reserved == Decimal("0.000")
    assert reconciliation.check() == []
    monkeypatch.undo()
    assert run(tracker, backfill) == 0


def test_a_charge_that_was_under_way_is_dated_before_the_closing_that_waited_for_it(
    acme, vera, tracker, now, analyzer
):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("call-1", started_at=now), now=now)
    asked_at = timezone.now()
    run(tracker)

    closed = closing.close(company=acme, by=vera, reason="The contract has ended", now=asked_at)

    (event,) = UsageEvent.objects.filter(company=acme)
    assert asked_at < event.occurred_at < closed.closed_at
