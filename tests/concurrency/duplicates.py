"""32 processes do the same at once: ``python -m tests.concurrency.duplicates`` (JSON on stdin).

Reads ``{"company": …, "user": …, "acts": [{"act": …, "id": …}, …]}``. For each act the company's
pool is held until many wait for it, so that they surely meet. Prints what each was told, by act.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from decimal import Decimal
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
PROCESSES = 32
ENOUGH = 8  # Of 32 waiting at once; on two cores the last come when the first are done.


def acts(company, by, ref: str, key) -> dict:
    from credits import charging, expirations, grants, refunds
    from credits.models import CreditGrant, Reservation, Source, UsageEvent
    from tests.support import statement

    signed = {"by": by, "reason": "Sent by all at once", "key": key}
    use = {"use": statement.use(), "rates": statement.MILLS}

    def capture():
        return charging.capture(
            reservation=Reservation.objects.get(pk=ref),
            work=statement.work_of("1.5"),
            rates=statement.MILLS,
            usage_id=UUID(ref),
        )

    return {
        "issue": lambda: grants.issue(
            company=company, source=Source.ALLOCATION, amount=Decimal(5), by=None, key=key
        ),
        "charge": lambda: charging.charge(
            company=company, work=statement.work_of("1"), key=key, **use
        ),
        "reserve": lambda: charging.reserve(company=company, amount=Decimal(2), key=key, **use),
        "capture": capture,
        "extend": lambda: charging.extend(reservation=Reservation.objects.get(pk=ref)),
        "release": lambda: charging.release(reservation=Reservation.objects.get(pk=ref)),
        "refund": lambda: refunds.refund(usage_event=UsageEvent.objects.get(pk=ref), **signed),
        "replace": lambda: refunds.refund(
            usage_event=UsageEvent.objects.get(pk=ref), replace_expired=True, **signed
        ),
        "void": lambda: grants.void(grant=CreditGrant.objects.get(pk=ref), **signed),
        "cancel": lambda: grants.cancel(grant=CreditGrant.objects.get(pk=ref), **signed),
        "adjust up": lambda: grants.adjust(company=company, amount=Decimal(3), **signed),
        "adjust down": lambda: grants.adjust(company=company, amount=Decimal(-4), **signed),
        "adjust a lot": lambda: grants.adjust(
            company=company,
            amount=Decimal("-1.5"),
            grant=CreditGrant.objects.get(pk=ref),
            **signed,
        ),
        "expire": lambda: expirations.settle(company=company),
    }


def one(asked: dict, number: int, barriers, answers) -> None:
    from django.db import connection

    from credits.ledger import Key
    from credits.models import Company, User

    company = Company.objects.get(pk=asked["company"])
    by = User.objects.get(pk=asked["user"])
    told = []
    for wanted, (ready, go) in zip(asked["acts"], barriers, strict=True):
        ready.wait(timeout=600)
        go.wait(timeout=600)
        try:
            key = Key.of(f"{wanted['act']} {wanted['id']}", same="body")
            made = acts(company, by, wanted["id"], key)[wanted["act"]]()
            told.append(f"made {getattr(made, 'pk', made)}")
        except Exception as error:  # noqa: BLE001
            # Whatever it is: the others wait for this one, and the test reads what it was told.
            told.append(f"refused: {type(error).__name__} {error}".partition("\n")[0])
    connection.close()
    answers.put(told)


def main() -> None:
    asked = json.load(sys.stdin)
    django.setup()
    context = multiprocessing.get_context("fork")
    # The pool is held only once everybody has done with the act before.
    barriers = [
        (context.Barrier(PROCESSES + 1), context.Barrier(PROCESSES + 1)) for _ in asked["acts"]
    ]
    answers = context.SimpleQueue()
    processes = [
        context.Process(target=one, args=(asked, number, barriers, answers))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    waited = [_let_them_meet(asked["company"], *pair) for pair in barriers]
    told = [answers.get() for _ in processes]
    counts = [dict(Counter(one[number] for one in told)) for number in range(len(barriers))]
    print(json.dumps({"told": counts, "waited": waited}))


def _let_them_meet(company_id: int, ready, go) -> int:
    """Hold the pool until many wait for it; return how many."""
    from django.db import connection, transaction

    most, deadline = 0, time.monotonic() + 300
    ready.wait(timeout=600)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM credits_creditpool WHERE company_id = %s FOR UPDATE", [company_id]
        )
        go.wait(timeout=600)
        while most < ENOUGH and time.monotonic() < deadline:
            time.sleep(0.05)
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            most = max(most, cursor.fetchone()[0])
    return most


if __name__ == "__main__":
    main()
