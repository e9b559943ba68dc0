"""What is queued when a text changes is read and priced by the new text (SPEC §5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import backfills, claiming, demand, scanning, sweeping
from trackers.models import Scan, Tracker

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def tracker(acme, alice):
    """A published tracker on the customer's words."""
    return conversations.published(acme, alice, now=NOW - timedelta(days=60))


def arrive(acme, *external_ids, **changes):
    incoming = (record(one, started_at=NOW, **changes) for one in external_ids)
    conversations.ingest(acme, *incoming, now=NOW)


def work_off(tracker, backfill=None, clock=timezone.now) -> None:
    while scanning.run_batch(
        version_id=tracker.current_version_id, backfill_id=backfill and backfill.pk, clock=clock
    ):
        pass


def lease(tracker):
    """Take a tracker's live work as a worker that then dies."""
    return claiming.claim(
        version_id=tracker.current_version_id, backfill_id=None, rates=people.rates(), now=NOW
    )


def test_a_new_text_that_waits_waits_at_its_new_price(acme, tracker, analyzer):
    Tracker.objects.update(catch_up=True)
    arrive(acme, "a")
    work_off(tracker)
    assert [one.credits for one in demand.waiting(company=acme)] == [Decimal("0.500")]

    arrive(acme, "a", duration_seconds=900)

    assert [one.credits for one in demand.waiting(company=acme)] == [Decimal("1.000")]
    people.credits_for(acme, "0.7")
    assert sweeping.sweep(now=NOW).resumed == 0
    people.credits_for(acme, "0.3")
    assert sweeping.sweep(now=NOW).resumed == 1
    work_off(tracker)
    assert Scan.objects.values_list("state", "revision", "price").get() == (
        "DONE",
        2,
        Decimal("1.000"),
    )


def test_a_new_text_that_is_queued_again_after_a_failure_has_no_price_until_it_is_claimed(
    acme, tracker, analyzer
):
    people.credits_for(acme, "10")
    arrive(acme, "a")
    analyzer.failing = {"a"}
    work_off(tracker, clock=lambda: NOW)
    assert Scan.objects.get().price == Decimal("0.500")

    arrive(acme, "a", duration_seconds=900)

    assert Scan.objects.values_list("state", "revision", "price").get() == ("PENDING", 2, None)


def test_a_new_text_with_no_words_on_the_tracker_s_side_waits_no_longer(acme, tracker, analyzer):
    Tracker.objects.update(catch_up=False)
    arrive(acme, "a")
    work_off(tracker)

    arrive(acme, "a", utterances=[{"id": "u0", "speaker": "c", "start": 0.0, "text": "…"}])
    work_off(tracker)

    assert Scan.objects.values_list("state", "price").get() == ("DONE", Decimal("0.000"))


def test_what_was_lost_while_its_text_changed_is_read_and_charged_by_the_new_text(
    acme, tracker, analyzer
):
    people.credits_for(acme, "10")
    arrive(acme, "a")
    lease(tracker)
    arrive(acme, "a", duration_seconds=900)
    later = NOW + claiming.LEASE + timedelta(seconds=1)
    sweeping.recover(now=later)

    work_off(tracker, clock=lambda: later)

    scan = Scan.objects.get()
    assert (scan.state, scan.revision, scan.price) == ("DONE", 2, Decimal("1.000"))
    assert scan.quotes.get().utterance.revision == 2


def test_a_text_is_charged_once_by_a_backfill_and_by_what_was_lost_before_it(
    acme, tracker, alice, analyzer
):
    """The lost scan is of an older text; a backfill queued the newer one meanwhile."""
    people.credits_for(acme, "10")
    arrive(acme, "a")
    lease(tracker)
    arrive(acme, "a", duration_seconds=900)
    backfill = launch_today(tracker, alice)
    later = NOW + claiming.LEASE + timedelta(seconds=1)
    sweeping.recover(now=later)

    work_off(tracker, clock=lambda: later)
    work_off(tracker, backfill=backfill, clock=lambda: later)

    assert list(Scan.objects.order_by("revision").values_list("revision", "state", "reason")) == [
        (1, "SKIPPED", "Its text changed; another scan reads the new one."),
        (2, "DONE", ""),
    ]
    assert balances.now(company=acme).available == Decimal("9.000")
    assert reconciliation.check() == []


def test_a_third_text_comes_in_while_two_scans_are_queued_for_the_first_two(acme, tracker, alice):
    people.credits_for(acme, "10")
    arrive(acme, "a")
    lease(tracker)
    arrive(acme, "a", duration_seconds=900)
    launch_today(tracker, alice)
    sweeping.recover(now=NOW + claiming.LEASE + timedelta(seconds=1))

    arrive(acme, "a", duration_seconds=1000)

    assert list(Scan.objects.order_by("revision").values_list("revision", "state")) == [
        (1, "SKIPPED"),
        (3, "PENDING"),
    ]


def launch_today(tracker, by):
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=NOW - timedelta(days=1),
        to_at=NOW + timedelta(days=1),
        ceiling=None,
        rates=people.rates(),
        by=by,
        now=NOW,
    )
