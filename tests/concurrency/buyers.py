"""Many people at one purchase at once: ``python -m tests.concurrency.buyers fulfil …``.

Forks before it opens a connection, so that every process has its own; a barrier lets them all go
together. Prints one JSON object: what each was told, and how many were seen waiting for a lock.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections import Counter
from datetime import UTC, date, datetime

import django

from tests.concurrency.race import most_waiters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def fulfil(purchase_id: str, user_ids: list[int], number: int) -> str:
    from billing import fulfilment
    from billing.models import Purchase
    from credits.models import User

    fulfilment.fulfil(
        purchase=Purchase.objects.get(pk=purchase_id),
        by=User.objects.get(pk=user_ids[number % len(user_ids)]),
        starts_on=date(2026, 1, 1),
        ends_on=date(2199, 12, 31),
        now=datetime.now(UTC),
    )
    return "fulfilled"


def decide(purchase_id: str, user_ids: list[int], number: int) -> str:
    """Half of them approve, the others cancel."""
    from billing import purchases
    from billing.models import Purchase
    from credits.models import User

    purchase = Purchase.objects.get(pk=purchase_id)
    by, now = User.objects.get(pk=user_ids[number % len(user_ids)]), datetime.now(UTC)
    if number % 2:
        return purchases.approve(purchase=purchase, by=by, now=now).state
    return purchases.cancel(purchase=purchase, by=by, reason="Ordered twice", now=now).state


def allocate(company_id: str, instants: list[str], number: int) -> str:
    from billing import allocations
    from credits.models import Company

    written = allocations.run(
        company=Company.objects.get(pk=company_id), now=datetime.fromisoformat(instants[0])
    )
    return f"{len(written)} written"


def count(seat_type_id: str, others: list[str], number: int) -> str:
    """Record 12 seats from one day on, then allocate."""
    from billing import allocations, seats
    from billing.models import SeatType
    from credits.models import User

    seat_type, now = SeatType.objects.get(pk=seat_type_id), datetime.fromisoformat(others[1])
    seats.count(
        seat_type=seat_type,
        seats=12,
        effective_on=now.date(),
        by=User.objects.get(pk=others[0]),
        now=now,
    )
    allocations.run(company=seat_type.company, now=now)
    return "counted"


ACTS = {"fulfil": fulfil, "decide": decide, "allocate": allocate, "count": count}


def one(act: str, subject: str, others: list, number: int, barrier, answers) -> None:
    from django.db import DatabaseError

    from billing.purchases import PurchaseRefused

    barrier.wait()
    try:
        answers.put(ACTS[act](subject, others, number))
    except (PurchaseRefused, DatabaseError) as error:
        answers.put(type(error).__name__)


def without_locks() -> None:
    """Plant the bug that rows are read without being locked."""
    from django.db.models import QuerySet

    QuerySet.select_for_update = lambda self, *_args, **_kwargs: self.all()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("act", choices=ACTS)
    parser.add_argument("subject")
    parser.add_argument("others", nargs="+")
    parser.add_argument("--processes", type=int, default=32)
    options = parser.parse_args()
    django.setup()
    if os.environ.get("TESTS_WITHOUT_COMPANY_LOCK"):
        without_locks()
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(options.processes), context.SimpleQueue()
    processes = [
        context.Process(
            target=one,
            args=(options.act, options.subject, options.others, number, barrier, answers),
        )
        for number in range(options.processes)
    ]
    for process in processes:
        process.start()
    waiters = most_waiters(processes)
    told = Counter(answers.get() for _ in processes)
    print(json.dumps({"told": told, "most_waiters": waiters}))


if __name__ == "__main__":
    main()
