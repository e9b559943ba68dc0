"""Stop and Pause reach a worker that is reading: nothing is charged later than five seconds on."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import Reservation, UsageEvent
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.processes import celery_worker, wait_until
from trackers import backfills, sweeping
from trackers.models import Backfill, Scan

OBEYED_SECONDS = 5
CALLS = 150
SLOW = {
    "TALLYSTICK_ANALYZER": "tests.faults.analyzers.SlowAnalyzer",
    "READING_SECONDS": "0.2",
}


@pytest.fixture
def acme(committed):
    company = people.company()
    people.credits_for(company, "100")
    conversations.ingest(company, *(conversations.record(f"call-{n}") for n in range(CALLS)))
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def backfill(acme, alice) -> Backfill:
    now = timezone.now()
    tracker = conversations.published(acme, alice, now=now)
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )


def is_busy() -> bool:
    """Tell whether a worker reads a batch, with the credits for it held, after one was charged."""
    reading = Scan.objects.filter(state="RUNNING").values("reservation_ref")
    held = Reservation.objects.filter(state="OPEN", pk__in=reading)
    return held.exists() and UsageEvent.objects.exists()


def click(name: str, backfill: Backfill, alice) -> None:
    page = reverse(f"admin:trackers_backfill_{name}", args=[backfill.pk])
    assert signed_in(alice, backfill.company).post(page).status_code == 302


def test_nothing_is_charged_later_than_five_seconds_after_stop(committed, acme, alice, backfill):
    with celery_worker(committed, concurrency=2, environment=SLOW):
        wait_until(is_busy, "a worker to be in the middle of a batch")
        clicked_at, began = timezone.now(), time.monotonic()
        click("stop", backfill, alice)
        answered = time.monotonic() - began
        free = balances.now(company=acme).reserved
        wait_until(
            lambda: not Scan.objects.filter(state="RUNNING").exists(), "the workers to notice"
        )
        noticed = time.monotonic() - began
        # Longer than the rest of the batch would have taken.
        time.sleep(OBEYED_SECONDS)

    assert answered < OBEYED_SECONDS
    assert free == Decimal("0.000")
    assert noticed < OBEYED_SECONDS
    charged = UsageEvent.objects.filter(company=acme)
    assert not charged.filter(occurred_at__gt=clicked_at + timedelta(seconds=answered)).exists()
    done = Scan.objects.filter(state="DONE").count()
    assert 0 < done < CALLS
    assert Scan.objects.filter(state="SKIPPED").count() == CALLS - done
    assert sum(event.calls for event in charged) == done
    assert balances.now(company=acme).remaining == 100 - done * Decimal("0.5")
    assert balances.now(company=acme).reserved == Decimal("0.000")
    assert reconciliation.check() == []


def test_a_pause_halts_a_busy_worker_and_a_restarted_one_goes_on_where_it_was(
    committed, acme, alice, backfill
):
    with celery_worker(committed, environment=SLOW):
        wait_until(is_busy, "a worker to be in the middle of a batch")
        click("pause", backfill, alice)
        wait_until(
            lambda: not Scan.objects.filter(state="RUNNING").exists(), "the worker to notice"
        )
        done = Scan.objects.filter(state="DONE").count()
        time.sleep(OBEYED_SECONDS)
        assert Scan.objects.filter(state="DONE").count() == done
        assert balances.now(company=acme).reserved == Decimal("0.000")
    assert Scan.objects.filter(state="PENDING").count() == CALLS - done

    click("resume", backfill, alice)
    with celery_worker(committed, environment=SLOW | {"READING_SECONDS": "0"}):
        wait_until(
            lambda: Backfill.objects.get(pk=backfill.pk).state == "DONE",
            "the second worker to finish the rest",
        )
        sweeping.sweep(now=timezone.now())

    assert Scan.objects.filter(state="DONE").count() == CALLS
    assert sum(event.calls for event in UsageEvent.objects.all()) == CALLS
    assert balances.now(company=acme).remaining == Decimal("25.000")
    assert reconciliation.check() == []
