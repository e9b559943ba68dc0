"""Three schedulers at once for each of many periods: each period is allocated once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from billing import periods
from billing.models import Allocation
from config import databases
from config.embedded_postgres import PROJECT
from credits import reconciliation
from credits.models import CreditGrant
from tests.support import contracts, people

# The whole is 1,000; a run of the suite does some (docs/reliability.md).
PERIODS = int(os.environ.get("ALLOCATION_PERIODS", "40"))


def test_three_schedulers_allocate_each_period_once(committed):
    acme = people.company(time_zone="UTC")
    starts_on = (timezone.now() + timedelta(days=30)).date()
    contracts.seated(acme, starts_on.isoformat())
    first_days = [periods.first_day(starts_on, number, 1) for number in range(1, PERIODS + 1)]
    instants = [at_noon(day) - timedelta(days=2) for day in first_days]

    done = subprocess.run(
        [sys.executable, "-m", "tests.concurrency.allocators", str(acme.pk)],
        cwd=PROJECT,
        env=databases.environment(committed),
        input="\n".join(instant.isoformat() for instant in instants),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert [sum(runs) for runs in zip(*told, strict=True)] == [1] * PERIODS
    written = Allocation.objects.filter(company=acme)
    assert Counter(written.values_list("period_number", "state")) == {
        (number, "ISSUED"): 1 for number in range(1, PERIODS + 1)
    }
    grants = CreditGrant.objects.filter(company=acme, source="ALLOCATION")
    assert grants.count() == PERIODS
    assert {grant.amount for grant in grants} == {Decimal("20000.000")}
    assert reconciliation.check() == []


def at_noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
