"""A worker killed with -9 in the middle of a batch loses nothing and charges nothing twice."""

from __future__ import annotations

import signal
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.faults.points import SCAN_POINTS
from tests.support import conversations, people
from tests.support.processes import celery_worker, kill, wait_until
from trackers import backfills, sweeping
from trackers.models import Backfill, Scan


def all_done(company) -> bool:
    return not Scan.objects.filter(company=company).exclude(state="DONE").exists()


@pytest.mark.parametrize("point", SCAN_POINTS)
def test_a_worker_killed_mid_batch_is_made_good(committed, tmp_path, point):
    acme = people.company()
    admin = people.alice(acme)
    people.credits_for(acme, "50")
    conversations.ingest(acme, *(conversations.record(f"call-{n}") for n in range(40)))
    tracker = conversations.published(acme, admin)
    fault = tmp_path / "reached"
    environment = {"FAULT_POINT": point, "FAULT_FILE": str(fault)}

    with celery_worker(committed, include="tests.faults.points", environment=environment) as doomed:
        launch(tracker, admin)
        wait_until(fault.exists, f"the worker to get to the point “{point}”")
        kill(doomed, signal.SIGKILL)
    let_the_leases_run_out()
    sweeping.sweep(now=timezone.now())
    with celery_worker(committed):
        wait_until(lambda: all_done(acme), "the second worker to finish the rest")

    assert Scan.objects.filter(company=acme, state="DONE").count() == 40
    charged = UsageEvent.objects.filter(company=acme)
    assert sum(event.calls for event in charged) == 40
    assert sum(event.amount for event in charged) == Decimal("20.000")
    assert balances.now(company=acme).remaining == Decimal("30.000")
    assert balances.now(company=acme).reserved == Decimal("0.000")
    assert reconciliation.check() == []
    sweeping.sweep(now=timezone.now())
    assert Backfill.objects.get(tracker=tracker).state == "DONE"


def launch(tracker, admin) -> Backfill:
    now = timezone.now()
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=admin,
        now=now,
    )


def let_the_leases_run_out() -> None:
    """What five minutes would do."""
    Scan.objects.filter(state="RUNNING").update(leased_until=timezone.now() - timedelta(seconds=1))
