"""Three schedulers at once for each of many periods: each period is allocated once."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from billing import periods
from billing.models import Allocation
from credits import reconciliation
from credits.models import CreditGrant
from tests.support import contracts, people
from tests.support.processes import told_by

# The whole is 1,000; a run of the suite does some (docs/reliability.md).
PERIODS = int(os.environ.get("ALLOCATION_PERIODS", "40"))


def test_three_schedulers_allocate_each_period_once(committed):
    acme = people.company(time_zone="UTC")
    starts_on = (timezone.now() + timedelta(days=30)).date()
    contracts.seated(acme, starts_on.isoformat())
    first_days = [periods.first_day(starts_on, number, 1) for number in range(1, PERIODS + 1)]
    instants = [at_noon(day) - timedelta(days=2) for day in first_days]

    told = told_by(
        committed,
        "tests.concurrency.allocators",
        str(acme.pk),
        stdin="\n".join(instant.isoformat() for instant in instants),
    )

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
