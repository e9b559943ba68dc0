"""What is queued when a new version is published goes on as that version's work (SPEC §3)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import backfills, claiming, demand, publishing, scanning, sweeping
from trackers.backfills import Plan
from trackers.models import Backfill, Scan, Tracker, TrackerFilter, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()
QUEUED_ANEW = "A new version was published; it reads this instead."
LEFT_OUT = "A new version was published; the tracker's filters leave this out."
ONLY_CUSTOMER = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "That is too expensive."}]


@pytest.fixture
def tracker(acme, alice):
    """A published tracker on the customer's words."""
    return conversations.published(acme, alice, now=NOW - timedelta(days=60))


def arrive(acme, *external_ids, **changes):
    incoming = (record(one, started_at=NOW, **changes) for one in external_ids)
    conversations.ingest(acme, *incoming, now=NOW)


def publish_anew(tracker, *, side="CUSTOMER", history=None, at=NOW) -> Tracker:
    """Publish another question of the tracker, as it is now."""
    tracker = Tracker.objects.get(pk=tracker.pk)
    number = tracker.versions.count() + 1
    TrackerVersion.objects.create(
        company=tracker.company,
        tracker=tracker,
        number=number,
        question="Did they ask for a discount?",
        side=side,
    )
    return publishing.publish(
        tracker_id=tracker.pk,
        edit_number=tracker.edit_number,
        by=people.member(tracker.company, "BUSINESS_ADMIN", f"Bob {number}"),
        now=at,
        history=history,
    )


def history() -> Plan:
    """Plan a backfill of everything there is."""
    return Plan(
        from_at=NOW - timedelta(days=100),
        to_at=NOW + timedelta(days=1),
        ceiling=None,
        rates=people.rates(),
    )


def work_off(tracker, version=None, backfill=None, clock=timezone.now) -> None:
    version = version or Tracker.objects.get(pk=tracker.pk).current_version
    while scanning.run_batch(
        version_id=version.pk, backfill_id=backfill and backfill.pk, clock=clock
    ):
        pass


def scans(tracker) -> list[tuple]:
    """Return every scan as its version, conversation and state."""
    return list(
        Scan.objects.filter(tracker=tracker)
        .order_by("version__number", "conversation__external_id")
        .values_list("version__number", "conversation__external_id", "state")
    )


def test_what_is_queued_is_read_by_the_new_version_instead(acme, tracker, analyzer):
    people.credits_for(acme, "10")
    arrive(acme, "a", "b")

    publish_anew(tracker)

    assert scans(tracker) == [
        (1, "a", "SKIPPED"),
        (1, "b", "SKIPPED"),
        (2, "a", "PENDING"),
        (2, "b", "PENDING"),
    ]
    assert set(Scan.objects.filter(state="SKIPPED").values_list("reason", flat=True)) == {
        QUEUED_ANEW
    }
    work_off(tracker)
    assert UsageEvent.objects.get(company=acme).amount == Decimal("1.000")
    assert reconciliation.check() == []


def test_what_is_done_is_not_read_again(acme, tracker, analyzer):
    people.credits_for(acme, "10")
    arrive(acme, "a")
    work_off(tracker)
    arrive(acme, "b")

    publish_anew(tracker)
    work_off(tracker)

    assert scans(tracker) == [(1, "a", "DONE"), (1, "b", "SKIPPED"), (2, "b", "DONE")]
    assert balances.now(company=acme).available == Decimal("9.000")


def test_a_worker_is_woken_for_what_the_new_version_reads(
    acme, tracker, monkeypatch, django_capture_on_commit_callbacks
):
    arrive(acme, "a")
    woken = []
    monkeypatch.setattr("trackers.wakes._send", lambda arguments, *_: woken.append(arguments))

    with django_capture_on_commit_callbacks(execute=True):
        published = publish_anew(tracker)

    assert woken == [{"version_id": str(published.current_version_id), "backfill_id": None}]


def test_what_waits_for_credits_waits_at_the_price_of_the_new_version(acme, tracker, analyzer):
    """One of the two has no words of ours, so the new question reads it for nothing, at once."""
    arrive(acme, "a")
    arrive(acme, "b", utterances=ONLY_CUSTOMER)
    Tracker.objects.update(catch_up=False)
    work_off(tracker)
    people.credits_for(acme, "0.4")
    assert scans(tracker) == [(1, "a", "WAITING"), (1, "b", "WAITING")]

    publish_anew(tracker, side="REP")

    assert scans(tracker)[2:] == [(2, "a", "WAITING"), (2, "b", "PENDING")]
    assert Scan.objects.get(state="PENDING").price is None
    assert [one.credits for one in demand.waiting(company=acme)] == [Decimal("0.500")]


def test_what_has_waited_goes_on_waiting_from_when_it_came(acme, tracker, analyzer):
    arrive(acme, "a")
    work_off(tracker)
    Scan.objects.update(waiting_since=NOW + timedelta(days=5))

    publish_anew(tracker, at=NOW + timedelta(days=29))
    early = sweeping.skip_long_waiting(now=NOW + timedelta(days=35))
    late = sweeping.skip_long_waiting(now=NOW + timedelta(days=35, seconds=1))

    assert (early, late) == (0, 1)
    assert scans(tracker) == [(1, "a", "SKIPPED"), (2, "a", "SKIPPED")]


def test_what_the_filters_and_kinds_of_today_leave_out_is_skipped(acme, tracker):
    arrive(acme, "a", "b", account={"name": "Initech", "type": "customer"})
    arrive(acme, "c")
    TrackerFilter.objects.create(
        company=acme, tracker=tracker, field="ACCOUNT_TYPE", text="prospect"
    )

    publish_anew(tracker)

    assert scans(tracker)[3:] == [(2, "c", "PENDING")]
    assert list(Scan.objects.filter(reason=LEFT_OUT).values_list("state", flat=True)) == [
        "SKIPPED",
        "SKIPPED",
    ]


def test_a_backfill_in_the_same_act_does_not_take_what_is_queued_anew(acme, tracker, analyzer):
    people.credits_for(acme, "10")
    arrive(acme, "new")
    conversations.ingest(acme, record("old", started_at=NOW - timedelta(days=90)), now=NOW)

    published = publish_anew(tracker, history=history())

    backfill = published.backfills.get()
    assert (backfill.conversation_count, backfill.ceiling) == (1, Decimal("0.500"))
    work_off(tracker)
    work_off(tracker, backfill=backfill)
    assert scans(tracker)[1:] == [(2, "new", "DONE"), (2, "old", "DONE")]
    assert balances.now(company=acme).available == Decimal("9.000")
    assert reconciliation.check() == []


def lease(tracker):
    """Take a tracker's live work as a worker that then dies."""
    return claiming.claim(
        version_id=tracker.current_version_id, backfill_id=None, rates=people.rates(), now=NOW
    )


@pytest.fixture
def published_while_read(analyzer, tracker):
    """While a worker reads its first conversation, a new version of the tracker is published."""

    def publish_once():
        analyzer.on_read = lambda: None
        publish_anew(tracker)

    analyzer.on_read = publish_once


@pytest.mark.usefixtures("published_while_read")
def test_what_was_being_read_is_read_by_the_new_version_and_charged_once(acme, tracker):
    people.credits_for(acme, "10")
    arrive(acme, "a", "b")

    work_off(tracker, version=tracker.current_version)

    assert scans(tracker) == [
        (1, "a", "SKIPPED"),
        (1, "b", "SKIPPED"),
        (2, "a", "PENDING"),
        (2, "b", "PENDING"),
    ]
    assert balances.now(company=acme).available == Decimal("10.000")
    work_off(tracker)
    assert scans(tracker)[2:] == [(2, "a", "DONE"), (2, "b", "DONE")]
    assert balances.now(company=acme).available == Decimal("9.000")
    assert reconciliation.check() == []


def test_what_was_being_read_is_left_to_the_backfill_published_with_the_new_version(
    acme, tracker, analyzer
):
    people.credits_for(acme, "10")
    arrive(acme, "a")

    def publish_with_history():
        analyzer.on_read = lambda: None
        publish_anew(tracker, history=history())

    analyzer.on_read = publish_with_history
    work_off(tracker, version=tracker.current_version)
    work_off(tracker)
    work_off(tracker, backfill=Backfill.objects.get())

    assert scans(tracker) == [(1, "a", "SKIPPED"), (2, "a", "DONE")]
    assert Scan.objects.get(state="DONE").action == "BACKFILL"
    assert balances.now(company=acme).available == Decimal("9.500")
    assert reconciliation.check() == []


def test_what_was_being_read_when_its_worker_died_is_read_by_the_new_version(
    acme, tracker, analyzer
):
    people.credits_for(acme, "10")
    arrive(acme, "a")
    lease(tracker)
    publish_anew(tracker)

    sweeping.sweep(now=NOW + claiming.LEASE + timedelta(seconds=1))

    assert scans(tracker) == [(1, "a", "SKIPPED"), (2, "a", "PENDING")]


def test_what_was_being_read_when_two_versions_came_is_read_by_the_last(acme, tracker, analyzer):
    people.credits_for(acme, "10")
    arrive(acme, "a")

    def publish_twice():
        analyzer.on_read = lambda: None
        publish_anew(tracker)
        publish_anew(tracker)

    analyzer.on_read = publish_twice
    work_off(tracker, version=tracker.current_version)

    assert scans(tracker) == [(1, "a", "SKIPPED"), (3, "a", "PENDING")]


def test_what_was_being_read_when_the_tracker_was_unpublished_stays_unread(acme, tracker, analyzer):
    people.credits_for(acme, "10")
    arrive(acme, "a")

    def publish_and_unpublish():
        published = publish_anew(tracker)
        publishing.unpublish(
            tracker_id=tracker.pk,
            edit_number=published.edit_number,
            by=people.bob(acme),
            now=NOW,
        )

    analyzer.on_read = publish_and_unpublish
    work_off(tracker, version=tracker.current_version)
    sweeping.sweep(now=NOW)

    assert scans(tracker) == [(1, "a", "SKIPPED")]


def test_what_a_stopped_backfill_was_reading_is_left_to_the_next_backfill(
    acme, tracker, alice, analyzer
):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("old", started_at=NOW - timedelta(days=30)), now=NOW)
    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=NOW - timedelta(days=60),
        to_at=NOW,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=NOW,
    )
    analyzer.on_read = lambda: publish_anew(tracker)

    work_off(tracker, version=backfill.version, backfill=backfill)

    assert scans(tracker) == [(1, "old", "SKIPPED")]
    assert balances.now(company=acme).available == Decimal("10.000")
