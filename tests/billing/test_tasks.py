"""The beat's job: every contract once an hour, whoever asks first (DESIGN §4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import tasks
from billing.models import Allocation
from credits import balances
from credits.models import JobRun
from tests.support import contracts, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def at(monkeypatch):
    """Set the clock that the task reads."""

    def set_(instant: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: instant)

    return set_


def test_the_job_is_done_once_an_hour(at):
    now = datetime.now(UTC).replace(minute=7, second=0, microsecond=0)
    acme = people.company(time_zone="UTC")
    contracts.seated(acme, (now.date() - timedelta(days=2)).isoformat(), 10)

    at(now)
    tasks.allocate()
    beta = people.company("Beta", time_zone="UTC")
    contracts.seated(beta, (now.date() - timedelta(days=2)).isoformat(), 4)
    at(now + timedelta(minutes=52))
    tasks.allocate()
    in_the_same_hour = Allocation.objects.filter(company=beta).count()
    at(now + timedelta(minutes=60))
    tasks.allocate()

    assert in_the_same_hour == 0
    assert balances.now(company=acme).remaining == Decimal(20000)
    assert balances.now(company=beta).remaining == Decimal(8000)
    run = JobRun.objects.get(name="allocate")
    assert (run.summary, run.succeeded_at) == ("2 contracts looked at", timezone.now())


def test_a_job_that_failed_for_one_company_has_no_success_and_is_tried_again(at, monkeypatch):
    from billing import allocations

    now = datetime.now(UTC).replace(minute=7, second=0, microsecond=0)
    acme = people.company(time_zone="UTC")
    contracts.seated(acme, (now.date() - timedelta(days=2)).isoformat(), 10)
    at(now)
    monkeypatch.setattr(allocations, "AHEAD", None)

    with pytest.raises(allocations.AllocationsFailed):
        tasks.allocate()
    monkeypatch.undo()
    failed = JobRun.objects.get(name="allocate").succeeded_at
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(hours=1))
    tasks.allocate()

    assert failed is None
    assert balances.now(company=acme).remaining == Decimal(20000)
